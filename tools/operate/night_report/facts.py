"""What a record means: the books, and what was unusual. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from nightshift.claude.money import BATCH_FACTOR
from nightshift.runs.records import TRY_LATER, Batch, Tally
from tools.operate.night_report.record import Record

# The longest pause between two looks at a batch is 15 minutes: what lay longer than two was late.
LATE = timedelta(minutes=35)
OUTAGE = timedelta(minutes=10)
AT_PROVIDER = timedelta(hours=24)
USUAL_RUNS = 7
# The notice of a budget: which one bound, and its amount.
_BOUND = re.compile(r"The budget of (this run|\d{4}-\d\d) \(\$([\d,]+\.\d+)\)")
# A schedule of once a day, as the template's own default.
_DAILY = re.compile(r"cron\((\d{1,2}) (\d{1,2}) \* \* \? \*\)")


@dataclass(frozen=True)
class Outage:
    """Claude took nothing: from a refused create to the next sign of life, or to no end yet.
    `refused` are the batches that it did not take; a canary may have been refused as well."""

    start: datetime
    end: datetime | None
    refused: tuple[Batch, ...]


@dataclass(frozen=True)
class Budget:
    """The limit that bound, in USD: of a run, set by its start if `asked`, or of a `month`."""

    usd: float
    month: str
    asked: bool

    @property
    def of_month(self) -> bool:
        return bool(self.month)


@dataclass(frozen=True)
class Facts:
    """One run, understood."""

    record: Record

    @cached_property
    def batches(self) -> list[Batch]:
        """Those that Claude accepted, oldest first."""
        return self.record.night.in_state("open", "closed")

    @cached_property
    def closed(self) -> list[Batch]:
        return self.record.night.in_state("closed")

    @cached_property
    def open(self) -> list[Batch]:
        return self.record.night.in_state("creating", "open")

    # The books. Every number is a sum over the closed batches, as in the workflow's output.

    @cached_property
    def tally(self) -> Tally:
        return sum((batch.tally for batch in self.closed), Tally())

    @property
    def submitted(self) -> int:
        return sum(batch.requests for batch in self.closed)

    @property
    def empty(self) -> int:
        return sum(group.tickets for group in self.record.night.blank_groups)

    @property
    def failed(self) -> int:
        return self.tally.failed + self.empty

    @property
    def balanced(self) -> bool:
        return self.submitted == self.tally.accounted

    # Money in USD, and tokens: as reported, which counts more than batches, or summed up where
    # nothing is reported yet.

    @property
    def cost(self) -> float:
        if self.record.report and self.record.report.cost_usd is not None:
            return self.record.report.cost_usd
        return float(sum((batch.cost for batch in self.closed), Decimal(0)))

    @property
    def bound(self) -> float:
        """What open batches may still come to at most."""
        return float(sum((batch.bound for batch in self.open), Decimal(0)))

    @cached_property
    def budget(self) -> Budget | None:
        """The one that ended the run early, as its notice says; None if none did."""
        notices = self.record.report.notices if self.record.report else ()
        found = next(filter(None, map(_BOUND.match, notices)), None)
        if found is None:
            return None
        amount = float(found[2].replace(",", ""))
        if found[1] != "this run":
            return Budget(amount, found[1], asked=False)
        own = self.record.stack.parameters.get("MaxCostUsd")
        return Budget(amount, "", asked=bool(own) and round(float(own or 0), 2) != amount)

    @property
    def realtime(self) -> float:
        if self.record.report and self.record.report.realtime_cost_usd is not None:
            return self.record.report.realtime_cost_usd
        return self.cost / float(BATCH_FACTOR)

    @property
    def input_tokens(self) -> int:
        report, used = self.record.report, self.tally.usage
        if report and report.input_tokens is not None:
            return report.input_tokens
        return used.input_tokens + used.cache_read + used.cache_write_5m + used.cache_write_1h

    @property
    def output_tokens(self) -> int:
        report = self.record.report
        if report and report.output_tokens is not None:
            return report.output_tokens
        return self.tally.usage.output_tokens

    @property
    def models(self) -> list[str]:
        return sorted({batch.model for batch in self.record.night.batches})

    # Time.

    @cached_property
    def start(self) -> datetime | None:
        """The first thing that is known of the run."""
        moments = [batch.intent_at for batch in self.record.night.batches]
        moments += [canary.asked_at for canary in self.record.night.canaries]
        moments += [failure.at for failure in self.record.failures if failure.at]
        return min([*moments, *self._reported], default=None)

    @cached_property
    def end(self) -> datetime | None:
        """The last thing that is known of it; now, while it runs."""
        if self.record.running:
            return datetime.now(UTC)
        known = [
            moment
            for batch in self.record.night.batches
            for moment in (batch.intent_at, batch.created_at, batch.ended_at, batch.closed_at)
        ]
        known += [failure.at for failure in self.record.failures]
        return max([*filter(None, known), *self._reported], default=None)

    @property
    def _reported(self) -> list[datetime]:
        report = self.record.report
        return [report.reported_at] if report and report.reported_at else []

    @cached_property
    def starts_meanwhile(self) -> list[datetime]:
        """When the schedule, if it is a daily one, started another night during this one."""
        parameters = self.record.stack.parameters
        daily = _DAILY.fullmatch(parameters.get("Schedule", ""))
        if not daily or not self.start or not self.end:
            return []
        if parameters.get("ScheduleState") == "DISABLED":
            return []
        minute, hour = map(int, daily.groups())
        first = self.start.replace(hour=hour, minute=minute, second=0, microsecond=0)
        days = (first + n * timedelta(days=1) for n in range(1 + (self.end - first).days))
        # Its own start is a little before the first thing that is known of it.
        return [moment for moment in days if self.start + OUTAGE < moment < self.end]

    @property
    def executions(self) -> list[str]:
        """All that left something in the record."""
        night = self.record.night
        named = [batch.execution for batch in night.batches]
        named += [round_.execution for round_ in night.rounds]
        named += [failure.execution for failure in self.record.failures]
        return list(dict.fromkeys(filter(None, named)))

    @property
    def last_execution(self) -> str:
        """The one that was last heard of; empty if none was."""
        night = self.record.night
        heard = [(batch.intent_at, batch.execution) for batch in night.batches]
        heard += [(b.closed_at, b.closed_by) for b in self.closed if b.closed_at and b.closed_by]
        heard += [(canary.asked_at, canary.execution) for canary in night.canaries]
        heard += [(failure.at, failure.execution) for failure in self.record.failures if failure.at]
        return max(heard, default=(None, ""))[1]

    # What was unusual.

    @cached_property
    def void(self) -> list[Batch]:
        """Those that Claude did not take."""
        return self.record.night.in_state("not_created")

    @cached_property
    def outages(self) -> list[Outage]:
        """Refused creates, put together until Claude answered something again."""
        return [outage for outage in self._refusals() if self._length(outage) >= OUTAGE]

    def _length(self, outage: Outage) -> timedelta:
        return (outage.end or self.end or outage.start) - outage.start

    def _refusals(self) -> Iterator[Outage]:
        answered = sorted(
            moment
            for batch in self.batches
            for moment in (batch.created_at, batch.closed_at)
            if moment
        )
        night = self.record.night
        batches = [batch for batch in night.batches if batch.why_not_created == TRY_LATER]
        refused = [batch.intent_at for batch in batches]
        refused += [canary.asked_at for canary in night.canaries if canary.state == "refused"]
        refused.sort()
        while refused:
            start = refused[0]
            end = next((moment for moment in answered if moment > start), None)
            during = [moment for moment in refused if end is None or moment < end]
            yield Outage(start, end, tuple(b for b in batches if b.intent_at in during))
            refused = refused[len(during) :]

    @cached_property
    def late(self) -> list[Batch]:
        """Batches whose results lay ready for long before they were collected."""
        return [
            batch
            for batch in self.closed
            if batch.ended_at and batch.closed_at and batch.closed_at - batch.ended_at > LATE
        ]

    @property
    def expired(self) -> list[Batch]:
        return [batch for batch in self.closed if batch.tally.expired]

    @property
    def canceled(self) -> list[Batch]:
        return [batch for batch in self.closed if batch.tally.canceled]

    @property
    def disputed(self) -> list[Batch]:
        return [batch for batch in self.closed if batch.disputed]

    @property
    def set_aside(self) -> list[Batch]:
        return [batch for batch in self.record.night.in_state("open") if batch.aside_by]

    @property
    def troubled(self) -> list[Batch]:
        """Batches with a problem of their own, whatever became of them."""
        return [batch for batch in self.record.night.batches if batch.trouble]

    # Against other nights.

    @cached_property
    def categories(self) -> dict[str, int]:
        report = self.record.report
        counts = report.categories if report else {}
        return dict(sorted(counts.items(), key=lambda pair: -pair[1]))

    @cached_property
    def usual_shares(self) -> dict[str, float]:
        """The share of each category in the last runs before this one; empty if there are none."""
        counted = [report.categories for _, report in self.record.earlier if report.categories]
        sums: dict[str, int] = {}
        for counts in counted[-USUAL_RUNS:]:
            for name, value in counts.items():
                sums[name] = sums.get(name, 0) + value
        total = sum(sums.values())
        return {name: value / total for name, value in sums.items()} if total else {}
