"""A million tickets in one night: every call of it, with only the waiting left out.

The three functions are three processes that stay, as warm Lambdas do. Both servers are other
processes, reached over HTTP. The states of the workflow are played here, on a clock that jumps over
each wait.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import REPOSITORY
from tests.bench.stage import BenchmarkFailed, Stage, as_a_function_has_it, stage
from tests.bench.story import MOST_BYTES, Story
from tests.bench.subject import Subject, Target
from tests.definitions import MOST_EVENTS
from tools.local.claude_standin import Control

FUNCTIONS = ("submit", "status", "collect")
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:bench:million"
HOUR = 3_600
BATCH_SECONDS = HOUR
MOST_GROWTH, MOST_MB_APART = 1.2, 10
EXPIRING = 100

type Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """So many tickets in batches of so many; every `expiring`-th batch expires (0: none)."""

    tickets: int
    per_batch: int
    expiring: int = 0

    def __str__(self) -> str:
        name = f"{self.tickets:,} in batches of {self.per_batch:,}"
        return f"{name}, every {self.expiring}th of which expires" if self.expiring else name


@dataclass
class Spent:
    """What the calls of one function took together."""

    calls: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


@dataclass
class Night:
    """One execution, as it is played; `read` is what each call of submit read of the run table, in
    bytes."""

    plan: Plan
    place: Stage
    processes: dict[str, "Process"]
    tell: Tell
    story: Story = field(default_factory=Story)
    spent: dict[str, Spent] = field(default_factory=lambda: {name: Spent() for name in FUNCTIONS})
    read: list[int] = field(default_factory=list)
    ahead: float = 0.0
    report: dict[str, Any] = field(default_factory=dict)

    def play(self) -> None:
        started_at = datetime.now(UTC).isoformat()
        given = {"execution": EXECUTION, "started_at": started_at, "input": {}}
        while (step := self._call("submit", given))["next"] != "report":
            run = {"execution": EXECUTION, "run_id": step["run_id"]}
            while step["next"] == "wait":
                self._wait(step["wait_seconds"])
                step = self._call("status", run | {"more": step["more"]})
            for record in step["ended"] if step["next"] == "collect" else ():
                while self._call("collect", run | {"record": record})["next"] == "more":
                    pass
        self.report = step["report"]

    def _wait(self, seconds: float) -> None:
        Control(self.place.claude).advance(seconds)
        self.ahead += seconds

    def _call(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        before = self._read_of_runs() if function == "submit" else 0
        done = self.processes[function].call({"event": event, "ahead": self.ahead})
        answer: dict[str, Any] = done["answer"]
        if function == "submit":
            self.read.append(self._read_of_runs() - before)
        spent = self.spent[function]
        spent.calls += 1
        spent.seconds += done["seconds"]
        spent.cpu_seconds += done["cpu_seconds"]
        spent.peak_mb = max(spent.peak_mb, done["peak_mb"])
        self.story.note(function, self.ahead, answer)
        calls = ", ".join(f"{name} {self.spent[name].calls:,}" for name in FUNCTIONS)
        self.tell(f"{self.plan}: {self.ahead / HOUR:.1f} h of the night; calls: {calls}")
        return answer

    def _read_of_runs(self) -> int:
        return int(self.place.tell("counted")["bytes"].get("runs read", 0))


@dataclass
class Process:
    """One function's process (see `function`)."""

    name: str
    process: subprocess.Popen[str]

    def call(self, asked: Any) -> Any:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin and stdout
        stdin.write(json.dumps(asked) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise BenchmarkFailed(f"{self.name} died; what it printed is above.")
        return json.loads(line)


@contextmanager
def _process(name: str, environment: dict[str, str]) -> Iterator[Process]:
    with subprocess.Popen(
        [sys.executable, "-S", "-m", "tests.bench.function", name],
        cwd=REPOSITORY,
        env=as_a_function_has_it(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Process(name, process)
        finally:
            assert process.stdin
            process.stdin.close()


def play(plan: Plan, tickets: Path, tell: Tell) -> dict[str, Any]:
    """What one night came to."""
    began = time.monotonic()
    tell(f"{plan}: tickets")
    with ExitStack() as stack:
        place = stack.enter_context(stage(tickets, plan.tickets, BATCH_SECONDS, plan.expiring))
        environment = place.environment("ours") | {"MAX_REQUESTS_PER_BATCH": str(plan.per_batch)}
        processes = {n: stack.enter_context(_process(n, environment)) for n in FUNCTIONS}
        night = Night(plan, place, processes, tell)
        night.play()
        counted, books = place.tell("counted"), place.tell("books")
    spent = {name: vars(spent) for name, spent in night.spent.items()}
    return {
        "plan": str(plan),
        "tickets": plan.tickets,
        "batches": night.report["batches"],
        "functions": spent,
        "seconds": sum(each["seconds"] for each in spent.values()),
        "cpu_seconds": sum(each["cpu_seconds"] for each in spent.values()),
        "calls": counted["calls"],
        "bytes": counted["bytes"],
        "hours": night.ahead / HOUR,
        "events": night.story.events,
        "largest_bytes": night.story.largest,
        "read_of_runs": night.read,
        "report": night.report,
        "books": books,
        "wrong": wrong(plan, night.report, books),
        "minutes": (time.monotonic() - began) / 60,
    }


def wrong(plan: Plan, report: dict[str, Any], books: dict[str, Any]) -> list[str]:
    """What does not add up: the run's own books, and those beside the ticket table."""
    r = report
    became = r["classified"] + r["unsure"] + r["superseded"] + r["requeued"] + r["failed"]
    holds = {
        "the run's equation": r["submitted"] == became - r["empty"],
        "every ticket has one answer": r["classified"] == sum(books["answers"].values()),
        "and none is left": r["classified"] + r["failed"] == plan.tickets,
        "none is pending": (r["pending"], books["pending"]) == (0, r["failed"]),
        "the run is complete": r["status"] == "complete",
        "what expired was asked again": (r["requeued"] > 0) == bool(plan.expiring),
    }
    return [what for what, true in holds.items() if not true]


def measure(tickets: Path, most: int, tell: Tell) -> list[Subject]:
    """`most` tickets, a tenth and a hundredth of that for comparison, and a thousand batches."""
    usual, large = most // 100, most // 10
    plans = [
        Plan(most // 100, usual),
        Plan(most // 10, usual),
        Plan(most, usual),
        Plan(most, usual, expiring=EXPIRING),
        Plan(most, large),
        Plan(most // 100, most // 100_000),  # a thousand batches
    ]
    nights = [play(plan, tickets, tell) for plan in plans]
    return [_nights(nights), _reads(nights)]


def _nights(nights: list[dict[str, Any]]) -> Subject:
    columns = ["night", "hours", "us/ticket", "CPU us", "submit", "status", "collect", "events"]
    columns += ["state KiB", "calls", "books"]
    rows = [_row(night) for night in nights]
    tenth, whole = nights[1], nights[2]
    each = [night["cpu_seconds"] / night["tickets"] for night in (tenth, whole)]
    longest = [night["seconds"] / night["tickets"] for night in (tenth, whole)]
    apart = max(_peak(whole, name) - _peak(tenth, name) for name in FUNCTIONS)
    bad = [f"{night['plan']}: {what}" for night in nights for what in night["wrong"]]
    events = max(night["events"] for night in nights)
    largest = max(night["largest_bytes"] for night in nights)
    targets = [
        Target(
            f"books of {whole['tickets']:,} tickets", "balanced", "; ".join(bad) or "yes", not bad
        ),
        Target(
            f"time per ticket, {tenth['tickets']:,} to {whole['tickets']:,}",
            "at most 20 % more",
            f"{longest[1] / longest[0] - 1:+.0%}; processor {each[1] / each[0] - 1:+.0%}",
            longest[1] / longest[0] <= MOST_GROWTH,
        ),
        Target(
            f"peak memory, {tenth['tickets']:,} to {whole['tickets']:,}",
            f"<= {MOST_MB_APART} MB apart",
            f"{apart:+.1f} MB",
            apart <= MOST_MB_APART,
        ),
        Target(
            f"{whole['tickets']:,} tickets: events; largest state",
            "< 25,000; < 256 KiB",
            f"{events:,}; {largest / 1024:.1f} KiB",
            events < MOST_EVENTS and largest < MOST_BYTES,
        ),
    ]
    notes = [
        "Each function is one process that stays; under their names stands the peak memory in MB. "
        "Times and calls to AWS are for one ticket. The hours are those of the night's own clock, "
        "which jumps over each wait.",
    ]
    return Subject("A million", columns, rows, notes, targets, {"million": nights})


def _row(night: dict[str, Any]) -> list[str]:
    tickets = night["tickets"]
    return [
        night["plan"],
        f"{night['hours']:.1f}",
        f"{night['seconds'] / tickets * 1e6:,.0f}",
        f"{night['cpu_seconds'] / tickets * 1e6:,.0f}",
        *(f"{_peak(night, name):.0f}" for name in FUNCTIONS),
        f"{night['events']:,}",
        f"{night['largest_bytes'] / 1024:.1f}",
        f"{sum(night['calls'].values()) / tickets:.3f}",
        "; ".join(night["wrong"]) or "balanced",
    ]


def _peak(night: dict[str, Any], function: str) -> float:
    peak: float = night["functions"][function]["peak_mb"]
    return peak


def _reads(nights: list[dict[str, Any]]) -> Subject:
    columns = ["night", "batches", "a call of submit reads, KB", "at most", "all calls, MB"]
    rows = []
    for night in nights:
        reads = night["read_of_runs"]
        rows.append(
            [
                night["plan"],
                f"{night['batches']:,}",
                f"{sum(reads) / len(reads) / 1e3:,.0f}",
                f"{max(reads) / 1e3:,.0f}",
                f"{night['bytes']['runs read'] / 1e6:,.1f}",
            ]
        )
    return Subject("What is read of the run table", columns, rows)
