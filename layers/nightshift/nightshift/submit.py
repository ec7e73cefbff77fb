"""Submit batches: decides what the night does next; one call creates at most one batch."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from nightshift.deployment import Deployment
from nightshift.dry_run import estimate
from nightshift.ending import report
from nightshift.ending.cancel import cancel
from nightshift.ending.finish import Conclusion
from nightshift.ending.report import Ending
from nightshift.ending.unread import settle_lost
from nightshift.errors import ClaudeRejected, SettingsInvalid
from nightshift.events import SubmitCall
from nightshift.runs import budget, held, probe
from nightshift.runs.budget import Left
from nightshift.runs.ledger import Stale
from nightshift.runs.lock import Lock
from nightshift.runs.records import TOO_LARGE, Batch, Night, Round, Version
from nightshift.sending import preflight
from nightshift.sending.adopt import resolve
from nightshift.sending.chunk import Chunk, Room
from nightshift.sending.refusal import too_often
from nightshift.sending.send import TIME_TO_SEND, Sender, Sent
from nightshift.task.request import version_of
from nightshift.waits import growing, until_next_look

# A batch costs some 18 of the 25,000 events that Step Functions allows an execution
# (docs.aws.amazon.com, Step Functions quotas, 2026-11); what is left waits for the next start.
_MOST_BATCHES = 1000
# Seconds: for keys that are kept back an execution waits at most so long, in turns of at most.
_LONGEST_FOR_KEYS, _LONGEST_TURN = 7200, 900

type Step = dict[str, Any]
"""What the workflow does next: `next` is submit, wait or report, with what that needs; `sent` is
the batch that this call has created."""


def submit(call: SubmitCall, stack: Deployment, time_left: Callable[[], float]) -> Step:
    """One call of *Submit batches*. `time_left` gives the seconds that this call may still use.

    Raises:
        PriceUnknown: the model has no price, so its cost could not be bounded.
        ClaudeRejected: asking again would not help; nothing was created.
        ClaudeUnavailable: the provider refused for about a day.
        ApiKeyMissing: there is something to send and no key.
        SettingsInvalid: the ticket table lacks the key or the index that is needed.
    """
    _check_table(stack)
    stack.prices.of(stack.settings.model)
    if call.input.dry_run:
        return estimate.count(call, stack, time_left)
    lock = stack.lock.take(call.execution, call.run_id)
    if lock is None:
        return _stand_back(call, stack)
    if call.input.action == "cancel" and not lock.stop:
        stack.lock.ask_to_stop()
        lock = stack.lock.read()
    # Unfinished runs of earlier executions come first; the one that was asked for is the last.
    runs = [*sorted(lock.unfinished - {call.run_id}), call.run_id]
    nights = [stack.ledger.night(run_id) for run_id in runs]
    # Read after the runs: a batch that is closed in them has been learned from.
    version = stack.ledger.version(version_of(stack.task, stack.settings.model))
    try:
        return _Turn(call, stack, lock, time_left, nights, version).decide()
    except Stale:
        # The lock or a record moved on under this call: read everything again, decide anew. After
        # a wait that grows, since a record that always says so would fill the execution's history.
        age = (stack.now() - call.started_at).total_seconds()
        return _wait(call.run_id, growing(age, stack.settings.poll_seconds), more=True)


def _check_table(stack: Deployment) -> None:
    """Before anything else, whether the ticket table fits, and the task to the table."""
    key = stack.tickets.key
    if key in stack.task.output:
        raise SettingsInvalid(
            f"Task {stack.task.name}: output.{key}: the key of the ticket table has this name. "
            "Call the output otherwise."
        )


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
    `version` is what is known of today's task version."""

    call: SubmitCall
    stack: Deployment
    lock: Lock
    time_left: Callable[[], float]
    nights: Sequence[Night]
    version: Version

    @property
    def _me(self) -> str:
        return self.call.execution

    def decide(self) -> Step:
        if any(settle_lost(night, self.stack, self._me) for night in self.nights):
            return _again(self.call.run_id)
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
        others = [b for each in self.nights for b in each.in_state("open") if not b.proved]
        if others:  # one of them may be ours: no look counts until their results have shown it
            return _wait(night.run_id, self._turn_seconds(others), more=True)
        return _wait(night.run_id, self.stack.settings.poll_seconds, more=True)

    def _carry_on(self, night: Night) -> Step:
        """The run that was asked for: wait, begin a round, send a chunk, or report."""
        why_not = self._why_create_nothing()
        if why_not is not None:
            return self._wait_or_conclude(night, why_not)
        if night.rounds and not night.rounds[-1].walked:
            return self._send(night, night.rounds[-1])
        if night.working(self._me):
            return self._wait(night)
        why_not = self._why_no_round(night)
        if why_not == "" and (seconds := self._until_some_are_free(night)):
            return _wait(night.run_id, seconds, more=True)
        if why_not is not None:
            return self._conclude(night, why_not)
        round_ = Round(night.next_round, self._me, walked=False, begun_at=self.stack.now())
        self.stack.ledger.begin_round(night.run_id, round_)
        return self._send(night, round_)

    def _why_create_nothing(self) -> str | None:
        *_, ours = self.nights
        if self.lock.stop:
            return "canceled"
        if self.call.input.action == "collect":
            return "collect"
        if report.rejected(self.nights, self._me):
            return "rejected"
        if self.version.failed and self.version.execution == self._me:
            return "unusable"
        return "unavailable" if too_often(ours, self._me) else None

    def _why_no_round(self, night: Night) -> str | None:
        """The reason for tickets that stay pending; empty when none do; None: begin a round."""
        begun = [round_ for round_ in night.rounds if round_.execution == self._me]
        if not begun:
            return None
        if not report.tickets_left(night) and not self._some_were_freed(begun[-1]):
            return ""
        if self.call.input.limit is not None:
            return "limit"
        if self._has_created_most(night):
            return "batches"
        return "rounds" if len(begun) >= self.stack.settings.max_attempts else None

    def _some_were_freed(self, last: Round) -> bool:
        """Whether tickets that the last round had to pass over may be asked now."""
        if last.begun_at is None:
            return False
        freed = held.freed_since(last.begun_at, self.nights, self.stack.now())
        return any(self._has_pending(batch) for batch in freed)

    def _until_some_are_free(self, night: Night) -> float:
        """Seconds until the next turn, where keys that are kept back will be free before long, and
        tickets wait there that this execution may still ask; else 0."""
        begun = sum(round_.execution == self._me for round_ in night.rounds)
        if self.call.input.limit is not None or begun >= self.stack.settings.max_attempts:
            return 0
        now = self.stack.now()
        blocks = [b for b in held.kept_back(self.nights, now) if self._has_pending(b)]
        waits = [(held.free_from(batch) - now).total_seconds() for batch in blocks]
        soonest = min(waits, default=_LONGEST_FOR_KEYS + 1)
        return ceil(min(soonest, _LONGEST_TURN)) if soonest <= _LONGEST_FOR_KEYS else 0

    def _not_to_send_again(self, night: Night, round_: Round) -> list[Batch]:
        """Batches that may answer the keys in their ranges: those that keep them back, and open
        ones. Those of this round lie before the keys that come next."""
        open_ones = [
            batch
            for each in self.nights
            for batch in each.in_state("open")
            if not batch.set_aside and (batch.run_id, batch.round) != (night.run_id, round_.number)
        ]
        return [*held.kept_back(self.nights, self.stack.now()), *open_ones]

    def _has_pending(self, batch: Batch) -> bool:
        return self.stack.tickets.any_pending(batch.first, batch.last)

    def _has_created_most(self, night: Night) -> bool:
        return sum(batch.execution == self._me for batch in night.batches) >= _MOST_BATCHES

    def _send(self, night: Night, round_: Round) -> Step:
        """The next chunk of this round, if one fits now."""
        if self._has_created_most(night):
            return self._wait_or_conclude(night, "batches")
        if not self._has_passed:
            first = self._before_a_probe(night, round_)
            if first is not None:
                return first
        requests = self._requests_allowed(night, round_)
        if requests < 1:
            return self._wait_or_conclude(night, "limit")
        left = self._left(night)
        room = Room(requests, left.usd, lambda: self.time_left() < TIME_TO_SEND)
        last_intent = self.lock.last_intent
        sender = Sender(self.stack, night, round_, self._me, self.version, left.month, last_intent)
        chunk = sender.build(room, self._not_to_send_again(night, round_))
        with closing(chunk.body):
            if chunk.requests and not _is_crumb(chunk, night):
                if not self._looked_at_model(night):
                    return self._wait(night)
                sent = sender.create(chunk)
                if isinstance(sent, Sent):
                    return {**_again(night.run_id), "sent": asdict(sent)}
                return _wait(night.run_id, sent, more=True) if sent else _again(night.run_id)
        if chunk.full == "budget":
            return self._wait_or_conclude(night, "budget", more=True)
        if not chunk.full:
            self.stack.ledger.end_walk(night.run_id, round_.number)
        return _again(night.run_id)

    @property
    def _has_passed(self) -> bool:
        return probe.has_passed(self.version, self.stack.now())

    def _before_a_probe(self, night: Night, round_: Round) -> Step | None:
        """Until the version has passed: the probe that is open is waited for, and one that said
        nothing ends the round's walk."""
        batches = [batch for each in self.nights for batch in each.batches]
        of_version = [batch for batch in batches if batch.version == self.version.name]
        if any(batch.state == "open" and not batch.set_aside for batch in of_version):
            return self._wait(night)
        of_round = [b for b in night.batches if b.round == round_.number and b.state != "void"]
        last = of_round[-1] if of_round else None
        if last in of_version and probe.says_nothing(last):
            self.stack.ledger.end_walk(night.run_id, round_.number)
            return _again(night.run_id)
        return None

    def _looked_at_model(self, night: Night) -> bool:
        """Once an execution, whether the model can be asked; False where that must wait until what
        is open has been collected.

        Raises:
            ClaudeRejected: it cannot, and nothing is open.
        """
        if self._me in night.model_notices:
            return True
        try:
            notice = preflight.look(self.stack)
        except ClaudeRejected:
            if night.working(self._me):
                return False
            raise
        self.stack.ledger.note_model(night.run_id, self._me, notice)
        return True

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
        if not self._has_passed:
            limits.append(probe.PROBE_REQUESTS)
        return min([self.stack.settings.max_requests_per_batch, *refused, *limits])

    def _left(self, night: Night) -> Left:
        asked = self.call.input.max_cost_usd
        return budget.left(night, asked, self.stack.ledger, self.stack.settings)

    def _wait_or_conclude(self, night: Night, reason: str, more: bool = False) -> Step:
        if night.working(self._me):
            return self._wait(night, more)
        return self._conclude(night, reason)

    def _wait(self, night: Night, more: bool = False) -> Step:
        return _wait(night.run_id, self._turn_seconds(night.working(self._me)), more)

    def _turn_seconds(self, waiting: Sequence[Batch]) -> int:
        return until_next_look(waiting, self.stack.now(), self.stack.settings.poll_seconds)

    def _conclude(self, night: Night, reason: str) -> Step:
        nights = [*self.nights[:-1], night]
        conclusion = Conclusion(self.call, self.stack, self.lock, nights)
        return {"next": "report", **conclusion.step(reason)}


def _is_crumb(chunk: Chunk, night: Night) -> bool:
    """What the budget has cut to less than a tenth of the run's largest batch. Such ones are not
    sent: each would wait for the one before, and the last would hold single tickets."""
    largest = max((batch.requests for batch in report.accepted(night)), default=0)
    return chunk.full == "budget" and chunk.requests * 10 < largest


def _again(run_id: str) -> Step:
    return {"next": "submit", "run_id": run_id}


def _wait(run_id: str, seconds: float, more: bool) -> Step:
    return {"next": "wait", "run_id": run_id, "wait_seconds": int(seconds), "more": more}
