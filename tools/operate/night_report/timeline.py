"""The night as rows on one axis of time: every batch, every refusal. Pure geometry, in percent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Literal

from nightshift.runs.records import REJECTED, TOO_LARGE, TRY_LATER, UNSEEN, Batch
from tools.operate.night_report.facts import Facts
from tools.operate.night_report.words import clock_on, count, duration

MOST_ROWS = 120
DENSE_FROM = 16
"""From so many rows on, they are drawn thinner."""
MOST_TICKS = 6
MOMENT = timedelta(minutes=1)
SHORTEST = timedelta(seconds=10)
"""A shorter axis would only show how long a call takes."""
STEPS = [
    timedelta(seconds=seconds)
    for seconds in (
        *(1, 2, 5, 10, 15, 30),
        *(60 * m for m in (1, 2, 5, 10, 15, 30)),
        *(3600 * h for h in (1, 2, 3, 6, 12, 24, 48, 96)),
    )
]
VOID = {TRY_LATER: "refused", TOO_LARGE: "too large", REJECTED: "rejected", UNSEEN: "never arrived"}

type Tone = Literal["plain", "attention", "bad"]


@dataclass(frozen=True)
class Tick:
    at: float
    label: str
    edge: Literal["", "first", "last"] = ""


@dataclass(frozen=True)
class Mark:
    """A vertical line through all rows."""

    at: float
    label: str
    tone: Tone


@dataclass(frozen=True)
class Row:
    """A batch: at Claude from `start` to `ended`, its results waiting until `closed`; or intents
    that came to nothing, as points. `width`s and places are percent of the axis."""

    name: str
    requests: int
    hint: str
    tone: Tone = "plain"
    start: float = 0.0
    working: float = 0.0
    waiting: float = 0.0
    open: bool = False
    points: tuple[float, ...] = ()
    why: str = ""
    note: str = ""
    took: str = ""


@dataclass(frozen=True)
class Group:
    """A round: one walk through the pending tickets."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Timeline:
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    groups: tuple[Group, ...]
    dense: bool
    left_out: int

    @property
    def colours(self) -> list[tuple[str, str]]:
        """What else the legend must name: a kind of key, and its meaning."""
        rows = [row for group in self.groups for row in group.rows]
        bars = {row.tone for row in rows if not row.points}
        named = [("late", "expired or canceled in part")] if "attention" in bars else []
        named += [("wrong", "has a problem")] if "bad" in bars else []
        whys = dict.fromkeys(row.why for row in rows if row.points)
        return [*named, ("point", ", ".join(whys))] if whys else named


def timeline(facts: Facts) -> Timeline | None:
    """None where there is nothing to draw: no batch, or but a no within a moment."""
    if facts.start is None or facts.end is None or not facts.record.night.batches:
        return None
    if len(facts.void) == len(facts.record.night.batches) and facts.end - facts.start < MOMENT:
        return None
    axis = _Axis(facts.start, max(facts.end, facts.start + SHORTEST))
    batches = facts.record.night.batches
    shown = batches[:MOST_ROWS]
    groups = [
        Group(_title(number, of_round, axis), tuple(_rows(of_round, axis)))
        for number, of_round in _by_round(shown)
    ]
    rows = sum(len(group.rows) for group in groups)
    return Timeline(
        tuple(axis.ticks()),
        tuple(_marks(facts, axis)),
        tuple(groups),
        rows >= DENSE_FROM,
        len(batches) - len(shown),
    )


