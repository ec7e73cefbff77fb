"""The task of the tests: a copy of the shipped one as it was, which nobody edits for a job."""

import tomllib
from pathlib import Path
from typing import Any

from nightshift.task.task import Task, load

FILE = Path(__file__).with_name("sorting.toml")
CATEGORIES = ("billing", "technical", "account", "feedback", "other")


def task() -> Task:
    return load(str(FILE))


def changed(**keys: Any) -> Task:
    """The same task with other keys of its file, validated."""
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Task.model_validate({**found, "name": FILE.stem, **keys})


def labelled(*values: str, **keys: Any) -> Task:
    """The same task with other categories."""
    return changed(output={"category": {"type": "label", "values": list(values)}}, **keys)


def in_the_us(model: str, folder: Path) -> Path:
    """A file of the same task, which has requests of one of its models processed in the US."""
    file, table = folder / FILE.name, f"[models.{model}]\n"
    file.write_text(FILE.read_text().replace(table, f'{table}inference_geo = "us"\n'))
    return file


def reviews() -> Task:
    """A task with an output of every type; DynamoDB and PartiQL reserve the names of two of them.
    Either label may be left to a person."""
    return changed(
        items=("review", "reviews"),
        max_tokens=600,
        output={
            "status": {"type": "label", "values": ["good", "bad"], "unsure": "unsure"},
            "kind": {"type": "label", "values": ["short", "long"], "unsure": "cannot say"},
            "topics": {"type": "labels", "values": ["price", "taste", "look"], "max_items": 2},
            "size": {"type": "integer", "minimum": -5, "maximum": 5},
            "spam": {"type": "boolean"},
            "summary": {"type": "text", "max_characters": 40},
            "points": {"type": "texts", "min_items": 1, "max_items": 3, "max_characters": 20},
        },
    )


def reviewed(**other: Any) -> dict[str, Any]:
    """An answer to `reviews()`, with other values for some of its outputs."""
    usual = {
        "status": "good",
        "kind": "long",
        "topics": ["price", "taste"],
        "size": -3,
        "spam": False,
        "summary": 'A "fine" thing.',
        "points": ["cheap", "sweet"],
    }
    return usual | other


def shown(*texts: str) -> list[tuple[str, bool]]:
    """Texts as a ticket shows its inputs."""
    return [(text, True) for text in texts]


def category_in(answer: str, asked: Task | None = None) -> str | None:
    """The category that an answer to the task names."""
    found = (asked or task()).contract.read(answer)
    return None if found is None else str(found.values["category"])
