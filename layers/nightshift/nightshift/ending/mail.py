"""The report of a run as a mail: a verdict first, then what is worth a look. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from nightshift.quality.gold import Gold
from nightshift.quality.statistics import wilson
from nightshift.task import redaction

type Report = Mapping[str, Any]
"""What the run's item keeps: the workflow's output and `report.details`."""

_MOST_LABELS = 5
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
        answers(report),
        right(report),
        _unsure(report),
        _given_up(report),
        _requests(report),
        _money(report, month_limit),
        [f"Note: {notice}" for notice in report["notices"]],
        [_run(report)],
    )
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part)


def verdict(report: Report) -> str:
    """How the run ended, in one line."""
    done = "sorted" if len(report.get("outputs", {})) < 2 else "answered"
    said = f"{_items(report, report['classified'])} {done}"
    if report.get("unsure"):
        said += f", {report['unsure']:,} for a person to decide"
    if report["failed"]:
        said += f", {report['failed']:,} given up"
    if report.get("unchanged"):
        said += f", {report['unchanged']:,} unchanged and not asked"
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


def answers(report: Report) -> Iterator[str]:
    """What was answered, in a line for each output but the first label, whose counts come first."""
    labels = [name for name, each in report.get("outputs", {}).items() if each["type"] == "label"]
    for name, each in report.get("outputs", {}).items():
        if name not in labels[:1]:
            yield f"{name}: {said(each['type'], Counter(each['counts']))}"


def said(output_type: str, counts: Counter[str]) -> str:
    """What is told of the answers to an output, from what `task/outputs.py` counts of them."""
    return _SAID[output_type](counts)


def _labels(counts: Counter[str]) -> str:
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(_MOST_LABELS))
    return f"{shown}, ..." if len(counts) > _MOST_LABELS else shown or "none"


def _share_of_yes(counts: Counter[str]) -> str:
    return f"{counts['yes'] / max(1, counts.total()):.0%} yes"


def _mean(counts: Counter[str]) -> str:
    return f"{counts['sum'] / max(1, counts['numbers']):.1f} on average"


def _length(counts: Counter[str]) -> str:
    return f"{counts['characters'] / max(1, counts['texts']):.0f} characters on average"


# What of an output is told, by its type.
_SAID: Mapping[str, Callable[[Counter[str]], str]] = {
    "label": _labels,
    "labels": _labels,
    "boolean": _share_of_yes,
    "integer": _mean,
    "text": _length,
    "texts": _length,
}


def right(report: Report) -> Iterator[str]:
    """How right the answers are, in one line, where some were known beforehand."""
    if "quality" not in report:
        return
    gold = Gold.read(report["quality"])
    every = " in every output" if len(gold.outputs) > 1 else ""
    said = f"Right: {gold.correct:,} of {gold.tickets:,} known beforehand{every}"
    if gold.tickets:
        said += f", {with_interval(gold.correct, gold.tickets)}"
    if gold.unsure:
        said += f"; {gold.unsure:,} more left to a person"
    if unknown := sum(each.unknown for each in gold.outputs.values()):
        said += f"; {_count(unknown, 'expects', 'expect')} a value that the task does not have"
    yield said


def with_interval(counted: int, of: int) -> str:
    """A share and its 95 % interval."""
    low, high = map(percent, wilson(counted, of))
    return f"{percent(counted / of)} (95 % interval {low} to {high})"


def percent(share: float) -> str:
    """A share to a tenth of a per cent, never rounded to nothing or to all."""
    if 0 < share < 0.0005:
        return "<0.1 %"
    return ">99.9 %" if 0.9995 <= share < 1 else f"{100 * share:.1f} %"


def _unsure(report: Report) -> Iterator[str]:
    unsure, waiting = report.get("unsure", 0), report.get("waiting", 0)
    if unsure or waiting:
        now = f", {_count(waiting, 'waits', 'wait')} now" if waiting else ""
        yield f"For a person to decide: {unsure:,}{now} (classification_status is review)"


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
    yield from redacted(report)
    yield f"{_items(report, report['pending'])} pending now"


def redacted(report: Report) -> Iterator[str]:
    """How many strings of each kind did not leave the account, if any."""
    if counted := redaction.said(report.get("redacted", {})):
        yield f"Redacted before sending: {counted}"


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


def _items(report: Report, count: int) -> str:
    return _count(count, *report.get("items", ("ticket", "tickets")))


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
