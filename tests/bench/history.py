"""How long the story of a night is: the workflow's own definition, walked with a clock of ours.

Step Functions keeps at most 25,000 events of an execution and 256 KiB of a state's data, and
bills each state that is entered (docs.aws.amazon.com, Step Functions quotas and pricing, 2026-11).
"""

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

import yaml
from jsonata import Jsonata

from nightshift.ending import mail, report
from nightshift.runs import ledger
from nightshift.waits import until_next_poll
from tests.bench import REPOSITORY
from tests.bench.stage import template_defaults
from tests.bench.subject import Subject, Target

MOST_EVENTS, MOST_BYTES = 25_000, 256 * 1024
# Entered and exited; a task is also scheduled, started and succeeds, a map starts and succeeds.
EVENTS = {"Task": 5, "Wait": 2, "Choice": 2, "Pass": 2, "Succeed": 2, "Map": 4}
ITERATION_EVENTS = EXECUTION_EVENTS = 2
SUBMIT_SECONDS = 10.0
HOUR, DAY = 3_600.0, 86_400.0


@dataclass
class Night:
    """What the functions answer in a night whose rounds take so many seconds each.

    The batches of a round end one by one, evenly spread, or each so many seconds after its start.
    """

    batches: int
    seconds: float
    rounds: int = 1
    together: bool = False
    clock: float = 0.0
    round: int = 1
    round_began: float = 0.0
    created: list[tuple[float, float]] = field(default_factory=list)
    collected: set[int] = field(default_factory=set)

    def answer(self, state: str, given: Any) -> Any:
        if state == "Submit batches":
            return self._submit()
        if state == "Check status":
            return self._status()
        if state == "Collect batch":
            self.collected.add(int(given["record"].removeprefix("batch#")) - 1)
            return {"run_id": given["run_id"], "record": given["record"], "next": "done"}
        return given

    def _submit(self) -> Any:
        if len(self.created) == self.round * self.batches:
            if self._open():
                return self._turn() | {"next": "wait", "more": False}
            if self.round == self.rounds:
                return self._report()
            self.round += 1
            self.round_began = self.clock
        self.clock += SUBMIT_SECONDS
        place = len(self.created) % self.batches + 1
        ends = self.round_began + place * self.seconds / self.batches
        if self.together:
            ends = self.clock + self.seconds
        self.created.append((self.clock, ends))
        return {"next": "submit", "run_id": "2026-11-22"}

    def _status(self) -> Any:
        ended = [number for number in self._open() if self.created[number][1] <= self.clock]
        return self._turn() | {
            "next": "collect" if ended else "wait",
            "ended": [f"batch#{number + 1:04}" for number in ended],
            "open": len(self._open()),
            "more": False,
        }

    def _turn(self) -> Any:
        now = datetime.now(UTC)
        ages = [timedelta(seconds=self.clock - self.created[number][0]) for number in self._open()]
        waiting: Any = [SimpleNamespace(created_at=now - age, set_aside=False) for age in ages]
        seconds = until_next_poll(waiting, datetime.now(UTC), template_defaults()["poll_seconds"])
        return {"run_id": "2026-11-22", "wait_seconds": seconds}

    def _report(self) -> Any:
        flat = report.flat(
            ledger.Run("2026-11-22"), report.Ending("complete"), 0, datetime.now(UTC)
        )
        step = {"next": "report", "run_id": "2026-11-22", "report": flat, "tell": True}
        return step | {"text": mail.verdict(flat), "notices": [], "problem": None}

    def _open(self) -> list[int]:
        return [number for number in range(len(self.created)) if number not in self.collected]


