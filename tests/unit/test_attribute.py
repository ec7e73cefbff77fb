"""Values of every DynamoDB type: what Claude reads of them, when two are equal, their size."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute

EVERY_TYPE: dict[str, tuple[Attribute, str]] = {
    "text": ({"S": "Where is <b>my</b> money?"}, "Where is <b>my</b> money?"),
    "empty text": ({"S": ""}, ""),
    "NULL": ({"NULL": True}, ""),
    "number": ({"N": "12.50"}, "12.50"),
    "true": ({"BOOL": True}, "true"),
    "false": ({"BOOL": False}, "false"),
    "binary": ({"B": b"\x00\xff?"}, "AP8/"),
    "texts": ({"SS": ["refund", "Äpfel", "invoice"]}, '["invoice","refund","Äpfel"]'),
    "numbers": ({"NS": ["10", "9", "1.5"]}, "[1.5,9,10]"),
    "binaries": ({"BS": [b"b", b"a"]}, '["YQ==","Yg=="]'),
    "binary in a map": ({"M": {"seal": {"B": b"\x00"}}}, '{"seal":"AA=="}'),
    "binary as on the wire": ({"B": "AP8/"}, "AP8/"),
    # As bytes 0x00 comes before 0xfb, as base64 text "+w==" before "AA==".
    "binaries as on the wire": ({"BS": ["+w==", "AA=="]}, '["AA==","+w=="]'),
    "list": ({"L": [{"S": "b"}, {"N": "1"}, {"NULL": True}]}, '["b",1,null]'),
    "map": (
        {"M": {"to": {"S": "us"}, "cc": {"L": [{"BOOL": False}]}, "n": {"SS": ["b", "a"]}}},
        '{"cc":[false],"n":["a","b"],"to":"us"}',
    ),
    "38 digits": (
        {"L": [{"N": "12345678901234567890123456789012345678"}]},
        "[12345678901234567890123456789012345678]",
    ),
}
# As DynamoDB compares them, no two of these are equal.
UNEQUAL: list[Attribute | None] = [
    None,
    {"NULL": True},
    {"S": ""},
    {"S": "1"},
    {"N": "1"},
    {"N": "12345678901234567890123456789012345678"},
    {"N": "12345678901234567890123456789012345679"},
    {"S": "true"},
    {"BOOL": True},
    {"BOOL": False},
    {"B": b"1"},
    {"S": "MQ=="},
    {"SS": ["1"]},
    {"NS": ["1"]},
    {"BS": [b"1"]},
    {"L": [{"S": "1"}]},
    {"L": [{"N": "1"}]},
    {"L": [{"S": "1"}, {"S": "2"}]},
    {"L": [{"S": "2"}, {"S": "1"}]},
    {"L": []},
    {"M": {}},
    {"M": {"S": {"S": "1"}}},
    {"M": {"a": {"S": "1"}}},
    {"M": {"a": {"N": "1"}}},
]
EQUAL: dict[str, tuple[Attribute, Attribute]] = {
    "number": ({"N": "1.0"}, {"N": "1"}),
    "large number": ({"N": "1E+2"}, {"N": "100"}),
    "texts": ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}),
    "numbers": ({"NS": ["1", "2.0"]}, {"NS": ["2", "1"]}),
    "binaries": ({"BS": [b"a", b"b"]}, {"BS": [b"b", b"a"]}),
    "binary as on the wire": ({"B": b"\xfb\x00"}, {"B": "+wA="}),
    "binaries as on the wire": ({"BS": [b"\x00", b"\xfb"]}, {"BS": ["+w==", "AA=="]}),
    "binary within": ({"M": {"a": {"L": [{"B": b"1"}]}}}, {"M": {"a": {"L": [{"B": "MQ=="}]}}}),
    "map": (
        {"M": {"a": {"N": "1"}, "b": {"SS": ["x", "y"]}}},
        {"M": {"b": {"SS": ["y", "x"]}, "a": {"N": "1.0"}}},
    ),
    "list": ({"L": [{"NS": ["1", "2"]}]}, {"L": [{"NS": ["2", "1.0"]}]}),
}


@pytest.mark.parametrize(("value", "seen"), EVERY_TYPE.values(), ids=EVERY_TYPE)
def test_a_reader_sees_text_as_it_is_and_the_rest_as_compact_json(
    value: Attribute, seen: str
) -> None:
    assert attribute.text(value) == seen


def test_what_is_not_there_is_no_text() -> None:
    assert attribute.text(None) == ""


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL)
def test_what_dynamodb_calls_equal_has_one_spelling(one: Attribute, other: Attribute) -> None:
    assert attribute.canonical([one]) == attribute.canonical([other])


def test_what_dynamodb_does_not_call_equal_has_another() -> None:
    assert len({attribute.canonical([value]) for value in UNEQUAL}) == len(UNEQUAL)


def test_inputs_do_not_run_into_each_other() -> None:
    texts = [["ab", "c"], ["a", "bc"], ["abc", ""], ["", "abc"], ["abc"]]
    spelled = {attribute.canonical([{"S": text} for text in each]) for each in texts}

    assert len(spelled) == len(texts)


TEXT = st.text(st.characters(codec="utf-8")) | st.sampled_from(["\U0001f3ab", "\x00", "Ж", '"'])
# Long enough to be measured, or short enough to be reckoned.
TEXTS = st.lists(st.builds(lambda text, times: text * times, TEXT, st.sampled_from([1, 20_000])))


@given(TEXTS)
def test_more_bytes_are_reckoned_than_are_sent(texts: list[str]) -> None:
    values = [{"S": text} for text in texts]

    assert attribute.most_bytes(values) >= sum(len(json.dumps(value) + ", ") for value in values)
    assert attribute.most_bytes(values) >= sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize("letter", ["x", "Ж", "長", "\U0001f3ab", "\x01"])
def test_a_long_text_is_measured(letter: str) -> None:
    value: dict[str, Any] = {"S": letter * 100_000}

    assert attribute.most_bytes([value]) == pytest.approx(len(json.dumps(value)), rel=0.01)


@pytest.mark.parametrize(("value", "seen"), EVERY_TYPE.values(), ids=EVERY_TYPE)
def test_any_type_can_be_measured(value: Attribute, seen: str) -> None:
    assert attribute.most_bytes([value]) >= len(seen.encode())
    assert attribute.most_bytes([value, {"S": "x" * 200_000}]) >= len(seen.encode()) + 200_000
