"""A record as one self-contained HTML page: no script, nothing loaded from anywhere."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from nightshift.ending import mail
from nightshift.quality.gold import Gold
from nightshift.runs import budget
from tools import words
from tools.operate.failed_tickets.table import EMPTY
from tools.operate.night_report.quality import drawn
from tools.operate.night_report.record import MOST_TICKETS_READ, Record
from tools.operate.night_report.timeline import COLUMNS, Timeline
from tools.operate.night_report.verdict import verdict
from tools.pages.templates import environment
from tools.version import VERSION

IDS_A_REASON = 24
LOCAL = ":000000000000:"
"""The account of a local cloud, which has no console."""


@dataclass(frozen=True)
class Reason:
    """Why `tickets` were given up; the ids of some that still are, `more` that still are, and
    those that have `changed` since."""

    name: str
    sentence: str
    tickets: int
    ids: tuple[str, ...]
    more: int
    changed: int


def page(record: Record, note: str = "", now: datetime | None = None) -> str:
    """The page. `note` is said under the headline, such as who answered."""
    made_at = now or datetime.now(UTC)
    output = record.output
    template = environment(Path(__file__).parent).get_template("night.html.j2")
    return template.render(
        record=record,
        stack=record.stack,
        output=output,
        at_most=max(0.0, float(budget.counted(record.run)) - output["cost_usd"]),
        models=sorted({batch.model for batch in record.run.batches}),
        verdict=verdict(record),
        note=note,
        timeline=Timeline(record, made_at),
        columns=COLUMNS,
        categories=list(_categories(record)),
        label=_first_label(record),
        answers=list(mail.answers(output)),
        redacted=list(mail.redacted(output)),
        outputs=list(drawn(Gold.read(output["quality"]))) if "quality" in output else [],
        reasons=list(_reasons(record)),
        EMPTY=EMPTY,
        links=dict(_links(record)),
        day=_day(output["run_id"]),
        count=words.count,
        duration=words.duration,
        made_at=made_at,
        version=VERSION,
    )


def _day(run_id: str) -> str:
    """A run by its date, if its id is one: `Sunday, 22 November 2026`."""
    try:
        return f"{date.fromisoformat(run_id):%A, %-d %B %Y}"
    except ValueError:
        return run_id


def _first_label(record: Record) -> str:
    """The output whose shares are drawn, as the title of its card."""
    outputs = record.output["outputs"]
    labels = (name for name, each in outputs.items() if each["type"] == "label")
    name = next(labels, "answers" if outputs else "category")
    return words.spoken(str(name))


def _categories(record: Record) -> Iterator[tuple[str, int, float, float]]:
    """How many tickets have each, which share that is, and which share is usual."""
    tonight, usual = Counter(record.output["categories"]), record.earlier
    total, all_before = tonight.total(), usual.total() or 1
    for name in sorted(tonight | usual, key=lambda name: (-tonight[name], name)) if total else ():
        yield name, tonight[name], tonight[name] / total, usual[name] / all_before


def _reasons(record: Record) -> Iterator[Reason]:
    still = Counter(ticket.reason for ticket in record.failed)
    counts = still | Counter[str](record.output["failures"])
    for name, tickets in counts.most_common():
        found = [ticket for ticket in record.failed if ticket.reason == name]
        # Where reading ended early, all that were not read may still be failed.
        failed = len(found) if len(record.failed) < MOST_TICKETS_READ else tickets
        ids = tuple(ticket.ticket_id for ticket in found[:IDS_A_REASON])
        sentence = found[0].sentence if found else ""
        yield Reason(name, sentence, tickets, ids, failed - len(ids), tickets - failed)


def _links(record: Record) -> Iterator[tuple[str, str]]:
    """Where the consoles of AWS show more: the last execution, and the dashboard."""
    outputs = record.stack.outputs
    workflow = outputs["WorkflowArn"]
    if LOCAL in workflow:
        return
    if last := next((execution for _, execution in reversed(record.moments) if execution), ""):
        region = workflow.split(":")[3]
        console = f"https://{region}.console.aws.amazon.com/states/home?region={region}"
        yield "Execution", f"{console}#/v2/executions/details/{last}"
    if "DashboardUrl" in outputs:
        yield "Dashboard", outputs["DashboardUrl"]
