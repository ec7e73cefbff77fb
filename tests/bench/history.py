"""How long the story of a night is: real calls, played in the crash proof's world."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.bench.stage import template_defaults
from tests.bench.story import MOST_BYTES, Story
from tests.bench.subject import Subject, Target
from tests.crash.stack import Stack
from tests.crash_proof.driver import Execution
from tests.crash_proof.world import DAWN, workshop
from tests.definitions import MOST_EVENTS
from tools.local.claude_standin.batches import Life

HOUR = 3_600.0
NEVER_DONE = Life(seconds=7 * 24 * HOUR)  # so Claude cuts it after 24 hours
BATCHES, ROUNDS = 50, 3


@dataclass
class Told(Execution):
    """An execution whose story is kept."""

    story: Story = field(default_factory=Story)

    def _task(self, function: str, event: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
        called_at = self.world.now - DAWN
        answer = yield from super()._task(function, event)
        self.story.note(function, called_at, answer)
        return answer


def played(batches: int, hours: float) -> Story:
    """A night whose batches end one by one over so many hours."""
    with _night(batches) as night:
        claude = night.world.claude
        night.run(until=lambda: len(claude.everything()) == batches)
        for number, batch in enumerate(claude.everything(), 1):
            batch.ends_at, batch.cut = DAWN + hours * HOUR * number / batches, None
        return _finished(night).story


def expired(batches: int = BATCHES) -> Told:
    """A run whose batches all expire after 24 hours, in each of its rounds."""
    with _night(batches) as night:
        _finished(night)
        assert len(night.story.called["collect"]) == batches * ROUNDS
        return night


@contextmanager
def _night(batches: int) -> Iterator[Told]:
    """A batch has one ticket here: how many it has changes neither events nor states."""
    with workshop({}) as ours:
        settings = {"max_requests_per_batch": 1, "max_attempts": ROUNDS}
        settings["poll_seconds"] = template_defaults()["poll_seconds"]
        stack = Stack.on(ours, NEVER_DONE, **settings)
        stack.put(*(f"{number:05}" for number in range(batches)))
        yield Told(stack.world, "arn:night", {}, DAWN)


def _finished(night: Told) -> Told:
    night.run()
    assert night.report, night.error
    return night


def measure() -> list[Subject]:
    night = expired()
    story = night.story
    rows = [
        [
            f"{ROUNDS} rounds that all expire, {BATCHES} batches",
            f"{(night.world.now - DAWN) / HOUR:.1f}",
            f"{len(story.called['status']):,}",
            f"{story.transitions:,}",
            f"{story.events:,}",
            f"{story.largest / 1024:.1f}",
        ]
    ]
    target = Target(
        f"{ROUNDS} rounds that all expire, {BATCHES} batches",
        "< 25,000 events, < 256 KiB",
        f"{story.events:,} events, {story.largest / 1024:.1f} KiB",
        story.events < MOST_EVENTS and story.largest < MOST_BYTES,
    )
    columns = ["run", "hours", "status calls", "transitions", "events", "largest state, KiB"]
    numbers = {
        "transitions": story.transitions,
        "events": story.events,
        "largest_bytes": story.largest,
    }
    return [Subject("Workflow", columns, rows, (), [target], {"history": numbers})]
