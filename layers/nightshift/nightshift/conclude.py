"""The end of an execution: what its runs came to is kept, told, and taken off the lock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nightshift import budget, message, report
from nightshift.deployment import Deployment
from nightshift.errors import LedgerMismatch
from nightshift.events import SubmitCall
from nightshift.ledger import month_of
from nightshift.observability import count_night
from nightshift.records import Night
from nightshift.report import Ending

# A night is compared with so many runs before it.
_COMPARED = 7


@dataclass(frozen=True)
class Conclusion:
    """Nothing is open that this execution could finish. `nights` are the unfinished runs, the one
    that was asked for is the last."""

    call: SubmitCall
    stack: Deployment
    nights: Sequence[Night]

    def step(self, reason: str) -> dict[str, Any]:
        """Keep the report of every run; what the workflow says and how it ends, from the last.

        `reason` is why tickets stay pending, empty where none do.

        Raises:
            LedgerMismatch: the numbers of a run do not add up.
        """
        pending = self.stack.tickets.count_pending()
        *older, night = self.nights
        for other in older:
            left = "interrupted" if report.tickets_left(other) else ""
            self._keep(other, self._ending(other, left), pending)
        ending = self._ending(night, reason)
        notices = self._notices(night, reason)
        kept = self._keep(night, ending, pending, notices)
        count_night(pending, self.stack.tickets.count_failed())
        step = {
            "run_id": night.run_id,
            "report": report.output(kept),
            "tell": ending.status != "nothing_to_do",
            "notices": notices,
            "problem": report.problem(self.nights, self.call.execution),
        }
        return {**step, "text": self._text(kept)} if step["tell"] else step

    def _ending(self, night: Night, reason: str) -> Ending:
        worked = any(report.worked(each, self.call.execution) for each in self.nights)
        worked = worked or self._is_untold(night)
        if reason == "canceled":
            return Ending("canceled" if worked or night.batches else "nothing_to_do")
        if night.in_state("open"):
            return Ending("partial", "set_aside")
        left = reason in ("budget", "limit", "rejected") or report.tickets_left(night)
        if left and reason:
            return Ending("partial", reason)
        return Ending("complete" if worked else "nothing_to_do")

    def _is_untold(self, night: Night) -> bool:
        """Whether an execution that ended before its report has left it to the next."""
        closed = [batch.closed_at for batch in night.in_state("closed") if batch.closed_at]
        if not closed and not night.empties:
            return False
        kept = self.stack.ledger.report(night.run_id)
        if kept is None:
            return True
        return bool(closed) and max(closed) > datetime.fromisoformat(kept["reported_at"])

    def _notices(self, night: Night, reason: str) -> list[str]:
        """What someone should know although the night is green."""
        me = self.call.execution
        found = [night.model_notices.get(me, "")]
        found += [each.notice for each in night.canaries if each.execution == me]
        if reason == "budget":
            asked = self.call.input.max_cost_usd
            found.append(budget.left(night, asked, self.stack.ledger, self.stack.settings).notice)
        return [notice for notice in found if notice]

    def _keep(
        self, night: Night, ending: Ending, pending: int, notices: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Keep a run's report; a run without open batches is finished, even if its books are not.

        The report is first: a run that is off the lock is never looked at again.
        """
        try:
            kept = report.flat(night, ending, pending, self.call.started_at)
            if ending.status != "nothing_to_do":
                kept |= report.details(night) | self._month(night) | {"notices": list(notices)}
                self.stack.ledger.save_report(night.run_id, kept)
        except LedgerMismatch:
            self._finish(night)
            raise
        self._finish(night)
        return kept

    def _finish(self, night: Night) -> None:
        if not night.in_state("open"):
            self.stack.lock.finish(self.call.execution, night.run_id)

    def _month(self, night: Night) -> dict[str, Any]:
        month = month_of(datetime.now(UTC))
        return {"month_cost_usd": float(budget.spent_in(month, night, self.stack.ledger))}

    def _text(self, kept: Mapping[str, Any]) -> str:
        before = self.stack.ledger.reports_before(kept["run_id"], _COMPARED)
        return message.text(kept, before, self.stack.settings.max_monthly_cost_usd)
