"""The report of a run as a mail: a verdict first, then what is worth a look. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

type Report = Mapping[str, Any]
"""What the run's item keeps: the workflow's output and `report.details`."""

_WHY = {
    "batches": "an execution creates at most 1,000 batches; the next start goes on",
    "budget": "a budget is reached",
    "collect": "this start only collected",
    "interrupted": "an earlier execution was stopped",
    "limit": "this start was limited",
    "rejected": "Claude refuses our requests",
    "rounds": "the next night tries again",
    "set_aside": "a batch cannot be read, and its tickets are kept back for 25 hours",
    "unusable": "most answers cannot be used",
    "unavailable": "Claude took no batch for about a day",
}


def text(report: Report, before: Sequence[Report], month_limit: Decimal) -> str:
    """The whole mail. `before` are the reports of the runs before this one, `month_limit` is the
    month's budget in USD, 0 where there is none."""
    parts = (
        [verdict(report)],
        _categories(report, before),
        _given_up(report),
        _requests(report),
        _money(report, month_limit),
        [f"Note: {notice}" for notice in report["notices"]],
        [_run(report)],
    )
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part)


def verdict(report: Report) -> str:
    """How the run ended, in one line."""
    said = f"{_tickets(report['classified'])} sorted"
    if report["failed"]:
        said += f", {report['failed']:,} given up"
    if report["status"] == "canceled":
        return f"Canceled: {said} before that."
    if report["status"] == "partial":
        why = _WHY.get(report.get("reason", ""), report.get("reason", ""))
        return f"Not all is done ({why}): {said}."
    return f"All is done: {said}."


def _categories(report: Report, before: Sequence[Report]) -> Iterator[str]:
    tonight: Counter[str] = Counter(report["categories"])
    runs = [each["categories"] for each in before if "categories" in each]
    usual = sum((Counter(each) for each in runs), Counter[str]())
    if not tonight and not usual:
        return
    width = max(map(len, (*tonight, *usual)))
    if runs:
        of = f"average of the last {len(runs)} runs" if len(runs) > 1 else "the run before"
        yield f"{'':{width}}  {'now':>9}  {of}"
    for name in sorted({*tonight, *usual}, key=lambda name: (-tonight[name], name)):
        average = f"  {round(usual[name] / len(runs)):>9,}" if runs else ""
        yield f"{name:{width}}  {tonight[name]:>9,}{average}"


def _given_up(report: Report) -> Iterator[str]:
    if not report["failed"]:
        return
    yield f"Given up: {report['failed']:,} (each says why in classification_error)"
    reasons: Counter[str] = Counter(report["failures"])
    width = max(map(len, reasons), default=0)
    yield from (f"  {reason:{width}}  {count:>9,}" for reason, count in reasons.most_common())


def _requests(report: Report) -> Iterator[str]:
    requests = _count(report["submitted"], "request")
    yield f"{requests} in {_count(report['batches'], 'batch', 'batches')}"
    if report["requeued"]:
        yield f"{report['requeued']:,} went back to pending"
    if report["superseded"]:
        yield f"{report['superseded']:,} were edited, sorted by hand or deleted meanwhile"
    yield f"{_tickets(report['pending'])} pending now"


def _money(report: Report, month_limit: Decimal) -> Iterator[str]:
    yield f"Cost ${report['cost_usd']:,.4f}, saved ${report['saved_usd']:,.4f} against real time"
    of = f" of ${month_limit:,.2f}" if month_limit else ""
    yield f"This month so far ${report['month_cost_usd']:,.2f}{of}"
    yield f"{report['input_tokens']:,} tokens in, {report['output_tokens']:,} out"


def _run(report: Report) -> str:
    status = report["status"].replace("_", " ")
    return f"Run {report['run_id']}: {status}, {_minutes(report['duration_seconds'])}"


def _minutes(seconds: int) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _tickets(count: int) -> str:
    return _count(count, "ticket")


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
