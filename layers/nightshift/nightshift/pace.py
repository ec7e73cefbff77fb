"""How fast to write: faster while nothing is throttled, half as fast when something is."""

from dataclasses import dataclass, field
from threading import Lock
from time import monotonic, sleep

# DynamoDB takes about 1,000 writes a second on one index key, and all our writes touch the
# key `pending`; the helpdesk writes there too (docs.aws.amazon.com, partition limits, 2026-11).
START, SLOWEST, FASTEST = 500.0, 25.0, 20_000.0
# Fast until the first throttle shows where the limit is, then carefully along it.
_FIRST_GROWTH, _GROWTH = 1.1, 1.02


@dataclass
class Pace:
    """Writes a second, shared by the threads of one function."""

    rate: float = START
    growth: float = _FIRST_GROWTH
    _next: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def take(self, writes: int) -> None:
        """Wait until so many writes are due."""
        with self._lock:
            due = max(self._next, monotonic())
            self._next = due + writes / self.rate
        wait = due - monotonic()
        if wait > 0:
            sleep(wait)

    def learn(self, throttled: bool) -> None:
        """Adapt to what the last call met."""
        with self._lock:
            if throttled:
                self.growth = _GROWTH
            factor = 0.5 if throttled else self.growth
            self.rate = min(FASTEST, max(SLOWEST, self.rate * factor))
