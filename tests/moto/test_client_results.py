"""Results as they come over the wire: lines are lines, and a stream that ends is told from one
that stops."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from nightshift.claude import client as claude_module
from nightshift.claude.client import Claude
from nightshift.errors import BatchNotFound, ClaudeUnavailable
from tests.moto.body import IDS, Body
from tools.local.claude_standin import Life, StandIn, running


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with running(life=Life(seconds=0)) as server:
        yield server


@pytest.fixture
def claude(standin: StandIn) -> Iterator[Claude]:
    yield Claude(standin.url, lambda fresh: standin.api_key)
    standin.control.clear()


@pytest.fixture
def impatient(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> Claude:
    """One that waits half a second for the next bytes."""
    monkeypatch.setattr(claude_module, "_READ_TIMEOUT", 0.5)
    return Claude(standin.url, lambda fresh: standin.api_key)


def names(claude: Claude, batch_id: str) -> list[str]:
    return sorted(json.loads(line)["custom_id"] for line in claude.result_lines(batch_id))


@pytest.mark.parametrize("end", ["cut", "short", "reset"])
@pytest.mark.parametrize("within_line", [False, True])
def test_a_stream_that_breaks_off_is_unavailable(
    standin: StandIn, claude: Claude, end: str, within_line: bool
) -> None:
    batch_id = claude.create(Body()).batch_id
    stream = {"end": end, "after": 5, "within_line": within_line}
    standin.control.add_faults({"on": "results", "do": {"stream": stream}})
    lines: list[bytes] = []

    with pytest.raises(ClaudeUnavailable, match=batch_id):
        lines.extend(claude.result_lines(batch_id))

    assert names(claude, batch_id) == sorted(IDS)


@pytest.mark.parametrize("within_line", [False, True])
def test_a_stream_that_falls_silent_is_unavailable(
    standin: StandIn, claude: Claude, impatient: Claude, within_line: bool
) -> None:
    batch_id = claude.create(Body()).batch_id
    stream = {"end": "stall", "after": 5, "within_line": within_line}
    standin.control.add_faults({"on": "results", "do": {"stream": stream}})

    with pytest.raises(ClaudeUnavailable):
        list(impatient.result_lines(batch_id))


def test_only_counting_finds_out_that_a_closed_stream_was_cut(
    standin: StandIn, claude: Claude
) -> None:
    batch_id = claude.create(Body()).batch_id
    standin.control.add_faults(
        {"on": "results", "do": {"stream": {"end": "close", "after": 5, "within_line": False}}}
    )

    assert len(names(claude, batch_id)) == 5


@pytest.mark.parametrize("end", ["cut", "short", "close"])
def test_a_stream_that_ends_before_its_first_line_is_no_empty_result(
    standin: StandIn, claude: Claude, end: str
) -> None:
    batch_id = claude.create(Body()).batch_id
    standin.control.add_faults({"on": "results", "do": {"stream": {"end": end, "after": 0}}})

    with pytest.raises(ClaudeUnavailable):
        names(claude, batch_id)


@pytest.mark.parametrize("odd", [{"garbage": 1, "at": 0}, {"blank": 1, "at": 0, "crlf": True}])
def test_an_odd_first_line_takes_no_other_line_away(
    standin: StandIn, claude: Claude, odd: dict[str, Any]
) -> None:
    batch_id = claude.create(Body()).batch_id
    standin.control.add_faults({"on": "results", "do": {"lines": odd}})

    lines = list(claude.result_lines(batch_id))

    whole = [line for line in lines if line.strip().endswith(b"}")]
    assert sorted(json.loads(line)["custom_id"] for line in whole) == sorted(IDS)


def test_line_separators_within_a_text_end_no_line(standin: StandIn, claude: Claude) -> None:
    text = "a\u2028b\u2029c\x85d\x0be"
    standin.control.add_rows({"outcome": {"type": "succeeded", "text": text}})
    batch_id = claude.create(Body()).batch_id

    lines = [json.loads(line) for line in claude.result_lines(batch_id)]

    assert {line["result"]["message"]["content"][0]["text"] for line in lines} == {text}
    assert len(lines) == len(IDS)


@pytest.mark.parametrize("odd", [{"blank": 3}, {"crlf": True}])
def test_blank_lines_and_carriage_returns_are_nothing(
    standin: StandIn, claude: Claude, odd: dict[str, Any]
) -> None:
    batch_id = claude.create(Body()).batch_id
    standin.control.add_faults({"on": "results", "do": {"lines": odd}})

    assert names(claude, batch_id) == sorted(IDS)


def test_results_that_are_not_there_yet_are_not_found(standin: StandIn, claude: Claude) -> None:
    standin.control.set_life(seconds=0, missing_looks_after_end=2)
    batch_id = claude.create(Body()).batch_id
    standin.control.set_life(seconds=0, missing_looks_after_end=0)
    tries = count()

    while True:
        try:
            found = names(claude, batch_id)
        except BatchNotFound:
            assert next(tries) < 5
        else:
            break

    assert found == sorted(IDS)
    assert next(tries) > 0
