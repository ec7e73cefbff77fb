"""The end of an execution: what its runs came to is kept, told, and taken off the lock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nightshift.deployment import Deployment
from nightshift.ending import mail, report
from nightshift.ending.report import Ending
from nightshift.errors import LedgerMismatch
from nightshift.events import SubmitCall
from nightshift.observability import count_night
from nightshift.runs import budget, held
from nightshift.runs.ledger import Stale, month_of
from nightshift.runs.lock import Lock
from nightshift.runs.records import GIVEN_UP, LOST, Batch, Night
from nightshift.sending import refusal

# A night is compared with so many runs before it.
_COMPARED = 7
# Reasons that end an execution before it has asked about all that is pending.
_ENDS_EARLY = frozenset({"batches", "budget", "limit", "rejected", "unavailable", "unusable"})


@dataclass(frozen=True)
class Conclusion:
    """Nothing is open that this execution could finish. `nights` are the unfinished runs, the one
    that was asked for is the last; `lock` is the lock as it was before they were read."""

    call: SubmitCall
    stack: Deployment
    lock: Lock
    nights: Sequence[Night]

    def step(self, reason: str) -> dict[str, Any]:
        """Keep the report of every run; what the workflow says and how it ends, from the last.

        `reason` is why tickets stay pending, empty where none do. The runs are finished last: an
        execution that dies before leaves all of them to the next call, which says the same. Where
        a problem must be told they stay unfinished, until an execution finds that it was told.

        Raises:
            LedgerMismatch: the numbers of a run do not add up.
            Stale: another call has sent a batch meanwhile.
        """
        pending, given_up = self.stack.tickets.count_pending(), self.stack.tickets.count_failed()
        *older, night = self.nights
        for other in older:
            self._keep_older(other, pending)
        ending = self._ending(night, reason)
        notices = self._notices(night, reason)
        kept = self._keep(night, ending, pending, notices)
        problem = self._problem(night, reason)
        step = {
            "run_id": night.run_id,
            "report": report.output(kept),
            "tell": ending.status != "nothing_to_do",
            "notices": notices,
            "problem": problem,
        }
        if step["tell"]:
            step["text"] = self._text(kept)
        count_night(pending, given_up)
        self._finish(problem)
        return step

    def _problem(self, night: Night, reason: str) -> dict[str, str] | None:
        found = report.problem(self.nights, self.call.execution)
        for batch in report.left_untold(self.nights, self.call.execution):
            self.stack.ledger.take_over(batch, self.call.execution)
        if found is None and reason == "unavailable":
            said = refusal.too_often(night, self.call.execution)
            return {"error": "ClaudeUnavailable", "cause": said}
        return found

    def _finish(self, problem: dict[str, str] | None) -> None:
        """Take the runs that are done off the lock, all at once."""
        for batch in report.told_by_others(self.nights, self.call.execution):
            self.stack.ledger.mark_told(batch)
        done = [night.run_id for night in self.nights if self._is_done(night)]
        if problem or not done:
            return
        if not self.stack.lock.finish(self.call.execution, done, self.lock.last_intent):
            raise Stale("the lock has moved on since the records were read")

    def _is_done(self, night: Night) -> bool:
        return not night.in_state("open") and not held.kept_back([night], self.stack.now())

    def _ending(self, night: Night, reason: str) -> Ending:
        worked = any(report.worked(each, self.call.execution) for each in self.nights)
        worked = worked or self._is_untold(night)
        if reason == "canceled":
            return Ending("canceled" if worked or night.batches else "nothing_to_do")
        if night.in_state("open") or self._keeps_tickets_back():
            return Ending("partial", "set_aside")
        left = reason in _ENDS_EARLY or report.tickets_left(night)
        if left and reason:
            return Ending("partial", reason)
        return Ending("complete" if worked else "nothing_to_do")

    def _keeps_tickets_back(self) -> bool:
        blocks = held.kept_back(self.nights, self.stack.now())
        return any(self.stack.tickets.any_pending(b.first, b.last) for b in blocks)

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
        found += [
            _settled(batch)
            for each in self.nights
            for batch in each.in_state("closed")
            if batch.closed_by == me and batch.noticed_by not in (None, me)
        ]
        if reason == "budget":
            asked = self.call.input.max_cost_usd
            found.append(budget.left(night, asked, self.stack.ledger, self.stack.settings).notice)
        return [notice for notice in found if notice]

    def _keep_older(self, other: Night, pending: int) -> None:
        """The report of a run that an earlier execution was asked for, unless one is kept already
        and nothing has become of the run since."""
        news = report.worked(other, self.call.execution) or self._is_untold(other)
        if not news and self.stack.ledger.report(other.run_id) is not None:
            return
        left = "interrupted" if report.tickets_left(other) else ""
        self._keep(other, self._ending(other, left), pending)

    def _keep(
        self, night: Night, ending: Ending, pending: int, notices: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Keep a run's report. A run whose books do not balance is finished: it would fail every
        night."""
        try:
            kept = report.flat(night, ending, pending, self.call.started_at)
        except LedgerMismatch:
            if self._is_done(night):
                me, last_intent = self.call.execution, self.lock.last_intent
                self.stack.lock.finish(me, [night.run_id], last_intent)
            raise
        if ending.status != "nothing_to_do":
            kept |= report.details(night) | self._month(night) | {"notices": list(notices)}
            self.stack.ledger.save_report(night.run_id, kept)
        return kept

    def _month(self, night: Night) -> dict[str, Any]:
        month = month_of(datetime.now(UTC))
        return {"month_cost_usd": float(budget.spent_in(month, night, self.stack.ledger))}

    def _text(self, kept: Mapping[str, Any]) -> str:
        before = self.stack.ledger.reports_before(kept["run_id"], _COMPARED)
        return mail.text(kept, before, self.stack.settings.max_monthly_cost_usd)


def _settled(batch: Batch) -> str:
    """What became of a batch that an earlier execution could not read and went on without."""
    name = f"{batch.batch_id} ({batch.record} of run {batch.run_id})"
    if batch.unread == LOST:
        return (
            f"Claude did not know {name} for 25 hours: it is closed as lost. Those of its tickets "
            "that are pending are asked again; if it was answered after all, that cost at most "
            f"${batch.counted:,.4f}."
        )
    if batch.unread == GIVEN_UP:
        return (
            f"{name} was given up by a cancel, since Claude does not know it. Its tickets can be "
            f"asked again from {held.free_from(batch):%Y-%m-%d %H:%M} UTC on."
        )
    return (
        f"{name} could not be read before and is collected now: {batch.tally.classified:,} tickets "
        f"sorted, {batch.tally.superseded:,} answers too late, for ${batch.cost:,.4f}."
    )
