"""A record as one self-contained HTML page: no script, nothing loaded from anywhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tools.operate.failed_tickets.table import EMPTY, FailedTicket
from tools.operate.night_report import words
from tools.operate.night_report.advice import Verdict
from tools.operate.night_report.facts import Facts
from tools.operate.night_report.record import Record
from tools.operate.night_report.timeline import timeline
from tools.operate.night_report.verdict import verdict
from tools.version import VERSION

IDS_A_REASON = 24
NIGHTS_SHOWN = 14
NOTHING = "\N{EN DASH}"
LONGEST_ID = 48
LOCAL = "000000000000"
"""The account of a local cloud, which has no console."""
_EXECUTION = re.compile(
    r"arn:aws:states:(?P<region>[a-z0-9-]+):\d{12}:execution:[\w-]+:[\w.-]+", re.A
)


@dataclass(frozen=True)
class Category:
    """`share` and `usual` are shares of the classified tickets."""

    name: str
    tickets: int
    share: float
    usual: float | None


@dataclass(frozen=True)
class Reason:
    """Why tickets were given up, and some of them."""

    name: str
    sentence: str
    tickets: int
    ids: tuple[str, ...]

    @property
    def more(self) -> int:
        return self.tickets - len(self.ids)


@dataclass(frozen=True)
class OtherNight:
    """A run among its neighbours; `height` is percent of the largest."""

    run_id: str
    label: str
    classified: int
    status: str
    height: float
    this: bool


def page(record: Record, note: str = "", now: datetime | None = None) -> str:
    """The page. `note` is said under the headline, such as who answered."""
    facts = Facts(record)
    judged = verdict(facts)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number, "usd": words.usd, "share": words.share, "short": short,
        "compact": words.compact, "dollars": words.dollars,
    }  # fmt: skip
    return environment.get_template("page.html.j2").render(
        facts=facts,
        record=record,
        stack=record.stack,
        report=record.report,
        night=record.night,
        verdict=judged,
        notices=list(_other_notices(facts, judged)),
        timeline=timeline(facts),
        categories=list(_categories(facts)),
        reasons=list(_reasons(record.failed)),
        nights=list(_nights(facts)),
        took=_took(facts),
        money=words.adding_up(facts.cost, facts.realtime),
        links=list(_links(facts)),
        retry=_retry(record),
        EMPTY=EMPTY,
        day=words.day_of(record.night.run_id),
        note=note,
        count=words.count,
        clock=lambda moment: (
            words.clock_on(moment, facts.start.date()) if moment and facts.start else NOTHING
        ),
        duration=words.duration,
        made_at=now or datetime.now(UTC),
        version=VERSION,
    )


def short(text: str, most: int = LONGEST_ID) -> str:
    """The start of a long text."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _visible(value: Any) -> Any:
    """What strangers wrote, without what would turn or move the text around it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)


def _other_notices(facts: Facts, judged: Verdict) -> Iterator[str]:
    """What the report noted and the verdict does not say already."""
    report = facts.record.report
    if report is None:
        return
    said = {action.text for action in judged.actions}
    for notice in report.notices:
        if notice not in said and not (report.reason == "budget" and "budget" in notice):
            yield notice


def _took(facts: Facts) -> timedelta | None:
    return facts.end - facts.start if facts.start and facts.end else None


def _categories(facts: Facts) -> Iterator[Category]:
    counts, usual = facts.categories, facts.usual_shares
    total = sum(counts.values())
    if not total:
        return
    names = [*counts, *sorted(usual.keys() - counts.keys())]
    for name in names:
        tickets = counts.get(name, 0)
        yield Category(name, tickets, tickets / total, usual.get(name, 0.0) if usual else None)


def _links(facts: Facts) -> Iterator[tuple[str, str]]:
    """Where the consoles of AWS show more: the last execution, and the dashboard."""
    outputs = facts.record.stack.outputs
    if f":{LOCAL}:" in outputs["WorkflowArn"]:
        return
    if arn := _EXECUTION.fullmatch(facts.last_execution):
        region = arn["region"]
        yield (
            "Execution",
            f"https://{region}.console.aws.amazon.com/states/home?region={region}"
            f"#/v2/executions/details/{arn[0]}",
        )
    dashboard = outputs.get("DashboardUrl", "")
    if dashboard.startswith("https://"):
        yield "Dashboard", dashboard


def _retry(record: Record) -> str:
    """The command that asks again for those given up, but not for those without any text."""
    again = sorted({ticket.reason for ticket in record.failed} - {EMPTY})
    if not again:
        return ""
    only = f" REASON={quote(again[0])}" if len(again) == 1 else ""
    return f"make tickets-retry STACK={record.stack.name}{only}"


def _reasons(failed: tuple[FailedTicket, ...]) -> Iterator[Reason]:
    groups: dict[str, list[FailedTicket]] = {}
    for ticket in failed:
        groups.setdefault(ticket.reason, []).append(ticket)
    for name, tickets in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        ids = tuple(ticket.ticket_id for ticket in tickets[:IDS_A_REASON])
        yield Reason(name, tickets[0].sentence, len(tickets), ids)


def _nights(facts: Facts) -> Iterator[OtherNight]:
    """The last nights up to this one, this one included."""
    record = facts.record
    others = [(run, r.classified, r.status) for run, r in record.earlier[-(NIGHTS_SHOWN - 1) :]]
    status = record.report.status if record.report else "none"
    if record.standing_failures:
        status = "failed"
    all_of_them = [*others, (record.night.run_id, facts.tally.classified, status)]
    largest = max(classified for _, classified, _ in all_of_them) or 1
    for run, classified, how in all_of_them:
        yield OtherNight(
            run, _label(run), classified, how, round(100 * classified / largest, 1),
            run == record.night.run_id,
        )  # fmt: skip


def _label(run_id: str) -> str:
    """The day of the month of a date, or the start of any other id."""
    try:
        return str(datetime.fromisoformat(run_id).day)
    except ValueError:
        return short(run_id, 4)
