"""Writes a second: fast until something is throttled, then carefully along the limit."""

import heapq
from collections.abc import Callable, Iterator

import pytest

from nightshift import pace as pace_module
from nightshift.pace import FASTEST, SLOWEST, START, Pace, pause

WRITES = 25
THREADS = 4
CALL_SECONDS = 0.008


class Clock:
    """Time that passes only while somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Index:
    """One key of an index, which takes 1,000 writes a second and a quarter of that at once."""

    LIMIT, BURST = 1_000, 250

    def __init__(self) -> None:
        self.tokens, self.at = 0.0, 0.0
        self.written = self.throttled = 0

    def write(self, now: float) -> bool:
        """Write a group; whether some of it was throttled."""
        self.tokens = min(self.BURST, self.tokens + (now - self.at) * self.LIMIT)
        self.at = now
        taken = min(WRITES, int(self.tokens))
        self.tokens -= taken
        self.written += taken
        self.throttled += WRITES - taken
        return taken < WRITES


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


def thread(pace: Pace, clock: Clock, index: Index) -> Iterator[float]:
    """A thread that writes without end; yields until when it waits."""
    while True:
        halvings = pace.take(WRITES)
        yield clock.now
        throttled = index.write(clock.now)
        yield clock.now + CALL_SECONDS
        if throttled:
            pace.slow_down(halvings)


def play(clock: Clock, functions: int, seconds: float) -> Index:
    """So many functions write to one key, with all their threads, in the order of time."""
    index = Index()
    paces = [Pace() for _ in range(functions)]
    threads = [thread(pace, clock, index) for pace in paces for _ in range(THREADS)]
    index.at, end = clock.now, clock.now + seconds
    waiting = [(clock.now, number) for number in range(len(threads))]
    while waiting[0][0] < end:
        clock.now, number = heapq.heappop(waiting)
        heapq.heappush(waiting, (next(threads[number]), number))
    return index


@pytest.mark.parametrize(("functions", "share"), [(1, 0.65), (4, 0.9)])
def test_the_pace_stays_along_the_limit(clock: Clock, functions: int, share: float) -> None:
    index = play(clock, functions, seconds=300)

    assert index.written > share * 300 * Index.LIMIT
    assert index.throttled < 0.05 * index.written


def test_the_pace_starts_below_what_one_index_key_takes_and_soon_reaches_it(clock: Clock) -> None:
    pace, began = Pace(), clock.now

    write(pace, clock, 10)

    assert START < 1_000 < pace.rate < 1_300
    assert clock.now - began < 0.4


def test_writes_keep_the_pace(clock: Clock) -> None:
    pace, began = Pace(rate=FASTEST), clock.now

    write(pace, clock, 11)

    assert clock.now - began == pytest.approx(10 * WRITES / FASTEST)


def test_a_pace_that_nobody_keeps_up_with_does_not_grow(clock: Clock) -> None:
    pace = Pace()

    write(pace, clock, 200, seconds=WRITES / 2_000)

    assert 1_900 < pace.rate < 2_100


def test_a_throttle_halves_the_pace_and_makes_it_careful(clock: Clock) -> None:
    pace = Pace(rate=1_000)

    pace.slow_down(pace.take(WRITES))
    halved, began = pace.rate, clock.now
    write(pace, clock, 50)

    assert halved == 500
    assert pace.rate - halved == pytest.approx(50 * (clock.now - began), rel=0.1)


def test_what_was_under_way_when_the_pace_was_halved_does_not_halve_it_again(clock: Clock) -> None:
    pace = Pace(rate=1_000)
    under_way = [pace.take(WRITES) for _ in range(THREADS)]
    pace.rate = 1_000

    for halvings in under_way:
        pace.slow_down(halvings)
    once = pace.rate
    pace.slow_down(pace.take(WRITES))

    assert once == 500
    assert pace.rate < 260


def test_the_pace_keeps_within_its_bounds(clock: Clock) -> None:
    fast, slow = Pace(), Pace()

    write(fast, clock, 1_000)
    for _ in range(100):
        slow.slow_down(slow.halvings)

    assert fast.rate == FASTEST
    assert slow.rate == SLOWEST


@pytest.mark.parametrize(("draw", "share"), [(min, 0.5), (max, 1.0)])
def test_pauses_double_up_to_some_seconds_and_differ_by_half(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    draw: Callable[[float, float], float],
    share: float,
) -> None:
    monkeypatch.setattr(pace_module, "uniform", draw)
    longest = [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]

    for number, seconds in enumerate(longest, start=1):
        began = clock.now
        pause(number)
        assert clock.now - began == pytest.approx(share * seconds)
