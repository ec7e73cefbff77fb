"""Writes a second: fast until something is throttled, then carefully."""

import pytest

from nightshift.pace import FASTEST, SLOWEST, START, Pace


def test_the_pace_starts_below_what_one_index_key_takes_and_soon_reaches_it() -> None:
    pace = Pace()

    for _ in range(8):
        pace.learn(throttled=False)

    assert START < 1_000 < pace.rate < 1_200


def test_a_throttle_halves_the_pace_and_makes_it_careful() -> None:
    pace = Pace(rate=1_000)

    pace.learn(throttled=True)
    halved = pace.rate
    for _ in range(20):
        pace.learn(throttled=False)

    assert halved == 500
    assert 700 < pace.rate < 800


@pytest.mark.parametrize(("throttled", "end"), [(True, SLOWEST), (False, FASTEST)])
def test_the_pace_keeps_within_its_bounds(throttled: bool, end: float) -> None:
    pace = Pace()

    for _ in range(100):
        pace.learn(throttled)

    assert pace.rate == end
