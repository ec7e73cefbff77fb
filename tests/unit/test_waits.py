"""A turn grows with the age of what is open, so that no night fills an execution's history."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.runs.records import Batch
from nightshift.waits import until_next_poll

NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)
HOUR = 3_600
OPEN = Batch(
    run_id="2026-11-22",
    record="batch#0001",
    token="tok-en_1",
    state="open",
    round=1,
    execution="me",
    model="claude-haiku-4-5",
    first="a",
    last="z",
    requests=1,
    bound=Decimal(1),
    intent_at=NOW,
    batch_id="msgbatch_1",
    created_at=NOW,
)
# History events: Wait 2, Task 5, Choice 2 (docs.aws.amazon.com, HistoryEvent, 2026-11).
WAIT, TASK, CHOICE = 2, 5, 2
TURN = WAIT + TASK + CHOICE
SUBMIT = TASK + CHOICE
# A map's own four, and for one batch: two of its iteration, Collect batch, a choice, its end.
COLLECT_ONE = 4 + 2 + TASK + CHOICE + 2
MOST_EVENTS = 25_000


def seconds(*ages: float, poll_seconds: int = 60) -> int:
    """How long a turn is while batches of these ages are open."""
    batches = [replace(OPEN, created_at=NOW - timedelta(seconds=age)) for age in ages]
    return until_next_poll(batches, NOW, poll_seconds)


def turns(total: int, poll_seconds: int = 60) -> int:
    """How many turns a batch takes that ends after so many seconds."""
    age, count = 0, 0
    while age < total:
        age += seconds(age, poll_seconds=poll_seconds)
        count += 1
    return count


@pytest.mark.parametrize(
    ("age", "turn"),
    [(0, 60), (599, 60), (610, 61), (HOUR, 360), (9_000, 900), (10_000, 900), (24 * HOUR, 900)],
)
def test_a_turn_is_a_tenth_of_the_age_within_bounds(age: int, turn: int) -> None:
    assert seconds(age) == turn


@given(st.floats(0, 30 * 24 * HOUR), st.integers(60, 900))
def test_no_turn_is_shorter_than_was_asked_or_longer_than_a_quarter_of_an_hour(
    age: float, poll_seconds: int
) -> None:
    assert poll_seconds <= seconds(age, poll_seconds=poll_seconds) <= 900


def test_the_oldest_open_batch_decides() -> None:
    assert seconds(0, HOUR, 100) == 360


def test_with_nothing_open_a_turn_is_the_shortest() -> None:
    assert seconds() == 60


def test_a_batch_whose_age_is_unknown_or_in_the_future_is_new() -> None:
    assert until_next_poll([replace(OPEN, created_at=None)], NOW, 60) == 60
    assert seconds(-1_000) == 60


def test_a_batch_of_24_hours_takes_about_125_turns() -> None:
    assert 120 <= turns(24 * HOUR) <= 130


def test_a_batch_of_an_hour_is_noticed_within_six_minutes_of_its_end() -> None:
    assert seconds(HOUR) <= 6 * 60


def test_the_turns_of_three_rounds_that_expire_stay_under_4_000_events() -> None:
    assert 3 * turns(24 * HOUR) * TURN < 4_000


def test_three_rounds_of_50_batches_that_expire_stay_under_the_limit_of_events() -> None:
    one_after_another = 50 * (SUBMIT + COLLECT_ONE + SUBMIT)

    assert 3 * (turns(24 * HOUR) * TURN + one_after_another) < MOST_EVENTS / 2


def test_a_day_of_waiting_that_asks_submit_in_every_turn_stays_under_the_limit() -> None:
    # More to send, but no budget until something ends: each turn passes through submit.
    assert 4 * turns(24 * HOUR) * (TURN + SUBMIT) < MOST_EVENTS / 2


def test_a_batch_that_was_set_aside_is_looked_at_and_not_waited_for() -> None:
    old = NOW - timedelta(seconds=20 * HOUR)
    aside = replace(OPEN, created_at=old, aside_by="an earlier execution")

    assert until_next_poll([aside], NOW, 60) == 60
    assert until_next_poll([aside, replace(OPEN, created_at=old)], NOW, 60) == 900
