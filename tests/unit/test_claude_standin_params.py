"""The stand-in judges what a request asks for, and invents answers to any task within it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.task.request import template_for
from nightshift.task.task import TASKS, Task, load
from tests.tasks import CATEGORIES, changed, labelled, reviews, task
from tools.local.claude_standin.answers import Answer, RowRule, answer
from tools.local.claude_standin.inventions import labels_of
from tools.local.claude_standin.models import MODELS, find
from tools.local.claude_standin.params import NEW_VERSION, Template, messages_error, template

HAIKU = "claude-haiku-4-5"
OBJECT = {"type": "object", "properties": {}, "additionalProperties": False}


def judged(model: str = HAIKU, version: str = NEW_VERSION, **params: Any) -> Template:
    """The template of params that every request of a batch shares."""
    return template({"model": model, "max_tokens": 500, **params}, version, batch=True)


def said(**params: Any) -> str:
    """What the API says is wrong; nothing, if it is right."""
    error = judged(**params).error
    return error.error["message"] if error else ""


def asking(schema: Any, **more: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}} | more}


def of(task_: Task, model: str = HAIKU) -> Template:
    """The template of a task's own requests."""
    params = template_for(task_, model).params("-")
    del params["messages"]
    made = template(params, NEW_VERSION, batch=True)
    assert made.error is None
    return made


def row(shared: Template, text: str = "Hello", *rules: RowRule) -> Answer:
    return answer("c", shared, [{"role": "user", "content": text}], list(rules), in_cache=False)


# Schemas of structured outputs.

