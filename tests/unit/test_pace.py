"""Writes a second: fast until something is throttled, then carefully."""

import pytest

from nightshift import pace as pace_module
from nightshift.pace import FASTEST, SLOWEST, START, Pace, pause

WRITES = 25


class Clock:
    """Time that passes only while somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace_module, "monotonic", clock.monotonic)
    monkeypatch.setattr(pace_module, "sleep", clock.sleep)
    return clock


def write(pace: Pace, clock: Clock, calls: int, *, seconds: float = 0.0) -> None:
    """So many calls, each of which takes so many seconds and meets no throttle."""
    for _ in range(calls):
        pace.take(WRITES)
        clock.now += seconds
        pace.learn(throttled=False)


def test_the_pace_starts_below_what_one_index_key_takes_and_soon_reaches_it(clock: Clock) -> None:
    pace = Pace()

    write(pace, clock, 9)

    assert START < 1_000 < pace.rate < 1_200


def test_writes_keep_the_pace(clock: Clock) -> None:
    pace, began = Pace(rate=1_000), clock.now

    for _ in range(11):
        pace.take(WRITES)

    assert clock.now - began == pytest.approx(10 * WRITES / 1_000)


def test_a_pace_that_nobody_keeps_up_with_does_not_grow(clock: Clock) -> None:
    pace = Pace()

    write(pace, clock, 200, seconds=WRITES / 2_000)

    assert 2_000 < pace.rate < 2_500
    pace.learn(throttled=True)
    assert pace.rate < 1_250


def test_a_throttle_halves_the_pace_and_makes_it_careful(clock: Clock) -> None:
    pace = Pace(rate=1_000)

    pace.learn(throttled=True)
    halved = pace.rate
    write(pace, clock, 21)

    assert halved == 500
    assert 700 < pace.rate < 800


def test_the_pace_keeps_within_its_bounds(clock: Clock) -> None:
    fast, slow = Pace(), Pace()

    write(fast, clock, 200)
    for _ in range(100):
        slow.learn(throttled=True)

    assert fast.rate == FASTEST
    assert slow.rate == SLOWEST


def test_pauses_double_up_to_some_seconds(clock: Clock) -> None:
    longest = [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]

    for number, seconds in enumerate(longest, start=1):
        began = clock.now
        pause(number)
        assert seconds / 2 <= clock.now - began <= seconds
