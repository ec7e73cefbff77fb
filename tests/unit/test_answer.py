"""The contract with the model: what an answer must be, and how it is read."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from nightshift.task.answer import Answer, Contract
from nightshift.task.outputs import Output

MADE: TypeAdapter[Any] = TypeAdapter(dict[str, Output])
LONE = {"category": {"type": "label", "values": ["billing", "other"]}}
SEVERAL = {
    "status": {"type": "label", "values": ["good", "bad"], "unsure": "unsure"},
    "size": {"type": "integer", "minimum": 1, "maximum": 5},
    "note": {"type": "text", "max_characters": 20},
}


def contract(outputs: dict[str, Any]) -> Contract:
    return Contract(MADE.validate_python(outputs))


@pytest.mark.parametrize("answer", ["billing", " Billing\n", "BILLING.", "billing . "])
def test_a_lone_label_is_a_bare_word(answer: str) -> None:
    assert contract(LONE).schema is None
    assert contract(LONE).read(answer) == Answer({"category": "billing"})


@pytest.mark.parametrize("answer", ["", "bill", "billing..", '"billing"', '{"category":"billing"}'])
def test_another_word_is_no_answer(answer: str) -> None:
    assert contract(LONE).read(answer) is None


def test_several_outputs_are_a_json_object() -> None:
    made = contract(SEVERAL)
    values = {"status": "good", "size": 3, "note": "fine"}

    assert made.read(json.dumps(values)) == Answer(values)
    assert made.read(made.spelled(values)) == Answer(values)
    assert made.schema is not None
    assert made.schema["required"] == ["status", "size", "note"]
    assert made.schema["additionalProperties"] is False


def test_an_output_that_a_person_must_decide_leaves_the_others() -> None:
    answer = contract(SEVERAL).read('{"status": "Unsure", "size": 3, "note": "fine"}')

    assert answer == Answer({"size": 3, "note": "fine"}, ("status",))


@pytest.mark.parametrize(
    "answer",
    [
        "good",
        '{"status": "good", "size": 3}',
        '{"status": "good", "size": 3, "note": "fine", "more": 1}',
        '{"status": "great", "size": 3, "note": "fine"}',
        '{"status": "good", "size": 6, "note": "fine"}',
        '{"status": "good", "size": 3, "note": "much longer than that"}',
        '{"status": "unsure", "size": 9, "note": "fine"}',
        '{"status": "good", "size": 3, "note": "fi',
        '[{"status": "good", "size": 3, "note": "fine"}]',
        '{"status": "good", "size": 3, "note": "\\ud800"}',
        "null",
        "",
    ],
)
def test_any_other_answer_is_none(answer: str) -> None:
    assert contract(SEVERAL).read(answer) is None


def test_the_longest_answer_is_reckoned_with_its_json() -> None:
    longest = json.dumps({"status": "unsure", "size": 5, "note": "x" * 20})

    assert len(longest) <= contract(SEVERAL).longest <= len(longest) + 12
    assert contract(LONE).longest == len("billing")


def test_a_bare_word_is_asked_for_in_few_words() -> None:
    defined = {"priority": {"type": "label", "values": {"low": "can wait", "high": ""}}}

    assert contract(defined).asked == (
        "Priorities:\nlow: can wait\nhigh\n\n"
        "Answer with the name of the one priority that fits best, in lowercase, and nothing else."
    )
    assert "in lowercase" not in contract({"x": {"type": "label", "values": ["A", "b"]}}).asked


def test_several_outputs_are_asked_for_key_by_key() -> None:
    assert contract(SEVERAL).asked.splitlines() == [
        "Answer with a JSON object with exactly these keys:",
        "status: one of these:",
        "  good",
        "  bad",
        "  unsure: a person must decide",
        "size: a whole number from 1 to 5",
        "note: a text of at most 16 characters",
    ]