UNFIT: dict[str, tuple[Any, str]] = {
    "no schema": ("all", "Input should be a json_schema with a schema"),
    "no type": ({}, "type: Input should be one of array, boolean, integer"),
    "an unknown type": ({"type": "text"}, "type: Input should be one of array"),
    "several types": ({"type": ["string", "null"]}, "type: Input should be one of array"),
    "a length": ({"type": "string", "maxLength": 5}, "'string' type, properties maxLength are not"),
    "a pattern": ({"type": "string", "pattern": "a"}, "properties pattern are not supported"),
    "bounds": ({"type": "integer", "minimum": 1, "maximum": 5}, "properties maximum, minimum are"),
    "a number of items": (
        {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "For 'array' type, properties maxItems are not supported",
    ),
    "no repetitions": ({"type": "array", "uniqueItems": True}, "properties uniqueItems are"),
    "one of several": ({"oneOf": [{"type": "null"}], "type": "null"}, "properties oneOf are not"),
    "an open object": ({"type": "object"}, "'additionalProperties' must be explicitly set to"),
    "more properties": (
        OBJECT | {"additionalProperties": {"type": "string"}},
        "'additionalProperties' must be explicitly set to false",
    ),
    "a required one that is none": (OBJECT | {"required": ["a"]}, "required: a not in properties"),
    "nothing to choose from": ({"enum": []}, "enum: must not be empty"),
    "no dictionary": (True, "Input should be"),
}


@pytest.mark.parametrize(("schema", "says"), UNFIT.values(), ids=UNFIT)
def test_a_schema_that_the_api_does_not_take_is_refused(schema: Any, says: str) -> None:
    assert says in said(**asking(schema))


LEVELS = {
    "a property": lambda part: OBJECT | {"properties": {"a": part}},
    "an item": lambda part: {"type": "array", "items": part},
    "a choice": lambda part: {"anyOf": [{"type": "null"}, part]},
    "a part of all": lambda part: {"allOf": [part]},
    "a definition": lambda part: OBJECT | {"$defs": {"a": part}},
    "deep within": lambda part: (
        OBJECT | {"properties": {"a": {"type": "array", "items": OBJECT | {"$defs": {"b": part}}}}}
    ),
}


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize("name", [name for name in UNFIT if name != "no schema"])
def test_a_schema_is_judged_at_every_level(level: Any, name: str) -> None:
    schema, says = UNFIT[name]

    assert says in said(**asking(level(schema)))
    assert said(**asking(level({"type": "string", "description": "a text", "title": "T"}))) == ""


@pytest.mark.parametrize("form", [{"type": "json"}, {"schema": OBJECT}, "json_schema", []])
def test_a_format_that_is_no_schema_is_refused(form: Any) -> None:
    assert "output_config.format: Input should be" in said(output_config={"format": form})


def test_a_schema_costs_tokens_of_its_own() -> None:
    plain, asked = judged(system="Sort it."), judged(system="Sort it.", **asking(OBJECT))

    assert asked.system_tokens > plain.system_tokens + 100


# Answers.


@pytest.mark.parametrize("path", sorted(TASKS.glob("*.toml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("model", [HAIKU, "claude-haiku-5-5"])
def test_every_answer_to_a_shipped_task_is_one_that_it_allows(path: Path, model: str) -> None:
    shipped = load(path.stem)
    shared = of(shipped, model)

    for number in range(200):
        found = row(shared, f"Number {number}: the invoice is wrong")
        assert (found.stop_reason, found.type) == ("end_turn", "succeeded")
        assert shipped.contract.read(str(found.text)), found.text


LABELS = st.lists(st.text("abcdefgh -", min_size=1, max_size=9), min_size=1, max_size=6)
NUMBERS = st.tuples(st.integers(-999, 999), st.integers(-999, 999)).map(sorted)
SIZES = st.integers(1, 60)


def distinct(labels: list[str]) -> list[str]:
    return list({each.strip(): None for each in labels if each.strip()}) or ["a"]


@given(
    LABELS, st.booleans(), LABELS, NUMBERS, NUMBERS.map(lambda two: [abs(n) for n in two]), SIZES
)
def test_an_invented_answer_stays_within_what_is_asked(
    some: list[str],
    unsure: bool,
    others: list[str],
    bounds: list[int],
    items: list[int],
    size: int,
) -> None:
    some, others = distinct(some), distinct(others)
    few, many = sorted(number % 5 for number in items)
    asked = changed(
        max_tokens=5_000,
        output={
            "mood": {"type": "label", "values": some} | ({"unsure": "?"} if unsure else {}),
            "tags": {"type": "labels", "values": others, "max_items": (size % len(others)) + 1},
            "size": {"type": "integer", "minimum": bounds[0], "maximum": bounds[1]},
            "spam": {"type": "boolean"},
            "summary": {"type": "text", "max_characters": size},
            "points": {
                "type": "texts",
                "min_items": few,
                "max_items": max(many, 1),
                "max_characters": size,
            },
        },
    )
    shared = of(asked)

    for text in ("a", "b", "Where is my refund?"):
        found = row(shared, text)
        assert asked.contract.read(str(found.text)), found.text
        assert found.text == row(shared, text).text  # always the same for the same text


def test_inventions_use_what_there_is() -> None:
    found = [json.loads(str(row(of(reviews()), f"Text {n}").text)) for n in range(300)]

    assert {each["status"] for each in found} == {"good", "bad", "unsure"}
    assert {each["size"] for each in found} == set(range(-5, 6))
    assert {each["spam"] for each in found} == {True, False}
    assert {len(each["topics"]) for each in found} == {0, 1, 2}
    assert {len(each["points"]) for each in found} == {1, 2, 3}


@pytest.mark.parametrize(
    "values",
    [("low", "normal", "high"), ("Very good", "not-so good"), ("はい", "いいえ"), ("only",)],
)
def test_a_bare_word_is_one_of_any_list(values: tuple[str, ...]) -> None:
    asked = labelled(*values, max_tokens=100)
    shared = of(asked)
    found = Counter(row(shared, f"Text {number}").text for number in range(100))

    assert shared.labels == values
    assert set(found) == set(values)
    assert all(asked.contract.read(str(text)) for text in found)


def test_a_bare_word_may_be_the_one_that_leaves_it_to_a_person() -> None:
    output = {"urgency": {"type": "label", "values": ["low", "high"], "unsure": "unsure"}}
    shared = of(changed(output=output))

    assert {row(shared, f"Text {n}").text for n in range(100)} == {"low", "high", "unsure"}


def test_labels_with_definitions_are_labels_alone() -> None:
    assert labels_of(task().system_prompt) == CATEGORIES
    assert labels_of("You are a poet.") == ()


def test_the_default_categories_go_by_keywords_in_either_kind_of_answer() -> None:
    both = changed(
        max_tokens=200,
        output={
            "category": task().output["category"].model_dump(),
            "size": {"type": "integer", "minimum": 1, "maximum": 5},
        },
    )

    assert row(of(task()), "I want a refund").text == "billing"
    assert json.loads(str(row(of(both), "I want a refund").text))["category"] == "billing"


# Thinking.


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh", "max"])
def test_between_tools_excludes_the_highest_efforts(effort: str) -> None:
    thinking = {"type": "between_tools"}
    config = {"effort": effort}

    told = said(model="claude-sonnet-5-5", thinking=thinking, output_config=config)

    refused = f"thinking: between_tools is not supported at effort {effort}"
    assert told == (refused if effort in ("xhigh", "max") else "")


@pytest.mark.parametrize("effort", ["xhigh", "max"])
def test_the_highest_efforts_want_thoughts(effort: str) -> None:
    config = {"effort": effort}

    assert f"at effort {effort}" in said(
        model="claude-opus-5", thinking={"type": "disabled"}, output_config=config
    )
    assert said(model="claude-opus-5", output_config=config) == ""


def test_an_effort_beside_a_schema_is_judged_too() -> None:
    told = said(
        model="claude-sonnet-5-5",
        thinking={"type": "between_tools"},
        **asking(OBJECT, effort="max"),
    )

    assert "is not supported at effort max" in told


# The context window.


@pytest.mark.parametrize("model", [HAIKU, "claude-haiku-5-5"])
def test_a_prompt_beyond_the_context_window_is_refused_with_both_numbers(model: str) -> None:
    known = find(model)
    assert known is not None
    fits = row(judged(model), "x" * int(known.max_input_tokens * 2.7))
    letters = 4 * known.max_input_tokens

    found = row(judged(model), "x" * letters)

    assert (fits.type, found.type) == ("succeeded", "errored")
    assert found.error is not None
    asked = found.error["message"].removeprefix("prompt is too long: ").split(" tokens > ")
    assert int(asked[0]) > known.max_input_tokens
    assert asked[1] == f"{known.max_input_tokens} maximum"
    assert found.error["type"] == "invalid_request_error"
    assert (found.input_tokens, found.output_tokens) == (0, 0)


def test_the_system_prompt_and_the_schema_are_in_the_window_too() -> None:
    half = "x" * 400_000

    assert row(judged(system=half), "Hello").type == "succeeded"
    assert row(judged(system=half), half).type == "errored"
    assert row(judged(**asking(OBJECT | {"description": half})), half).type == "errored"


def test_no_rule_sees_a_prompt_that_is_too_long() -> None:
    rule = RowRule({"type": "expired"})

    assert row(judged(), "x" * 800_000, rule).type == "errored"
    assert rule.used == 0


# Marks for the cache.

FIVE, HOUR = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}


def marked(mark: Any) -> dict[str, Any]:
    return {"type": "text", "text": "Hello", "cache_control": mark}


def tool(mark: Any) -> dict[str, Any]:
    return {"name": "look", "input_schema": {"type": "object"}, "cache_control": mark}


def said_of(content: Any, **params: Any) -> str:
    """What is wrong with a request, in its params or in its message."""
    shared = judged(**params)
    error = shared.error or messages_error([{"role": "user", "content": content}], shared)
    return error.error["message"] if error else ""


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ({"type": "for ever"}, ": Input tag found does not match 'ephemeral'"),
        ("ephemeral", ": Input tag found does not match 'ephemeral'"),
        ({"type": "ephemeral", "ttl": "2h"}, ".ephemeral.ttl: Input should be '5m' or '1h'"),
        ({"type": "ephemeral", "scope": 1}, ".ephemeral.scope: Extra inputs are not permitted"),
    ],
)
def test_a_mark_is_judged_wherever_it_is(mark: Any, says: str) -> None:
    assert said_of("Hello", tools=[tool(mark)]) == f"tools.0.cache_control{says}"
    assert said_of("Hello", system=[marked(mark)]) == f"system.0.cache_control{says}"
    assert said_of([marked(None), marked(mark)]) == f"messages.0.content.1.cache_control{says}"
    assert said_of("Hello", cache_control=mark) == f"cache_control{says}"


@pytest.mark.parametrize("mark", [FIVE, HOUR, {"type": "ephemeral", "ttl": "5m"}, None])
def test_a_mark_that_is_right_is_taken_wherever_it_is(mark: Any) -> None:
    assert said_of("Hello", tools=[tool(mark)]) == ""
    assert said_of("Hello", system=[marked(mark)]) == ""
    assert said_of([marked(mark)]) == ""
    assert said_of("Hello", cache_control=mark) == ""


def test_the_longer_life_comes_first_over_tools_system_and_messages() -> None:
    after = "a ttl='1h' cache_control block must not come after a ttl='5m'"

    assert after in said_of("Hello", tools=[tool(FIVE)], system=[marked(HOUR)])
    assert after in said_of([marked(HOUR)], system=[marked(FIVE)])
    assert after in said_of([marked(FIVE), marked(HOUR)])
    assert after in said_of([marked(FIVE)], cache_control=HOUR)
    assert said_of([marked(FIVE)], tools=[tool(HOUR)], system=[marked(HOUR)]) == ""


def test_four_marks_are_the_most_of_the_whole_request() -> None:
    three = [tool(HOUR), tool(HOUR)], [marked(HOUR)]

    assert said_of([marked(HOUR)], tools=three[0], system=three[1]) == ""
    assert "Found 5." in said_of([marked(HOUR)] * 2, tools=three[0], system=three[1])
    assert "Found 5." in said_of(
        [marked(HOUR)], tools=three[0], system=three[1], cache_control=HOUR
    )


def test_only_the_system_prompt_is_kept() -> None:
    long = "x" * 100_000
    kept = judged(system=[marked(HOUR) | {"text": long}])

    assert kept.cached_tokens > 20_000
    assert row(judged(system=long), "Hello").cache_write_tokens == 0
    found = answer("c", judged(), [{"role": "user", "content": [marked(HOUR)]}], [], in_cache=False)
    assert (found.type, found.cache_write_tokens, found.cache_read_tokens) == ("succeeded", 0, 0)


def test_every_model_is_found_by_its_alias_and_its_id() -> None:
    assert all(find(name) is model for name, model in MODELS.items())
