"""What each type of output takes, how it is asked for, and how an answer is read."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from nightshift.task.outputs import NotAllowed, Output, Unsure

MADE: TypeAdapter[Any] = TypeAdapter(Output)
LABEL = {"type": "label", "values": ["billing", "Other things"], "unsure": "unsure"}
LABELS = {"type": "labels", "values": {"a": "first", "b": ""}, "max_items": 2}
TEXT = {"type": "text", "max_characters": 10}
TEXTS = {"type": "texts", "min_items": 1, "max_items": 2, "max_characters": 5}
INTEGER = {"type": "integer", "minimum": -1, "maximum": 5}
BOOLEAN = {"type": "boolean"}


def made(spec: dict[str, Any], **more: Any) -> Any:
    return MADE.validate_python({**spec, **more})


@pytest.mark.parametrize(
    ("spec", "answer", "value"),
    [
        (LABEL, "billing", "billing"),
        (LABEL, " OTHER Things\n", "Other things"),
        (LABELS, [], []),
        (LABELS, ["B", " a", "b"], ["b", "a"]),
        (TEXT, " ten chars ", "ten chars"),
        (TEXT, "1234567890", "1234567890"),
        (TEXT, "長" * 10, "長" * 10),
        (TEXTS, ["one", "two "], ["one", "two"]),
        (INTEGER, -1, -1),
        (INTEGER, 5.0, 5),
        (BOOLEAN, False, False),
    ],
)
def test_what_the_task_allows_is_read(spec: dict[str, Any], answer: object, value: object) -> None:
    read = made(spec).read(answer)

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("spec", "answer"),
    [
        *((LABEL, answer) for answer in ("", "bill", "billing.", 1, None, ["billing"])),
        *((LABELS, answer) for answer in ("a", ["c"], ["a", 1], [None], {"a": 1})),
        (made(LABELS, max_items=1).model_dump(), ["a", "b"]),
        *((TEXT, answer) for answer in ("", "  ", "12345678901", 5, None, ["x"])),
        *((TEXTS, answer) for answer in ([], ["a", "b", "c"], ["toolong"], [""], [1], "a")),
        *((INTEGER, answer) for answer in (-2, 6, 1.5, "3", None, True, [1])),
        *((BOOLEAN, answer) for answer in (0, 1, "true", None, [])),
    ],
)
def test_what_the_task_does_not_allow_is_refused(spec: dict[str, Any], answer: object) -> None:
    with pytest.raises(NotAllowed):
        made(spec).read(answer)


def test_unsure_is_neither_a_label_nor_refused() -> None:
    with pytest.raises(Unsure):
        made(LABEL).read(" UNSURE ")
    with pytest.raises(NotAllowed):
        made(LABEL, unsure=None).read("unsure")


@pytest.mark.parametrize(
    ("spec", "answer"),
    [
        (LABEL, '"Other things"'),
        (LABELS, '["a", "b"]'),
        (TEXT, '"1234567890"'),
        (TEXTS, '["12345", "12345"]'),
        (INTEGER, "-1"),
        (BOOLEAN, "false"),
    ],
)
def test_the_longest_answer_is_as_long_as_is_said(spec: dict[str, Any], answer: str) -> None:
    output = made(spec)

    assert len(answer) <= output.longest <= len(answer) + 4
    assert 0 < output.usual <= output.longest


@pytest.mark.parametrize(
    ("spec", "schema"),
    [
        (LABEL, {"type": "string", "enum": ["billing", "Other things", "unsure"]}),
        (LABELS, {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}),
        (TEXT, {"type": "string"}),
        (TEXTS, {"type": "array", "items": {"type": "string"}}),
        (INTEGER, {"type": "integer"}),
        (BOOLEAN, {"type": "boolean"}),
    ],
)
def test_a_schema_holds_what_the_api_takes(spec: dict[str, Any], schema: dict[str, Any]) -> None:
    assert made(spec).json_schema == schema


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (LABEL, "one of these:\n  billing\n  Other things\n  unsure: a person must decide"),
        ({**LABEL, "unsure": None}, "one of these: billing, Other things"),
        (LABELS, "a list of those that apply, at most 2:\n  a: first\n  b"),
        ({**TEXT, "about": "A title."}, "a text of at most 8 characters (A title.)"),
        (TEXTS, "a list of 1 to 2 texts, each of at most 4 characters"),
        (INTEGER, "a whole number from -1 to 5"),
        (BOOLEAN, "true or false"),
    ],
)
def test_the_prompt_says_what_an_answer_must_be(spec: dict[str, Any], said: str) -> None:
    """Of a text, four fifths of what is taken: models miscount."""
    assert made(spec).asked == said


@pytest.mark.parametrize(
    ("spec", "value", "counted"),
    [
        (LABEL, "billing", {"billing": 1}),
        (LABELS, ["a", "b"], {"a": 1, "b": 1}),
        (TEXT, "abc", {"texts": 1, "characters": 3}),
        (TEXTS, ["abc", "d"], {"texts": 2, "characters": 4}),
        (INTEGER, 4, {"numbers": 1, "sum": 4}),
        (BOOLEAN, True, {"yes": 1}),
        (BOOLEAN, False, {"no": 1}),
    ],
)
def test_what_of_an_answer_is_counted(spec: dict[str, Any], value: Any, counted: Any) -> None:
    assert made(spec).count(value) == counted


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({**LABEL, "values": []}, "at least 1"),
        ({**LABEL, "values": ["a", "a"]}, "'a' stands there twice"),
        ({**LABEL, "values": ["a", "A "]}, "no colon|differ in nothing"),
        ({**LABEL, "values": ["a", "A"]}, "'a' and 'A' differ in nothing"),
        ({**LABEL, "values": ["a."]}, "no final dot"),
        ({**LABEL, "values": ["a: b"]}, "no colon"),
        ({**LABEL, "values": [""]}, "at least 1 character"),
        ({**LABEL, "unsure": "Billing"}, "differ in nothing"),
        ({**LABEL, "max_items": 2}, "not permitted"),
        ({**LABELS, "max_items": 3}, "there are only 2 values"),
        ({**TEXTS, "min_items": 3}, "must not be more than max_items"),
        ({**INTEGER, "minimum": 6}, "must not be more than maximum"),
        ({**INTEGER, "minimum": "1"}, "valid integer"),
        ({"type": "text"}, "max_characters"),
        ({"type": "number"}, "does not match"),
        ({}, "type"),
    ],
)
def test_an_output_that_makes_no_sense_is_refused(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        made(spec)
