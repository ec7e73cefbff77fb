"""How long the story of a night is: real calls, played in the crash proof's world.

Step Functions keeps at most 25,000 events of an execution and 256 KiB of a state's data, and
bills each state that is entered (docs.aws.amazon.com, Step Functions quotas and pricing, 2026-11).
"""

import json
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.bench.stage import template_defaults
from tests.bench.subject import Subject, Target
from tests.crash.stack import Stack
from tests.crash_proof.driver import Execution
from tests.crash_proof.world import DAWN, workshop
from tests.definitions import EVENTS, ITERATION, MOST_EVENTS, events
from tools.local.claude_standin.batches import Life

MOST_BYTES = 256 * 1024
HOUR = 3_600.0
NEVER_DONE = Life(seconds=7 * 24 * HOUR)  # so Claude cuts it after 24 hours
BATCHES, ROUNDS = 50, 3
# What each call of a function leads through, and the end of a good night.
PATHS = {
    "submit": ("Submit batches", "What comes next?"),
    "status": ("Wait for batches", "Check status", "Has a batch ended?"),
    "collect": ("Collect batch", "Is all collected?", "Batch collected"),
}
END = ("Report the night", "Was it a good night?", "Good night")
STARTED_AND_ENDED = 2


@dataclass
class Counted(Execution):
    """An execution that notes what Step Functions would keep of it."""

    called: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When each function was called, in seconds of the night."""
    maps: int = 0
    largest: int = 0
    """Bytes of the largest state."""

    def _task(self, function: str, event: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
        self.called[function].append(self.world.now - DAWN)
        answer = yield from super()._task(function, event)
        self._weigh(answer)
        if answer["next"] == "collect":
            self.maps += 1
            given = {"run_id": answer["run_id"], "next": "done"}
            self._weigh([{**given, "record": record} for record in answer["ended"]])
        return answer

    def _weigh(self, state: Any) -> None:
        self.largest = max(self.largest, len(json.dumps(state)))

    @property
    def transitions(self) -> int:
        calls = sum(len(PATHS[name]) * len(times) for name, times in self.called.items())
        return calls + self.maps + len(END)

    @property
    def events(self) -> int:
        calls = sum(events(*PATHS[name]) * len(times) for name, times in self.called.items())
        maps = EVENTS["Map"] * self.maps + ITERATION * len(self.called["collect"])
        return STARTED_AND_ENDED + calls + maps + events(*END)


def played(batches: int, hours: float) -> Counted:
    """A night whose batches end one by one over so many hours."""
    with _night(batches) as night:
        claude = night.world.claude
        night.run(until=lambda: len(claude.everything()) == batches)
        for number, batch in enumerate(claude.everything(), 1):
            batch.ends_at, batch.cut = DAWN + hours * HOUR * number / batches, None
        return _finished(night)


def expired(batches: int = BATCHES) -> Counted:
    """A run whose batches all expire after 24 hours, in each of its rounds."""
    with _night(batches) as night:
        _finished(night)
        assert len(night.called["collect"]) == batches * ROUNDS
        return night


@contextmanager
def _night(batches: int) -> Iterator[Counted]:
    """A batch has one ticket here: how many it has changes neither events nor states."""
    with workshop({}) as ours:
        settings = {"max_requests_per_batch": 1, "max_attempts": ROUNDS}
        settings["poll_seconds"] = template_defaults()["poll_seconds"]
        stack = Stack.on(ours, NEVER_DONE, **settings)
        stack.put(*(f"{number:05}" for number in range(batches)))
        yield Counted(stack.world, "arn:night", {}, DAWN)


def _finished(night: Counted) -> Counted:
    night.run()
    assert night.report, night.error
    return night


def measure() -> list[Subject]:
    night = expired()
    rows = [
        [
            f"{ROUNDS} rounds that all expire, {BATCHES} batches",
            f"{(night.world.now - DAWN) / HOUR:.1f}",
            f"{len(night.called['status']):,}",
            f"{night.transitions:,}",
            f"{night.events:,}",
            f"{night.largest / 1024:.1f}",
        ]
    ]
    target = Target(
        f"{ROUNDS} rounds that all expire, {BATCHES} batches",
        "< 25,000 events, < 256 KiB",
        f"{night.events:,} events, {night.largest / 1024:.1f} KiB",
        night.events < MOST_EVENTS and night.largest < MOST_BYTES,
    )
    columns = ["run", "hours", "status calls", "transitions", "events", "largest state, KiB"]
    numbers = {
        "transitions": night.transitions,
        "events": night.events,
        "largest_bytes": night.largest,
    }
    return [Subject("Workflow", columns, rows, (), [target], {"history": numbers})]