@dataclass(frozen=True)
class _Axis:
    start: datetime
    end: datetime

    def place(self, moment: datetime) -> float:
        share = (moment - self.start) / (self.end - self.start)
        return round(100 * min(1.0, max(0.0, share)), 3)

    def said(self, moment: datetime) -> str:
        return clock_on(moment, self.start.date())

    def ticks(self) -> Iterator[Tick]:
        span = self.end - self.start
        step = next((step for step in STEPS if span / step <= MOST_TICKS), STEPS[-1])
        first = datetime.fromtimestamp(0, UTC)
        moment = first + -((first - self.start) // step) * step  # rounded up
        day = self.start.date()
        while moment <= self.end:
            if moment.date() != day:
                label, day = f"{moment:%a %H:%M}", moment.date()
            else:
                label = f"{moment:%H:%M:%S}" if step < timedelta(minutes=1) else f"{moment:%H:%M}"
            at = self.place(moment)
            # A label is centred at its tick: at the edges it would stand out of the chart.
            yield Tick(at, label, "first" if at < 3 else "last" if at > 95 else "")
            moment += step


def _by_round(batches: Sequence[Batch]) -> Iterator[tuple[int, list[Batch]]]:
    for number, of_round in groupby(batches, key=lambda batch: batch.round):
        yield number, list(of_round)


def _title(number: int, batches: list[Batch], axis: _Axis) -> str:
    sent = sum(batch.requests for batch in batches if batch.state != "not_created")
    what = count(sent, "request") if sent else "nothing sent"
    what += " for what was left" if sent and number > 1 else ""
    return f"Round {number} · {axis.said(batches[0].intent_at)} · {what}"


def _rows(batches: list[Batch], axis: _Axis) -> Iterator[Row]:
    """One row a batch; intents in a row that came to the same nothing share one."""
    for refusal, alike in groupby(batches, key=lambda batch: batch.why_not_created):
        if refusal is None:
            yield from (_batch(batch, axis) for batch in alike)
        else:
            yield _void(refusal, list(alike), axis)


def _void(refusal: str, batches: list[Batch], axis: _Axis) -> Row:
    first, last = batches[0], batches[-1]
    when = axis.said(first.intent_at)
    if len(batches) > 1:
        when += f" to {axis.said(last.intent_at)}"
    why = VOID.get(refusal, refusal)
    return Row(
        name=_name(first) + (f" to {_name(last)}" if len(batches) > 1 else ""),
        requests=last.requests,
        hint=f"{when}: {why}",
        tone="bad" if refusal == REJECTED else "attention",
        points=tuple(axis.place(batch.intent_at) for batch in batches),
        why=why,
        note=why if len(batches) == 1 else f"{why} {len(batches)} times",
    )


def _batch(batch: Batch, axis: _Axis) -> Row:
    created = batch.created_at or batch.intent_at
    ended = batch.ended_at or batch.closed_at or axis.end
    closed = batch.closed_at or ended
    start, middle, end = map(axis.place, (created, ended, closed))
    return Row(
        name=_name(batch),
        requests=batch.requests,
        hint=_hint(batch, axis),
        tone=_tone(batch),
        start=start,
        working=round(max(0.0, middle - start), 3),
        waiting=round(max(0.0, end - middle), 3),
        open=batch.state != "closed",
        note=_note(batch),
        took=duration(ended - created) if batch.state == "closed" else "still open",
    )


def _name(batch: Batch) -> str:
    return str(int(batch.record.removeprefix("batch#")))


def _hint(batch: Batch, axis: _Axis) -> str:
    steps = (
        ("created", batch.created_at),
        ("ended at Claude", batch.ended_at),
        ("collected", batch.closed_at),
    )
    return ", ".join(f"{what} {axis.said(moment)}" for what, moment in steps if moment)


def _tone(batch: Batch) -> Tone:
    if batch.trouble or batch.disputed or batch.aside_by:
        return "bad"
    if batch.tally.expired or batch.tally.canceled:
        return "attention"
    return "plain"


def _note(batch: Batch) -> str:
    """What was unusual about it, in a few words; the first that holds."""
    tally = batch.tally
    notes = (
        (batch.disputed, "disputed"),
        (batch.aside_by and batch.state == "open", "set aside"),
        (tally.rejected, f"{tally.rejected:,} rejected"),
        (batch.trouble, "had a problem"),
        (tally.expired, f"{tally.expired:,} expired"),
        (tally.canceled, f"{tally.canceled:,} canceled"),
        (batch.state == "creating", "unknown whether it arrived"),
        (batch.cancel_asked and batch.state == "open", "being canceled"),
        (not batch.confirmed and batch.state == "open", "found in Claude's list"),
    )
    return next((note for holds, note in notes if holds), "")


def _marks(facts: Facts, axis: _Axis) -> Iterator[Mark]:
    for failure in facts.record.failures:
        if failure.at:
            yield Mark(axis.place(failure.at), f"failed {axis.said(failure.at)}", "bad")
    report = facts.record.report
    if report and report.reported_at:
        at = report.reported_at
        yield Mark(axis.place(at), f"reported {axis.said(at)}", "plain")
