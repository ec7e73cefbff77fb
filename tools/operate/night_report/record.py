"""What the tables say about one run, read for its page."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any

from nightshift.aws import from_item, to_item
from nightshift.ending.report import Ending, details, flat
from nightshift.errors import LedgerMismatch, SettingsInvalid
from nightshift.runs.ledger import Ledger
from nightshift.runs.lock import OVER, LockItem
from nightshift.runs.records import Batch, Run
from nightshift.task.task import DEFAULT, Task, load
from nightshift.tickets.table import TicketTable
from tools.operate.failed_tickets.table import FailedTicket, failed_tickets
from tools.operate.stack import Stack, Unusable

MOST_TICKETS_READ = 2_000
RUNS_NAMED = 5
RUNS_COMPARED = 7

type Item = Mapping[str, Any]


@dataclass(frozen=True)
class Failure:
    """An error that ended an execution red, or that a batch still has."""

    error: str
    cause: str
    execution: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Record:
    """One run, as far as the tables tell.

    `kept` is what its last execution reported. `failed` are the tickets that it gave up and that
    are still failed, at most MOST_TICKETS_READ. `earlier` counts the categories of the runs before.
    `pending_now` and `waiting_now` count tickets of all runs: those that wait for an answer, and
    for a person.
    """

    stack: Stack
    run: Run
    kept: Item | None
    failures: tuple[Failure, ...]
    failed: tuple[FailedTicket, ...]
    earlier: Counter[str]
    pending_now: int
    running: bool
    waiting_now: int = 0

    @cached_property
    def output(self) -> dict[str, Any]:
        """What the workflow would return now, and the counts behind that. Where the books of a
        batch do not balance, that batch is in no number."""
        now: Item = {"status": "", "pending": self.pending_now}
        kept = now if self.running or self.kept is None else self.kept
        ending = Ending(kept["status"], kept.get("reason", ""))
        whole = [batch for batch in self.run.batches if batch not in self.off_balance]
        run = replace(self.run, batches=tuple(whole))
        said = flat(run, ending, int(kept["pending"]), datetime.now(UTC))
        told: dict[str, Any] = {"notices": (), **kept, **said, **details(run, _task(self.stack))}
        return told | self._as_reported(told)

    def _as_reported(self, told: Item) -> dict[str, Any]:
        """The types of the outputs and the name of the items, as the run itself has told them: the
        task that lies here may be another one by now, or none of this name."""
        kept = self.kept or {}
        types = {name: each["type"] for name, each in kept.get("outputs", {}).items()}
        outputs = {
            name: {**each, "type": types.get(name, each["type"])}
            for name, each in told["outputs"].items()
        }
        return {"outputs": outputs, "items": kept.get("items", told["items"])}

    @cached_property
    def off_balance(self) -> list[Batch]:
        closed = self.run.in_state("closed")
        return [batch for batch in closed if batch.requests != batch.tally.accounted]

    @property
    def open(self) -> list[Batch]:
        return self.run.in_state("creating", "open")

    @cached_property
    def problem(self) -> Failure | None:
        """What needs a person: a red end that no later report has made good, or a batch."""
        if self.standing_failures:
            return self.standing_failures[-1]
        for batch in self.run.batches:
            if batch.trouble and (batch.disputed or batch.set_aside):
                return Failure(batch.trouble.error, batch.trouble.whole_cause)
        if self.off_balance:
            names = ", ".join(batch.record for batch in self.off_balance)
            return Failure(LedgerMismatch.__name__, f"The books of {names} do not balance.")
        return None

    @property
    def standing_failures(self) -> list[Failure]:
        """Those that no later report has made good."""
        reported = self.reported_at
        return [f for f in self.failures if not (reported and f.at and f.at < reported)]

    @property
    def reported_at(self) -> datetime | None:
        return datetime.fromisoformat(self.kept["reported_at"]) if self.kept else None

    @cached_property
    def moments(self) -> list[tuple[datetime, str]]:
        """All that is known to have happened, in order, and which execution did it, if known."""
        found: list[tuple[datetime | None, str]] = [(f.at, f.execution) for f in self.failures]
        for b in self.run.batches:
            found += [(b.intent_at, b.execution), (b.created_at, b.execution)]
            found += [(b.ended_at, ""), (b.closed_at, b.closed_by or "")]
        found.append((self.reported_at, ""))
        return sorted((at, execution) for at, execution in found if at)


def _task(stack: Stack) -> Task:
    """The task of the stack, as this version of Nightshift ships it."""
    try:
        return load(stack.parameters.get("Task", DEFAULT))
    except SettingsInvalid:
        return load(DEFAULT)


def read(stack: Stack, run_id: str | None) -> Record:
    """One run, or the one that was active last.

    Raises Unusable if there is no such run.
    """
    runs = _runs(stack)
    if not runs:
        raise Unusable(f"{stack.name} has no record of any run yet: no night had anything to do.")
    latest_first = sorted(runs, key=lambda name: _last_heard(runs[name]), reverse=True)
    chosen = run_id or latest_first[0]
    if chosen not in runs:
        known = ", ".join(latest_first[:RUNS_NAMED])
        raise Unusable(f"{stack.name} has no run {chosen!r}. The latest are: {known}.")
    run = Ledger(stack.dynamodb, stack.run_table).run(chosen)
    before = latest_first[latest_first.index(chosen) + 1 :]
    reports = [report for name in before if (report := _kept(runs[name]))]
    tickets = TicketTable(stack.dynamodb, stack.ticket_table)
    counted = [report["categories"] for report in reports if report.get("categories")]
    return Record(
        stack,
        run,
        _kept(runs[chosen]),
        tuple(sorted(_failures(runs[chosen]), key=lambda failure: str(failure.at))),
        tuple(islice(_given_up(tickets, run), MOST_TICKETS_READ)),
        sum(map(Counter, counted[:RUNS_COMPARED]), Counter()),
        tickets.count_pending(),
        _is_running(stack, chosen),
        tickets.count_waiting(),
    )


def _runs(stack: Stack) -> dict[str, list[Item]]:
    """The reports, batches and failures of all runs; the table forgets after 90 days."""
    pages = stack.dynamodb.get_paginator("scan").paginate(
        TableName=stack.run_table,
        ConsistentRead=True,
        FilterExpression="#record = :run OR begins_with(#record, :batch) "
        "OR begins_with(#record, :failure)",
        ExpressionAttributeNames={"#record": "record"},
        ExpressionAttributeValues=to_item(
            {":run": "run", ":batch": "batch#", ":failure": "failure#"}
        ),
    )
    runs: dict[str, list[Item]] = defaultdict(list)
    for item in (from_item(item) for page in pages for item in page["Items"]):
        runs[item["run_id"]].append(item)
    return runs


def _last_heard(items: Iterable[Item]) -> str:
    names = ("intent_at", "reported_at", "failed_at")
    return max(str(item.get(name, "")) for item in items for name in names)


def _kept(items: Iterable[Item]) -> Item | None:
    return next((item for item in items if item["record"] == "run"), None)


def _failures(items: Iterable[Item]) -> Iterator[Failure]:
    for item in items:
        if item["record"].startswith("failure#"):
            at = datetime.fromisoformat(item["failed_at"]) if "failed_at" in item else None
            error, cause = item.get("error", ""), item.get("cause", "")
            yield Failure(error, cause, item.get("execution", ""), at)


def _given_up(tickets: TicketTable, run: Run) -> Iterator[FailedTicket]:
    """Those failed tickets that a batch of this run gave up, or that had no text in it."""
    batches = {batch.batch_id for batch in run.batches}
    blank = f"{run.run_id}/empty#"
    for ticket in failed_tickets(tickets):
        if ticket.batch_id in batches or ticket.batch_id.startswith(blank):
            yield ticket


def _is_running(stack: Stack, run_id: str) -> bool:
    """Whether the lock is held by an execution that runs, and this run is not finished."""
    lock = LockItem(stack.dynamodb, stack.run_table, lambda arn: None).read()
    if run_id not in lock.unfinished or lock.holder is None:
        return False
    try:
        found = stack.states.describe_execution(executionArn=lock.holder)
        return str(found["status"]) not in OVER
    except stack.states.exceptions.ExecutionDoesNotExist:
        return False
