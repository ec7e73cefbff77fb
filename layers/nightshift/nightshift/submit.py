"""Submit batches: decides what the night does next; one call creates at most one batch."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from nightshift import budget, canary, estimate, lifecycle, message, report, table_check
from nightshift.adopt import resolve
from nightshift.budget import Left
from nightshift.canary import Trial
from nightshift.cancel import cancel
from nightshift.chunk import Chunk, Room
from nightshift.deployment import Deployment
from nightshift.errors import ClaudeRejected, LedgerMismatch
from nightshift.events import SubmitCall
from nightshift.ledger import Stale, month_of
from nightshift.lock import Lock
from nightshift.observability import count_night
from nightshift.records import TOO_LARGE, UNSEEN, Night, Round, Tally, Version
from nightshift.report import Ending
from nightshift.send import TIME_TO_SEND, Sender
from nightshift.status import turn_seconds
from nightshift.task import form_for

# A night is compared with so many runs before it.
_COMPARED = 7

type Step = dict[str, Any]
"""What the workflow does next: `next` is submit, wait or report, with what that needs."""


def submit(call: SubmitCall, stack: Deployment, time_left: Callable[[], float]) -> Step:
    """One call of *Submit batches*. `time_left` gives the seconds that this call may still use.

    Raises:
        PriceUnknown: the model has no price, so its cost could not be bounded.
        ClaudeRejected: asking again would not help; nothing was created.
        ClaudeUnavailable: the provider refused for about a day.
        ApiKeyMissing: there is something to send and no key.
        SettingsInvalid: the ticket table lacks the key or the index that is needed.
    """
    table_check.check(stack.tickets.dynamodb, stack.tickets.name)
    stack.prices.of(stack.settings.model)
    if call.input.dry_run:
        return estimate.count(call, stack, time_left)
    lock = stack.lock.take(call.execution, call.run_id)
    if lock is None:
        return _stand_back(call, stack)
    if call.input.action == "cancel" and not lock.stop:
        stack.lock.ask_to_stop()
        lock = stack.lock.read()
    # Read before the runs: the canary that made it known is then in what is read.
    version = stack.ledger.version(canary.version_name(stack.task, stack.settings.model))
    # Unfinished runs of earlier executions come first; the one that was asked for is the last.
    runs = [*sorted(lock.unfinished - {call.run_id}), call.run_id]
    nights = [stack.ledger.night(run_id) for run_id in runs]
    try:
        return _Turn(call, stack, lock, time_left, nights, version).decide()
    except Stale:
        # The lock or a record moved on under this call: read everything again, decide anew.
        return _again(call.run_id)


def _stand_back(call: SubmitCall, stack: Deployment) -> Step:
    """Another execution holds the lock: tell it to stop if that was asked, and end."""
    status = "already_running"
    if call.input.action == "cancel":
        status = "canceled"
        stack.lock.ask_to_stop()
        for run_id in stack.lock.read().unfinished:
            cancel(stack.ledger.night(run_id), stack)
    night = stack.ledger.night(call.run_id)
    pending = stack.tickets.count_pending()
    flat = report.flat(night, Ending(status), pending, call.started_at)
    return {"next": "report", "run_id": call.run_id, "report": flat, "tell": False}


@dataclass(frozen=True)
class _Turn:
    """One call by the holder of the lock. `nights` are the unfinished runs, ours the last;
    `version` is the task version, if Claude has answered it."""

    call: SubmitCall
    stack: Deployment
    lock: Lock
    time_left: Callable[[], float]
    nights: Sequence[Night]
    version: Version | None

    @property
    def _me(self) -> str:
        return self.call.execution

    def decide(self) -> Step:
        if self.lock.stop:
            canceled = [cancel(night, self.stack, self._me) for night in self.nights]
            if any(canceled):
                return _again(self.call.run_id)
        for night in self.nights:
            step = self._settle_creates(night)
            if step:
                return step
        *older, ours = self.nights
        for night in older:
            if night.working(self._me):
                return self._wait(night)
        return self._carry_on(ours)

    def _settle_creates(self, night: Night) -> Step | None:
        """Nothing is posted while the outcome of an earlier create is unknown."""
        creating = night.in_state("creating")
        if not creating:
            return None
        # One a call: the next must know what this one has taken.
        if any(resolve(batch, self.nights, self.stack, self._me) for batch in creating):
            return _again(night.run_id)
        return _wait(night.run_id, self.stack.settings.poll_seconds, more=True)

    def _carry_on(self, night: Night) -> Step:
        """The run that was asked for: wait, begin a round, send a chunk, or report."""
        why_not = self._why_create_nothing()
        if why_not is not None:
            return self._wait_or_report(night, why_not)
        if night.rounds and not night.rounds[-1].walked:
            return self._send(night, night.rounds[-1])
        if night.working(self._me):
            return self._wait(night)
        why_not = self._why_no_round(night)
        if why_not is not None:
            return self._report(night, why_not)
        number = len(night.rounds) + 1
        self.stack.ledger.begin_round(night.run_id, number, self._me)
        return self._send(night, Round(number, self._me, walked=False))

    def _why_create_nothing(self) -> str | None:
        if self.lock.stop:
            return "canceled"
        if self.call.input.action == "collect":
            return "collect"
        problem = report.problem(self.nights, self._me)
        if problem and problem["error"] == "ClaudeRejected":
            return "rejected"
        return None

    def _why_no_round(self, night: Night) -> str | None:
        """The reason for tickets that stay pending; empty when none do; None: begin a round."""
        begun = sum(round_.execution == self._me for round_ in night.rounds)
        if not begun:
            return None
        if not tickets_left(night):
            return ""
        if self.call.input.limit is not None:
            return "limit"
        return "rounds" if begun >= self.stack.settings.max_attempts else None

    def _send(self, night: Night, round_: Round) -> Step:
        """The next chunk of this round, if one fits now."""
        requests = self._requests_allowed(night, round_)
        if requests < 1:
            return self._wait_or_report(night, "limit")
        left = self._left(night)
        room = Room(requests, left.usd, lambda: self.time_left() < TIME_TO_SEND)
        counted = self.version.fixed_tokens if self.version else None
        form = form_for(self.stack.task, self.stack.settings.model, counted)
        sender = Sender(self.stack, night, round_, self._me, form, left.month)
        set_aside = [b for n in self.nights for b in n.in_state("open") if b.aside_by]
        chunk = sender.build(room, set_aside)
        with closing(chunk.body):
            if chunk.requests and not _is_crumb(chunk, night):
                first = self._before_paying(night, left)
                if first is not None:
                    return first
                wait = sender.create(chunk)
                return _wait(night.run_id, wait, more=True) if wait else _again(night.run_id)
        if chunk.full == "budget":
            return self._wait_or_report(night, "budget", more=True)
        if not chunk.full:
            self.stack.ledger.end_walk(night.run_id, round_.number)
        return _again(night.run_id)

    def _before_paying(self, night: Night, left: Left) -> Step | None:
        """Once an execution, how long the model lives; once a task version, its canary."""
        try:
            if self._me not in night.model_notices:
                notice = lifecycle.look(self.stack)
                self.stack.ledger.note_model(night.run_id, self._me, notice)
                night = replace(night, model_notices={**night.model_notices, self._me: notice})
            if self.version is not None:
                return None
            trial = Trial(self.stack, night, self._me, left.month)
            if trial.bound > left.usd:
                return self._wait_or_report(night, "budget", more=True)
            wait = trial.ask()
        except ClaudeRejected:
            if night.working(self._me):
                return self._wait(night)  # what is open comes first; then the same is said again
            raise
        return _wait(night.run_id, wait, more=True) if wait else _again(night.run_id)

    def _requests_allowed(self, night: Night, round_: Round) -> int:
        """The stack's bound, half of each batch that was too large in this round, and `limit`."""
        sent = sum(b.requests for b in report.accepted(night) if b.execution == self._me)
        refused = [
            max(1, batch.requests // 2)
            for batch in night.in_state("void")
            if batch.round == round_.number and batch.refusal == TOO_LARGE
        ]
        limit = self.call.input.limit
        limits = [] if limit is None else [limit - sent]
        return min([self.stack.settings.max_requests_per_batch, *refused, *limits])

    def _left(self, night: Night) -> Left:
        asked = self.call.input.max_cost_usd
        return budget.left(night, asked, self.stack.ledger, self.stack.settings)

    def _wait_or_report(self, night: Night, reason: str, more: bool = False) -> Step:
        if night.working(self._me):
            return self._wait(night, more)
        return self._report(night, reason)

    def _wait(self, night: Night, more: bool = False) -> Step:
        seconds = turn_seconds(night.working(self._me), self.stack.settings.poll_seconds)
        return _wait(night.run_id, seconds, more)

    def _report(self, night: Night, reason: str) -> Step:
        """Nothing is open that this execution could finish: what did the run come to?"""
        pending = self.stack.tickets.count_pending()
        *older, _ = self.nights
        for other in older:
            left = "interrupted" if tickets_left(other) else ""
            self._file(other, self._ending(other, left), pending)
        ending = self._ending(night, reason)
        notices = self._notices(night, reason)
        kept = self._file(night, ending, pending, notices)
        count_night(pending, self.stack.tickets.count_failed())
        step = {
            "next": "report",
            "run_id": night.run_id,
            "report": report.output(kept),
            "tell": ending.status != "nothing_to_do",
            "notices": notices,
            "problem": report.problem(self.nights, self._me),
        }
        return {**step, "text": self._message(kept)} if step["tell"] else step

    def _message(self, kept: Mapping[str, Any]) -> str:
        before = self.stack.ledger.reports_before(kept["run_id"], _COMPARED)
        return message.text(kept, before, self.stack.settings.max_monthly_cost_usd)

    def _notices(self, night: Night, reason: str) -> list[str]:
        """What someone should know although the night is green."""
        found = [night.model_notices.get(self._me, "")]
        found += [each.notice for each in night.canaries if each.execution == self._me]
        if reason == "budget":
            found.append(self._left(night).notice)
        return [notice for notice in found if notice]

    def _file(
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

    def _is_untold(self, night: Night) -> bool:
        """Whether an execution that ended before its report has left it to the next."""
        closed = [batch.closed_at for batch in night.in_state("closed") if batch.closed_at]
        if not closed and not night.empties:
            return False
        kept = self.stack.ledger.report(night.run_id)
        if kept is None:
            return True
        return bool(closed) and max(closed) > datetime.fromisoformat(kept["reported_at"])

    def _finish(self, night: Night) -> None:
        if not night.in_state("open"):
            self.stack.lock.finish(self._me, night.run_id)

    def _month(self, night: Night) -> dict[str, Any]:
        month = month_of(datetime.now(UTC))
        return {"month_cost_usd": float(budget.spent_in(month, night, self.stack.ledger))}

    def _ending(self, night: Night, reason: str) -> Ending:
        worked = any(report.worked(each, self._me) for each in self.nights)
        worked = worked or self._is_untold(night)
        if reason == "canceled":
            return Ending("canceled" if worked or night.batches else "nothing_to_do")
        if night.in_state("open"):
            return Ending("partial", "set_aside")
        left = reason in ("budget", "limit", "rejected") or tickets_left(night)
        if left and reason:
            return Ending("partial", reason)
        return Ending("complete" if worked else "nothing_to_do")


def tickets_left(night: Night) -> int:
    """Tickets of the last round that still ask for a category although the run took them on."""
    last = [batch for batch in night.batches if batch.round == len(night.rounds)]
    sent = [batch.record for batch in last if batch.state != "void"]
    # A batch that turned out not to be ours after others were sent: nobody has asked its tickets.
    skipped = [b for b in last if b.refusal == UNSEEN and any(b.record < later for later in sent)]
    return sum((b.tally for b in last), Tally()).left + sum(b.requests for b in skipped)


def _is_crumb(chunk: Chunk, night: Night) -> bool:
    """What the budget has cut to less than a tenth of the run's largest batch. Such ones are not
    sent: each would wait for the one before, and the last would hold single tickets."""
    largest = max((batch.requests for batch in report.accepted(night)), default=0)
    return chunk.full == "budget" and chunk.requests * 10 < largest


def _again(run_id: str) -> Step:
    return {"next": "submit", "run_id": run_id}


def _wait(run_id: str, seconds: float, more: bool) -> Step:
    return {"next": "wait", "run_id": run_id, "wait_seconds": int(seconds), "more": more}
