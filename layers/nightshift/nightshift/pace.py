"""The rate of writes to DynamoDB: grows while the limiter delays writes, halves on a throttle."""

from dataclasses import dataclass, field
from random import uniform
from threading import Lock
from time import monotonic, sleep

# DynamoDB takes about 1,000 writes a second on one index key, and all our writes touch the
# key `pending`; the helpdesk writes there too (docs.aws.amazon.com, partition limits, 2026-11).
START, SLOWEST, FASTEST = 500.0, 25.0, 20_000.0
# Until the first throttle shows where the limit is, the rate doubles in a quarter of a second; then
# it grows by so many writes a second in each second.
_FIRST_GROWTH, _GROWTH = 3.0, 50.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@dataclass
class Pace:
    """Writes a second, shared by the threads of one function; others at work have their own."""

    rate: float = START
    halvings: int = 0
    _next: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def take(self, writes: int) -> int:
        """Wait until so many writes are due; returns how often the rate had been halved by then.

        The rate grows only when the limiter delayed the caller.
        """
        with self._lock:
            now, halvings = monotonic(), self.halvings
            due = max(self._next, now)
            if due > now:
                self.rate = min(FASTEST, self.rate + self._growth(writes))
            self._next = due + writes / self.rate
        if due > now:
            sleep(due - now)
        return halvings

    def slow_down(self, halvings: int) -> None:
        """A call that began after so many halvings was throttled.

        A throttle of a call that began before the last halving does not halve the rate again.
        """
        with self._lock:
            if halvings == self.halvings:
                self.halvings += 1
                self.rate = max(SLOWEST, self.rate / 2)

    def _growth(self, writes: int) -> float:
        """How much the rate grows in the time of so many writes."""
        return writes * _GROWTH / self.rate if self.halvings else writes * _FIRST_GROWTH


def pause(in_vain: int) -> None:
    """Sleep after so many throttled calls in a row, twice as long each time."""
    sleep(min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2 ** min(in_vain, 10)) * uniform(0.5, 1))
