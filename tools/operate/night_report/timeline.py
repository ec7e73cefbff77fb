"""The batches of a night as rows on one axis of time. Pure geometry, in percent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Literal

from nightshift.runs.records import KEY_REFUSED, REJECTED, TOO_LARGE, UNSEEN, Batch
from tools.operate.night_report.record import Record
from tools.operate.night_report.verdict import clock
from tools.words import count, duration, usd

NOTHING = "\N{EN DASH}"
MOST_TICKS = 6
SHORTEST = timedelta(seconds=10)
"""A shorter axis would only show how long a call takes."""
_SECONDS = (1, 2, 5, 10, 15, 30)
STEPS = (*_SECONDS, *(60 * m for m in _SECONDS), *(3_600 * h for h in (1, 2, 3, 6, 12, 24, 48)))
WHY_NOT_CREATED = {
    TOO_LARGE: "too large",
    UNSEEN: "never arrived",
    KEY_REFUSED: "key refused",
}
COLUMNS = (
    *("Batch", "State", "Requests", "Created", "Ended", "Collected"),
    *("Sorted", "Given up", "Again", "Unused", "Cost", "At Claude"),
)


@dataclass(frozen=True)
class Mark:
    """A moment, as a line through all rows."""

    at: float
    label: str
    tone: str = ""


@dataclass(frozen=True)
class Row:
    """A batch: `working` at Claude from `start` on, then `waiting` to be collected; or creates
    that came to nothing, as points."""

    name: str
    requests: int
    said: str
    tone: Literal["plain", "attention", "bad"]
    start: float = 0.0
    working: float = 0.0
    waiting: float = 0.0
    open: bool = False
    points: tuple[float, ...] = ()


@dataclass(frozen=True)
class Timeline:
    """Of one run, until `now` if that is running."""

    record: Record
    now: datetime

    @property
    def start(self) -> datetime:
        return self.record.moments[0][0] if self.record.moments else self.now

    @property
    def end(self) -> datetime:
        return self.now if self.record.running else self.record.moments[-1][0]

    @property
    def took(self) -> timedelta:
        return self.end - self.start if self.record.moments else timedelta()

    @property
    def _span(self) -> timedelta:
        return max(self.took, SHORTEST)

    def _place(self, moment: datetime) -> float:
        return round(100 * min(1.0, max(0.0, (moment - self.start) / self._span)), 3)

    def clock(self, moment: datetime | None) -> str:
        return clock(moment, self.start.date()) if moment else NOTHING

    def ticks(self) -> Iterator[Mark]:
        """None so near to an edge that its label would stand out of the chart."""
        seconds = self._span.total_seconds()
        step = next((step for step in STEPS if seconds / step <= MOST_TICKS), STEPS[-1])
        moment = self.start.timestamp() // step * step
        while (moment := moment + step) < self.start.timestamp() + 0.96 * seconds:
            when = datetime.fromtimestamp(moment, UTC)
            label = f"{when:%H:%M:%S}" if step < 60 else self.clock(when)
            if (at := self._place(when)) > 3:
                yield Mark(at, label)

    def marks(self) -> Iterator[Mark]:
        for failure in self.record.failures:
            if failure.at:
                yield Mark(self._place(failure.at), f"failed {self.clock(failure.at)}", "bad")
        if at := self.record.reported_at:
            yield Mark(self._place(at), f"reported {self.clock(at)}")

    def rounds(self) -> Iterator[tuple[str, list[Row]]]:
        """Rounds by their title; none of a night in which Claude took no batch."""
        if not self.record.run.in_state("open", "closed"):
            return
        for number, batches in groupby(self.record.run.batches, key=lambda batch: batch.round):
            of_round = list(batches)
            sent = sum(batch.requests for batch in of_round if batch.state != "not_created")
            left = " for what was left" if number > 1 else ""
            began = self.clock(of_round[0].intent_at)
            yield (
                f"Round {number} · {began} · {count(sent, 'request')}{left}",
                list(self._rows(of_round)),
            )

    def _rows(self, batches: Sequence[Batch]) -> Iterator[Row]:
        """One row a batch; creates that came to the same nothing one after the other share one."""
        for refusal, alike in groupby(batches, key=lambda batch: batch.why_not_created):
            if refusal is None:
                yield from map(self._row, alike)
                continue
            refused = list(alike)
            said = WHY_NOT_CREATED.get(refusal, refusal)
            yield Row(
                f"{refused[0].number}" + (f" to {refused[-1].number}" if refused[1:] else ""),
                refused[-1].requests,
                f"{said} {len(refused)} times" if refused[1:] else said,
                "bad" if refusal == REJECTED else "attention",
                points=tuple(self._place(batch.intent_at) for batch in refused),
            )

    def _row(self, batch: Batch) -> Row:
        created = batch.created_at or batch.intent_at
        ended = batch.ended_at or batch.closed_at or self.end
        start, middle, end = map(self._place, (created, ended, batch.closed_at or ended))
        cut = batch.tally.expired or batch.tally.canceled
        tone: Literal["plain", "attention", "bad"] = "attention" if cut else "plain"
        return Row(
            str(batch.number),
            batch.requests,
            _unusual(batch) or duration(ended - created),
            "bad" if batch.trouble else tone,
            start,
            round(max(0.0, middle - start), 3),
            round(max(0.0, end - middle), 3),
            batch.state != "closed",
        )

    def table(self) -> Iterator[tuple[str, ...]]:
        """Every batch in numbers, in COLUMNS."""
        for batch in self.record.run.batches:
            tally = batch.tally
            counts = (tally.classified, tally.failed, tally.requeued, tally.superseded)
            yield (
                *(str(batch.number), batch.why_not_created or batch.state, f"{batch.requests:,}"),
                *map(self.clock, (batch.created_at, batch.ended_at, batch.closed_at)),
                *(f"{each:,}" for each in counts),
                *(usd(float(batch.cost)), batch.batch_id or NOTHING),
            )


def _unusual(batch: Batch) -> str:
    """What was unusual about a batch, in a few words; the first that holds."""
    tally = batch.tally
    notes = (
        (batch.disputed, "disputed"),
        (batch.set_aside, "set aside"),
        (tally.rejected, f"{tally.rejected:,} rejected"),
        (tally.expired, f"{tally.expired:,} expired"),
        (tally.canceled, f"{tally.canceled:,} canceled"),
        (batch.state == "creating", "unknown whether it arrived"),
        (batch.state == "open", "being canceled" if batch.cancel_asked else "still open"),
    )
    return next((note for holds, note in notes if holds), "")
