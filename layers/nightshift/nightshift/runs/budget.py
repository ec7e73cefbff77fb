"""What may still be spent: each run has a budget, and a calendar month (UTC) may have one too.

An open batch counts at its bound; a closed batch at its cost, and at the bound of requests whose
results were never read. Each counts in the month of its intent. Every sum is made anew from the
records, so no sum can drift.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from nightshift.runs.ledger import Ledger, month_of
from nightshift.runs.records import Run
from nightshift.settings import Settings


@dataclass(frozen=True)
class Remaining:
    """USD that may still be spent by the run and by the month; the tighter limit binds."""

    month: str
    run_limit: Decimal
    run_usd: Decimal
    month_limit: Decimal
    month_usd: Decimal | None
    """What is unspent of the month's limit; None where the month has no limit."""

    @property
    def usd(self) -> Decimal:
        return self.run_usd if self.month_usd is None else min(self.run_usd, self.month_usd)

    @property
    def notice(self) -> str:
        """For people: which limit binds, and what to do about it."""
        if self.month_usd is not None and self.month_usd < self.run_usd:
            return (
                f"The budget of {self.month} (${_usd(self.month_limit)}) leaves no room for what "
                "is still pending. Raise MaxMonthlyCostUsd, or wait for the next month."
            )
        return (
            f"The budget of this run (${_usd(self.run_limit)}) leaves no room for what is still "
            "pending. Raise MaxCostUsd, or start with a larger max_cost_usd."
        )


def remaining(run: Run, asked: Decimal | None, ledger: Ledger, settings: Settings) -> Remaining:
    """What this run may still spend now. `asked` (USD) is the limit that the start has asked for
    instead of the stack's; it never replaces the month's."""
    month = month_of(datetime.now(UTC))
    limit = asked or settings.max_cost_usd
    month_limit = settings.max_monthly_cost_usd
    month_usd = month_limit - _counted_in(month, run, ledger) if month_limit else None
    return Remaining(month, limit, limit - counted(run), month_limit, month_usd)


def counted(run: Run, month: str | None = None) -> Decimal:
    """USD that the batches and canaries of a run count for, all of them or those of one month."""
    batches = [b.counted for b in run.batches if month in (None, month_of(b.intent_at))]
    canaries = [c.counted for c in run.canaries if month in (None, month_of(c.asked_at))]
    return sum((*batches, *canaries), Decimal(0))


def spent_in(month: str, run: Run, ledger: Ledger) -> Decimal:
    """USD that a month has cost so far: closed batches and answered canaries of all runs."""
    total = Decimal(0)
    for each in _runs_of(month, run, ledger):
        total += sum(b.cost for b in each.in_state("closed") if month_of(b.intent_at) == month)
        total += sum(c.cost for c in each.canaries if month_of(c.asked_at) == month)
    return total


def _counted_in(month: str, run: Run, ledger: Ledger) -> Decimal:
    runs = _runs_of(month, run, ledger)
    return sum((counted(each, month) for each in runs), Decimal(0))


def _runs_of(month: str, run: Run, ledger: Ledger) -> list[Run]:
    """All runs that paid in a month. `run` was read already, and is not read again."""
    others = ledger.runs_of(month).keys() - {run.run_id}
    return [run, *(ledger.run(run_id) for run_id in sorted(others))]


def _usd(limit: Decimal) -> str:
    """The limit as people set it, with at least two digits: it may be a tenth of a cent."""
    return f"{limit:,.2f}" if limit == round(limit, 2) else f"{limit.normalize():,f}"
