"""The end of an execution: reports are kept and told, and finished runs are taken off the lock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from nightshift.deployment import Deployment
from nightshift.ending import mail, report
from nightshift.ending.report import Ending
from nightshift.ending.troubles import Troubles
from nightshift.errors import LedgerMismatch
from nightshift.events import SubmitCall
from nightshift.observability import count_run
from nightshift.runs import budget, held
from nightshift.runs.ledger import Stale, month_of
from nightshift.runs.lock import Lock
from nightshift.runs.records import GIVEN_UP, LOST, Batch, Run
from nightshift.sending import refusal

# The mail compares a run with so many runs before it.
_COMPARED = 7
# Reasons that end an execution before it has asked about all that is pending.
_ENDS_EARLY = frozenset({"batches", "budget", "limit", "rejected", "unavailable", "unusable"})


@dataclass(frozen=True)
class Finish:
    """The last step of an execution, when nothing is open that this execution could collect.

    `runs` are the unfinished runs, the last of them is the one that was asked for. `lock` is the
    lock as it was before these runs were read.
    """

    call: SubmitCall
    stack: Deployment
    lock: Lock
    runs: Sequence[Run]

    def step(self, reason: str) -> dict[str, Any]:
        """Keep the report of every run; returns what the workflow reports and how it ends, which
        is decided by the run that was asked for.

        `reason` is why tickets stay pending, empty where none do. The runs leave the lock last: if
        this call dies before, the next call finds them all and says the same. Where a problem must
        be told, the runs stay unfinished until an execution finds that somebody was told.

        Raises:
            LedgerMismatch: the numbers of a run do not add up.
            Stale: another call has sent a batch meanwhile.
        """
        pending, given_up = self.stack.tickets.count_pending(), self.stack.tickets.count_failed()
        *older, run = self.runs
        for other in older:
            self._keep_older(other, pending)
        ending = self._ending(run, reason)
        notices = self._notices(run, reason)
        kept = self._keep(run, ending, pending, notices)
        problem = self._problem(run, reason)
        step = {
            "run_id": run.run_id,
            "report": report.output(kept),
            "tell": ending.status != "nothing_to_do",
            "notices": notices,
            "problem": problem,
        }
        if step["tell"]:
            step["text"] = self._text(kept)
        count_run(pending, given_up)
        self._take_off_the_lock(problem)
        return step

    def _problem(self, run: Run, reason: str) -> dict[str, str] | None:
        """Error and cause with which this execution must fail, None if it succeeds. Troubles that
        an earlier execution told nobody of are from now on this one's."""
        troubles = Troubles(self.runs, self.call.execution)
        found = troubles.gravest
        for batch in troubles.untold_by_others:
            self.stack.ledger.take_over(batch, self.call.execution)
        if found is None and reason == "unavailable":
            said = refusal.too_often(run, self.call.execution)
            return {"error": "ClaudeUnavailable", "cause": said}
        return found

    def _take_off_the_lock(self, problem: dict[str, str] | None) -> None:
        """Take the finished runs off the lock, all at once, unless a problem must be told."""
        for batch in Troubles(self.runs, self.call.execution).told_by_others:
            self.stack.ledger.mark_told(batch)
        done = [run.run_id for run in self.runs if self._is_done(run)]
        if problem or not done:
            return
        if not self.stack.lock.finish(self.call.execution, done, self.lock.last_intent):
            raise Stale("the lock has moved on since the records were read")

    def _is_done(self, run: Run) -> bool:
        return not run.in_state("open") and not held.kept_back([run], self.stack.now())

    def _ending(self, run: Run, reason: str) -> Ending:
        worked = any(each.has_work_of(self.call.execution) for each in self.runs)
        worked = worked or self._is_unreported(run)
        if reason == "canceled":
            return Ending("canceled" if worked or run.batches else "nothing_to_do")
        if run.in_state("open") or self._keeps_tickets_back():
            return Ending("partial", "set_aside")
        some_still_pending = reason in _ENDS_EARLY or report.tickets_still_pending(run)
        if some_still_pending and reason:
            return Ending("partial", reason)
        return Ending("complete" if worked else "nothing_to_do")

    def _keeps_tickets_back(self) -> bool:
        blocks = held.kept_back(self.runs, self.stack.now())
        return any(self.stack.tickets.any_pending(b.first, b.last) for b in blocks)

    def _is_unreported(self, run: Run) -> bool:
        """Whether batches or unasked tickets of the run are in no report: an earlier execution has
        ended before its report."""
        closed = [batch.closed_at for batch in run.in_state("closed") if batch.closed_at]
        if not closed and not run.unasked:
            return False
        kept = self.stack.ledger.report(run.run_id)
        if kept is None:
            return True
        return bool(closed) and max(closed) > datetime.fromisoformat(kept["reported_at"])

    def _notices(self, run: Run, reason: str) -> list[str]:
        """For people: what someone should know although the execution succeeds."""
        me = self.call.execution
        found = [run.model_notices.get(me, "")]
        found += [each.notice for each in run.canaries if each.execution == me]
        found += [
            _settled(batch)
            for each in self.runs
            for batch in each.in_state("closed")
            if batch.closed_by == me and batch.trouble and batch.trouble.noticed_by != me
        ]
        if reason == "budget":
            asked = self.call.input.max_cost_usd
            found.append(
                budget.remaining(run, asked, self.stack.ledger, self.stack.settings).notice
            )
        return [notice for notice in found if notice]

    def _keep_older(self, other: Run, pending: int) -> None:
        """Keep the report of a run that an earlier execution was asked for, unless its report is
        kept already and nothing has happened in the run since."""
        news = other.has_work_of(self.call.execution) or self._is_unreported(other)
        if not news and self.stack.ledger.report(other.run_id) is not None:
            return
        reason = "interrupted" if report.tickets_still_pending(other) else ""
        self._keep(other, self._ending(other, reason), pending)

    def _keep(
        self, run: Run, ending: Ending, pending: int, notices: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Keep a run's report. A run whose books do not balance is taken off the lock before the
        error is raised, else each later execution would fail for the same run."""
        try:
            kept = report.flat(run, ending, pending, self.call.started_at)
        except LedgerMismatch:
            if self._is_done(run):
                me, last_intent = self.call.execution, self.lock.last_intent
                self.stack.lock.finish(me, [run.run_id], last_intent)
            raise
        if ending.status != "nothing_to_do":
            kept |= report.details(run, self.stack.task) | self._month(run) | self._waiting
            kept["notices"] = list(notices)
            self.stack.ledger.save_report(run.run_id, kept)
        return kept

    def _month(self, run: Run) -> dict[str, Any]:
        month = month_of(datetime.now(UTC))
        return {"month_cost_usd": float(budget.spent_in(month, run, self.stack.ledger))}

    @cached_property
    def _waiting(self) -> dict[str, int]:
        """How many tickets wait for a person now, where the task leaves any to one."""
        if not self.stack.task.contract.leaves_to_people:
            return {}
        return {"waiting": self.stack.tickets.count_waiting()}

    def _text(self, kept: Mapping[str, Any]) -> str:
        before = self.stack.ledger.reports_before(kept["run_id"], _COMPARED)
        return mail.text(kept, before, self.stack.settings.max_monthly_cost_usd)


def _settled(batch: Batch) -> str:
    """For people: what became of a batch that an earlier execution had set aside."""
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
