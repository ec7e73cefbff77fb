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


def shown(*texts: str) -> list[tuple[str, bool]]:
    """Texts as a ticket shows its inputs."""
    return [(text, True) for text in texts]


def category_in(answer: str, asked: Task | None = None) -> str | None:
    """The category that an answer to the task names."""
    found = (asked or task()).contract.read(answer)
    return None if found is None else str(found.values["category"])
