"""What may still be spent: a run has a budget, and so may a calendar month (UTC) have.

An open batch counts at its upper bound, a closed one at its cost and at the bound of what was
never read, a canary likewise; each in the month of its intent. Every sum is made anew from the
record, so none can drift.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from nightshift.runs.ledger import Ledger, month_of
from nightshift.runs.records import Night
from nightshift.settings import Settings


@dataclass(frozen=True)
class Left:
    """USD that may still be spent under both limits, from `month` on; the tighter one binds."""

    month: str
    run_limit: Decimal
    run_usd: Decimal
    month_limit: Decimal
    month_usd: Decimal | None
    """None where the month has no limit."""

    @property
    def usd(self) -> Decimal:
        return self.run_usd if self.month_usd is None else min(self.run_usd, self.month_usd)

    @property
    def notice(self) -> str:
        """For people: which limit binds, and what to do."""
        if self.month_usd is not None and self.month_usd < self.run_usd:
            return (
                f"The budget of {self.month} (${_usd(self.month_limit)}) leaves no room for what "
                "is still pending. Raise MaxMonthlyCostUsd, or wait for the next month."
            )
        return (
            f"The budget of this run (${_usd(self.run_limit)}) leaves no room for what is still "
            "pending. Raise MaxCostUsd, or start with a larger max_cost_usd."
        )


def left(night: Night, asked: Decimal | None, ledger: Ledger, settings: Settings) -> Left:
    """What this run may still spend now; `asked` replaces the run's limit, never the month's."""
    month = month_of(datetime.now(UTC))
    limit = asked or settings.max_cost_usd
    month_limit = settings.max_monthly_cost_usd
    month_left = month_limit - _counted_in(month, night, ledger) if month_limit else None
    return Left(month, limit, limit - counted(night), month_limit, month_left)


def counted(night: Night, month: str | None = None) -> Decimal:
    """USD that a run counts for: at all, or in one month only."""
    batches = [b.counted for b in night.batches if month in (None, month_of(b.intent_at))]
    canaries = [c.counted for c in night.canaries if month in (None, month_of(c.asked_at))]
    return sum((*batches, *canaries), Decimal(0))


def spent_in(month: str, night: Night, ledger: Ledger) -> Decimal:
    """USD that a month has cost so far: what is closed or answered, in all runs."""
    total = Decimal(0)
    for each in _nights_of(month, night, ledger):
        total += sum(b.cost for b in each.in_state("closed") if month_of(b.intent_at) == month)
        total += sum(c.cost for c in each.canaries if month_of(c.asked_at) == month)
    return total


def _counted_in(month: str, night: Night, ledger: Ledger) -> Decimal:
    nights = _nights_of(month, night, ledger)
    return sum((counted(each, month) for each in nights), Decimal(0))


def _nights_of(month: str, night: Night, ledger: Ledger) -> list[Night]:
    """All runs that paid in a month; `night` is one that was read already."""
    others = ledger.runs_of(month).keys() - {night.run_id}
    return [night, *(ledger.night(run_id) for run_id in sorted(others))]


def _usd(limit: Decimal) -> str:
    """As it was set, with two digits at least: a trial may be given a tenth of a cent."""
    return f"{limit:,.2f}" if limit == round(limit, 2) else f"{limit.normalize():,f}"
