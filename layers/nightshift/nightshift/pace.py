"""How fast to write: faster while that is what binds, half as fast when something is throttled."""

from dataclasses import dataclass, field
from random import uniform
from threading import Lock
from time import monotonic, sleep

# DynamoDB takes about 1,000 writes a second on one index key, and all our writes touch the
# key `pending`; the helpdesk writes there too (docs.aws.amazon.com, partition limits, 2026-11).
START, SLOWEST, FASTEST = 500.0, 25.0, 20_000.0
# Fast until the first throttle shows where the limit is, then carefully along it.
_FIRST_GROWTH, _GROWTH = 1.1, 1.02
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@dataclass
class Pace:
    """Writes a second, shared by the threads of one function; others at work have their own."""

    rate: float = START
    growth: float = _FIRST_GROWTH
    _binds: bool = False
    _next: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def take(self, writes: int) -> None:
        """Wait until so many writes are due."""
        with self._lock:
            now = monotonic()
            due = max(self._next, now)
            self._next = due + writes / self.rate
            self._binds = due > now
        if due > now:
            sleep(due - now)

    def learn(self, throttled: bool) -> None:
        """Adapt to what the last call met. A pace that nobody keeps up with stays as it is: what
        is halved must be what was written."""
        with self._lock:
            if throttled:
                self.growth = _GROWTH
                self.rate = max(SLOWEST, self.rate * 0.5)
            elif self._binds:
                self.rate = min(FASTEST, self.rate * self.growth)


def pause(in_vain: int) -> None:
    """After so many calls in a row of which DynamoDB has done nothing: twice as long each time."""
    sleep(min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2 ** min(in_vain, 10)) * uniform(0.5, 1))
