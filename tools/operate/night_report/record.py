"""What the tables say about one run, read for its page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nightshift.aws import from_item, to_item
from nightshift.events import LOCK_RUN_ID
from nightshift.runs.ledger import Ledger
from nightshift.runs.lock import OVER
from nightshift.runs.records import Run
from nightshift.tickets.table import TicketTable
from tools.operate.failed_tickets.table import FailedTicket, failed_tickets
from tools.operate.stack import Stack, Unusable

MOST_TICKETS_READ = 2_000
RUNS_NAMED = 5


class Report(BaseModel):
    """The `run` item: what the last execution that did something reported. Money is USD."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: str
    reason: str = ""
    pending: int = 0
    submitted: int = 0
    classified: int = 0
    failed: int = 0
    cost_usd: float | None = None
    realtime_cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    duration_seconds: int = 0
    reported_at: datetime | None = None
    categories: dict[str, int] = {}
    failures: dict[str, int] = {}
    month_cost_usd: float | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """An execution that ended red."""

    error: str
    cause: str
    execution: str
    at: datetime | None


@dataclass(frozen=True)
class Record:
    """One run, as far as the tables tell. `earlier` are the reports of other runs, oldest first."""

    stack: Stack
    night: Run
    report: Report | None
    failures: tuple[Failure, ...]
    failed: tuple[FailedTicket, ...]
    """The tickets that this run gave up and that are still failed, at most MOST_TICKETS_READ."""
    earlier: tuple[tuple[str, Report], ...]
    pending_now: int
    running: bool

    @property
    def all_read(self) -> bool:
        """Whether `failed` is all of them: reading ends at MOST_TICKETS_READ."""
        return len(self.failed) < MOST_TICKETS_READ

    @property
    def standing_failures(self) -> list[Failure]:
        """Those that no later report has made good."""
        reported = self.report.reported_at if self.report else None
        return [f for f in self.failures if not (reported and f.at and f.at < reported)]


def read(stack: Stack, run_id: str | None) -> Record:
    """One run, or the one that was active last.

    Raises Unusable if there is no such run.
    """
    activity, reports = _all_runs(stack)
    if not activity:
        raise Unusable(f"{stack.name} has no record of any run yet: no night had anything to do.")
    latest_first = sorted(activity, key=lambda run: activity[run], reverse=True)
    chosen = run_id or latest_first[0]
    if chosen not in activity:
        known = ", ".join(latest_first[:RUNS_NAMED])
        raise Unusable(f"{stack.name} has no run {chosen!r}. The latest are: {known}.")
    night = Ledger(stack.dynamodb, stack.run_table).run(chosen)
    before = [run for run in reversed(latest_first) if activity[run] < activity[chosen]]
    return Record(
        stack,
        night,
        reports.get(chosen),
        tuple(_failures(stack, chosen)),
        tuple(islice(_given_up(stack, night), MOST_TICKETS_READ)),
        tuple((run, reports[run]) for run in before if run in reports),
        TicketTable(stack.dynamodb, stack.ticket_table).count_pending(),
        _is_running(stack, chosen),
    )


def _all_runs(stack: Stack) -> tuple[dict[str, str], dict[str, Report]]:
    """When each run was last heard of, and the reports; the table forgets after 90 days."""
    pages = stack.dynamodb.get_paginator("scan").paginate(
        TableName=stack.run_table,
        FilterExpression="#record = :run OR begins_with(#record, :batch) "
        "OR begins_with(#record, :failure)",
        ExpressionAttributeNames={"#record": "record"},
        ExpressionAttributeValues=to_item(
            {":run": "run", ":batch": "batch#", ":failure": "failure#"}
        ),
    )
    activity: dict[str, str] = {}
    reports: dict[str, Report] = {}
    for item in (from_item(item) for page in pages for item in page["Items"]):
        run = item["run_id"]
        moments = [item.get(name, "") for name in ("intent_at", "reported_at", "failed_at")]
        activity[run] = max(activity.get(run, ""), *moments)
        if item["record"] == "run":
            reports[run] = _report(item)
    return activity, reports


def _report(item: Mapping[str, Any]) -> Report:
    try:
        return Report.model_validate(dict(item))
    except ValidationError as error:
        raise Unusable(f"The report of run {item['run_id']} cannot be read: {error}") from None


def _failures(stack: Stack, run_id: str) -> Iterator[Failure]:
    """Executions that were started on the date of this run and failed, the first one first."""
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=stack.run_table,
        KeyConditionExpression="run_id = :run AND begins_with(#record, :failure)",
        ExpressionAttributeNames={"#record": "record"},
        ExpressionAttributeValues=to_item({":run": run_id, ":failure": "failure#"}),
        ConsistentRead=True,
    )
    found = []
    for item in (from_item(item) for page in pages for item in page["Items"]):
        at = item.get("failed_at")
        moment = datetime.fromisoformat(at) if at else None
        found.append(
            Failure(item.get("error", ""), item.get("cause", ""), item.get("execution", ""), moment)
        )
    return iter(sorted(found, key=lambda f: f.at or datetime.min.replace(tzinfo=UTC)))


def _given_up(stack: Stack, night: Run) -> Iterator[FailedTicket]:
    """Those failed tickets that a batch of this run gave up, or that had no text in it."""
    batches = {batch.batch_id for batch in night.batches}
    empties = f"{night.run_id}/empty#"
    for ticket in failed_tickets(stack.dynamodb, stack.ticket_table):
        if ticket.batch_id in batches or ticket.batch_id.startswith(empties):
            yield ticket


def _is_running(stack: Stack, run_id: str) -> bool:
    """Whether the lock is held by an execution that runs, and this run is not finished."""
    item = stack.dynamodb.get_item(
        TableName=stack.run_table,
        Key=to_item({"run_id": LOCK_RUN_ID, "record": "lock"}),
        ConsistentRead=True,
    )
    lock = from_item(item.get("Item", {}))
    if run_id not in lock.get("unfinished", ()):
        return False
    try:
        status = stack.states.describe_execution(executionArn=lock["holder"])["status"]
    except (stack.states.exceptions.ExecutionDoesNotExist, stack.states.exceptions.InvalidArn):
        return False
    return status not in OVER
