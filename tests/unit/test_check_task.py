"""`make check-task`: whether a task fits, and what Claude will be asked."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from nightshift.task.request import template_for, version_of
from nightshift.task.task import DEFAULT, TASKS, Task, load
from tests.tasks import FILE, changed, reviews, task
from tools.desk.check_task import __main__ as command
from tools.desk.check_task.__main__ import FITS, SCHEMA_FILE, UNUSABLE, editor_schema, main
from tools.local.sample import shipped

MODEL = "claude-haiku-5-5"


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def file_of(directory: Path, text: str) -> str:
    path = directory / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_default_task_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == FITS == 0

    assert f"{DEFAULT} fits." in printed(capsys)


def test_a_task_that_fits_is_shown_as_claude_will_see_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([str(FILE), "--model", MODEL]) == FITS

    said = printed(capsys)
    words = " ".join(said.split())
    assert "sorting fits." in said
    assert f"version {version_of(task(), MODEL)}" in words
    assert "inputs subject (500), body (500)" in words
    assert "outputs category (label)" in words
    assert "redacted nothing" in words
    assert "a bare word, 9 characters at most, 16 tokens are allowed" in words
    assert f"never more than {template_for(task(), MODEL).fixed_tokens:,}" in words
    assert f"for {MODEL}" in words
    assert " ".join(task().system_prompt.split()) in words
    assert "<ticket> Subject: <subject> <body> </ticket>" in words
    assert "Schema of the answer" not in said


def test_what_is_redacted_is_shown_and_stands_in_the_prompt(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "load", lambda name: changed(redact=["card", "email"]))

    assert main([]) == FITS

    words = " ".join(printed(capsys).split())
    assert "redacted card, email" in words
    assert "[email] for an e-mail address and [card] for the number of a payment card." in words


def test_several_outputs_are_shown_with_their_schema(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "load", lambda name: reviews())

    assert main([]) == FITS

    said = printed(capsys)
    words = " ".join(said.split())
    assert "a JSON object, " in words
    assert "size (integer), spam (boolean), summary (text), points (texts)" in words
    shown = said.partition("Schema of the answer")[2]
    assert json.loads(shown[shown.index("{") :]) == reviews().contract.schema


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("max_tokens = 16", "max_tokens = 5"), "max_tokens: 5 cannot hold the longest allowed"),
        (("{answer}", ""), "system: must hold {answer}"),
        (("{body}", "{text}"), "message: {text} is no placeholder: there are {subject}, {body}"),
        (("max_tokens = 16", "max_token = 16"), "max_token: "),
        (("output.category", "output.subject"), "output.subject: is an input too"),
        (("max_tokens = 16", "max_tokens = "), "Invalid value (at line"),
        (("max_tokens = 16", "categories = []"), "categories is now [output.category]"),
    ],
)
def test_a_file_that_does_not_fit_says_where_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], says: str
) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert change[0] in text
    wrong = file_of(tmp_path, text.replace(*change))

    assert main([wrong]) == UNUSABLE == 2

    words = " ".join(printed(capsys).split())
    assert words.startswith("Task file mine.toml")
    assert says in words


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-task"], "There is no task 'no-such-task'. Choose one of: "),
        (["no-such-file.toml"], "There is no task 'no-such-file.toml'."),
        (["--model", "claude-nobody"], "claude-nobody"),
        ([str(FILE), "--model", "claude-opus-5-5"], "Set max_tokens to 1033 or more"),
    ],
)
def test_what_is_not_there_or_has_no_room_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == UNUSABLE

    assert says in " ".join(printed(capsys).split())


def test_a_word_that_looks_like_markup_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bold = changed(system="Say [bold]yes[/bold], [/red] or {{no}}. {answer}")
    monkeypatch.setattr(command, "load", lambda name: bold)

    assert main([]) == FITS

    assert "Say [bold]yes[/bold], [/red] or {no}." in printed(capsys)


# The schema for editors.


def test_the_schema_file_is_what_is_made_of_the_task_today() -> None:
    """`python -m tools.desk.check_task --write-schema` writes it anew."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == editor_schema()


def test_the_schema_is_written_on_demand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SCHEMA_FILE", tmp_path / "task.schema.json")

    assert main(["--write-schema"]) == FITS

    assert (tmp_path / "task.schema.json").read_text(encoding="utf-8") == editor_schema()
    assert "Written: task.schema.json" in printed(capsys)


SCHEMA = json.loads(editor_schema())


def problems(content: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft7Validator(SCHEMA).iter_errors(content)]


def test_the_schema_is_one_and_knows_every_key_of_a_file_but_not_its_name() -> None:
    Draft7Validator.check_schema(SCHEMA)

    assert SCHEMA["properties"].keys() == Task.model_fields.keys() - {"name"}
    assert "name" not in SCHEMA["required"]


@pytest.mark.parametrize("path", [FILE, *sorted(TASKS.glob("*.toml"))], ids=lambda path: path.stem)
def test_an_editor_has_nothing_to_say_of_a_task_that_fits(path: Path) -> None:
    assert load(str(path)).name == path.stem
    assert problems(tomllib.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"max_token": 16},
        {"max_tokens": "16"},
        {"input": {"subject": 0}},
        {"output": {"category": {"type": "labl", "values": ["a"]}}},
        {"output": {"category": {"type": "label"}}},
        {"output": {}},
        {"redact": ["phone"]},
        {"redact": ["email", "email"]},
    ],
)
def test_an_editor_marks_what_is_wrong(change: dict[str, Any]) -> None:
    assert problems(tomllib.loads(FILE.read_text(encoding="utf-8")) | change)


def test_the_shipped_tasks_name_their_schema() -> None:
    """One of yours beside them may leave that line out."""
    for name in (DEFAULT, *(sample.stem for sample in shipped.FOLDER.glob("*.jsonl"))):
        path = TASKS / f"{name}.toml"
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert re.fullmatch(r"#:schema \./(.+)", first), path.name
        assert first.endswith(SCHEMA_FILE.name)