@dataclass
class Walk:
    """A walk through a definition: what it leaves behind."""

    night: Night
    events: int = EXECUTION_EVENTS
    entered: Counter[str] = field(default_factory=Counter)
    called: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When each task was called, in seconds of the night."""
    largest: int = 0

    def through(self, machine: Any, given: Any) -> Any:
        """Follow the states from the first to an end; returns the last one's output."""
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            self.entered[name] += 1
            self.events += EVENTS[state["Type"]]
            given, following = self._step(name, state, given)
            self.largest = max(self.largest, len(json.dumps(given)))
            if following is None:
                return given
            name = following

    @property
    def transitions(self) -> int:
        return self.entered.total()

    def _step(self, name: str, state: Any, given: Any) -> tuple[Any, str | None]:
        following = state.get("Next")
        match state["Type"]:
            case "Task":
                self.called[name].append(self.night.clock)
                return self.night.answer(name, given), following
            case "Wait":
                self.night.clock += given["wait_seconds"]
            case "Choice":
                chosen = (c["Next"] for c in state["Choices"] if _true(c["Condition"], given))
                return given, next(chosen, state["Default"])
            case "Map":
                self._map(state, given)
                return {}, following
            case "Pass":
                return given["report"], following
        return given, following

    def _map(self, state: Any, given: Any) -> None:
        outputs = []
        for record in given["ended"]:
            self.events += ITERATION_EVENTS
            item = {"run_id": given["run_id"], "record": record}
            outputs.append(self.through(state["ItemProcessor"], item))
        self.largest = max(self.largest, len(json.dumps(outputs)))


@cache
def definition() -> Any:
    return yaml.safe_load((REPOSITORY / "workflow.asl.yaml").read_text())


@cache
def _compiled(condition: str) -> Jsonata:
    return Jsonata(condition.removeprefix("{%").removesuffix("%}"))


def _true(condition: str, given: Any) -> bool:
    expression = _compiled(condition)
    frame = expression.create_frame()
    frame.bind("states", {"input": given})
    return expression.evaluate(None, frame) is True


def walked(batches: int, seconds: float, rounds: int = 1, together: bool = False) -> Walk:
    """A night whose batches end one by one over so many seconds, or all at the end of them."""
    walk = Walk(Night(batches, seconds, rounds, together))
    walk.through(definition(), {})
    return walk


def measure() -> list[Subject]:
    nights = {
        "1 hour, 50 batches": walked(50, HOUR),
        "24 hours, 50 batches": walked(50, DAY),
        "3 rounds that all expire, 50 batches": walked(50, DAY, rounds=3, together=True),
        "3 rounds of 24 hours, each of 50 batches ends alone": walked(50, DAY, rounds=3),
    }
    rows = [
        [
            name,
            f"{walk.night.clock / HOUR:.1f}",
            f"{walk.entered['Check status']:,}",
            f"{walk.transitions:,}",
            f"{walk.events:,}",
            f"{walk.largest / 1024:.1f}",
        ]
        for name, walk in nights.items()
    ]
    longest = max(walk.events for walk in nights.values())
    largest = max(walk.largest for walk in nights.values())
    most = {rounds: _most_batches(rounds) for rounds in (1, 3)}
    target = Target(
        "three rounds that all expire, 50 batches",
        "< 25,000 events, < 256 KiB",
        f"{nights['3 rounds that all expire, 50 batches'].events:,} events, "
        f"{largest / 1024:.1f} KiB",
        longest < MOST_EVENTS and largest < MOST_BYTES,
    )
    notes = [
        f"{MOST_EVENTS:,} events hold a night of {most[1]:,} batches that end one by one over 24 "
        f"hours; where all must be asked three times, three rounds of {most[3]:,}."
    ]
    columns = ["night", "hours", "status calls", "transitions", "events", "largest state, KiB"]
    numbers = {
        name: {"transitions": w.transitions, "events": w.events, "largest_bytes": w.largest}
        for name, w in nights.items()
    }
    history = {"history": numbers, "most_batches_by_rounds": most}
    return [Subject("Workflow", columns, rows, notes, [target], history)]


def _most_batches(rounds: int) -> int:
    """Of one round, in a night of so many rounds of 24 hours."""
    numbers = range(1, 5_000)
    return bisect_right(numbers, MOST_EVENTS, key=lambda n: walked(n, DAY, rounds).events)
