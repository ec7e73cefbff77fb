"""A result line says what it says; what cannot be read is nothing, never something else."""

import json
from copy import deepcopy
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.claude import results
from nightshift.claude.money import Usage
from nightshift.claude.results import Result
from tests.unit.examples import errored, name_of, raw, succeeded, ticket

NAME = name_of(ticket(), ordinal=7)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def read(result: object) -> Result | None:
    return results.read(raw(str(NAME), result))


def test_an_answer_is_read_whole() -> None:
    assert read(succeeded("technical")) == Result(
        NAME,
        "succeeded",
        answer="technical",
        stop_reason="end_turn",
        model="claude-haiku-4-5-20251001",
        usage=Usage(input_tokens=16, output_tokens=5),
    )


def test_a_line_as_the_api_documents_it_is_read() -> None:
    line = (
        '{"custom_id":"tok-en_1007sentsentiT-1","result":{"type":"succeeded","message":{"id":'
        '"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001",'
        '"content":[{"type":"text","text":"1"}],"stop_reason":"end_turn","stop_sequence":null,'
        '"usage":{"input_tokens":16,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
        '"output_tokens":5}}}}'
    )

    found = results.read(line.encode())

    assert found is not None
    assert (found.answer, found.usage) == ("1", Usage(16, 5))


@pytest.mark.parametrize(
    "error",
    [
        *("invalid_request_error", "authentication_error", "billing_error", "permission_error"),
        *("not_found_error", "rate_limit_error", "timeout_error", "api_error", "overloaded_error"),
        "an_error_of_tomorrow",
    ],
)
def test_an_error_is_read_through_both_its_layers(error: str) -> None:
    line = read(errored(error, "max_tokens: must be at least 1"))

    assert line == Result(NAME, "errored", error=error, message="max_tokens: must be at least 1")


def test_an_error_may_come_without_words() -> None:
    result = {"type": "errored", "error": {"error": {"type": "api_error"}}}

    assert read(result) == Result(NAME, "errored", error="api_error", message="")


@pytest.mark.parametrize("kind", ["canceled", "expired"])
def test_what_was_not_processed_used_nothing(kind: Any) -> None:
    assert read({"type": kind}) == Result(NAME, kind)


def test_a_leading_thinking_block_is_not_the_answer() -> None:
    thinking = {"type": "thinking", "thinking": "feedback, surely", "signature": "x"}
    line = read(succeeded(content=[thinking, {"type": "text", "text": "billing"}]))

    assert line is not None
    assert line.answer == "billing"


@pytest.mark.parametrize("content", [[], [{"type": "a_block_of_tomorrow", "text": "billing"}]])
def test_an_answer_without_text_is_empty(content: list[Any]) -> None:
    line = read(succeeded(content=content))

    assert line is not None
    assert line.answer == ""


def test_a_refusal_has_succeeded_and_says_so_in_its_stop_reason() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "no"}
    line = read(succeeded(content=[], stop_reason="refusal", stop_details=details))

    assert line is not None
    assert (line.kind, line.stop_reason) == ("succeeded", "refusal")


def test_cached_tokens_are_counted_by_what_they_cost() -> None:
    usage = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation_input_tokens": 70,
        "cache_read_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 40},
    }
    line = read(succeeded(usage=usage))

    assert line is not None
    assert line.usage == Usage(1, 2, cache_write_5m=30, cache_write_1h=40, cache_read=5)


@pytest.mark.parametrize("missing", [None, {}])
def test_cache_counts_may_be_missing(missing: object) -> None:
    usage = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation_input_tokens": None,
        "cache_read_input_tokens": None,
        "cache_creation": missing,
    }
    line = read(succeeded(usage=usage))

    assert line is not None
    assert line.usage == Usage(1, 2)


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\U0001f3ab", '"'])
def test_a_line_separator_within_an_answer_is_text(separator: str) -> None:
    line = read(succeeded(f"bill{separator}ing"))

    assert line is not None
    assert line.answer == f"bill{separator}ing"


@pytest.mark.parametrize("kind", ["a_type_of_tomorrow", "", None, 1, "Succeeded", ["canceled"]])
def test_an_unknown_type_does_not_pass_for_a_known_one(kind: object) -> None:
    assert read({**succeeded(), "type": kind}) is None


@pytest.mark.parametrize("name", ["somebody-elses", "", None, 7, [str(NAME)]])
def test_a_line_with_a_foreign_name_is_none(name: object) -> None:
    assert results.read(raw(name, succeeded())) is None


@pytest.mark.parametrize(
    "broken",
    [b"", b"{", b"null", b"[]", b"7", b'"text"', b"\xff\xfe", b"{}", b'{"custom_id": "x"}'],
)
def test_a_line_that_is_no_result_is_none(broken: bytes) -> None:
    assert results.read(broken) is None


@given(st.integers(0, len(raw(str(NAME), succeeded())) - 1))
def test_a_line_that_was_cut_off_is_none(end: int) -> None:
    assert results.read(raw(str(NAME), succeeded())[:end]) is None


def paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value within a document."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    return [path, *(way for key, each in inner for way in paths(each, (*path, key)))]


def with_replaced(document: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return value
    copy = deepcopy(document)
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


WELL_FORMED = [
    {"custom_id": str(NAME), "result": result}
    for result in (succeeded(), errored("api_error"), {"type": "expired"})
]
PLACES = [(document, path) for document in WELL_FORMED for path in paths(document)]


@given(st.sampled_from(PLACES), JSON)
def test_a_line_with_anything_odd_in_it_is_none_or_has_the_types_it_should(
    place: tuple[Any, tuple[Any, ...]], value: object
) -> None:
    line = results.read(json.dumps(with_replaced(*place, value)).encode())

    if line is not None:
        for name in ("answer", "stop_reason", "model", "error", "message"):
            assert isinstance(getattr(line, name), str), name
        for name in get_type_hints(Usage):
            tokens = getattr(line.usage, name)
            assert type(tokens) is int, name
            assert tokens >= 0, name


@pytest.mark.parametrize(
    "document", [["x"], {"custom_id": None}, {"result": {}}, {"custom_id": "x"}, None, 7, "x"]
)
def test_the_name_of_any_line_is_its_custom_id_or_none(document: Any) -> None:
    name = results.name_of(json.dumps(document).encode())

    assert name in (None, "x")
    assert (name == "x") == (document == {"custom_id": "x"})


def test_a_broken_line_has_no_name() -> None:
    assert results.name_of(b'{"custom_id": "x"') is None
