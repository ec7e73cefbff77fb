"""Submit batches: decides what the workflow does next; one call creates at most one batch."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from nightshift.deployment import Deployment
from nightshift.dry_run import estimate
from nightshift.ending import report
from nightshift.ending.cancel import cancel
from nightshift.ending.finish import Finish
from nightshift.ending.report import Ending
from nightshift.ending.troubles import Troubles
from nightshift.ending.unread import settle_lost
from nightshift.errors import ClaudeRejected, SettingsInvalid
from nightshift.events import SubmitCall
from nightshift.runs import budget, held, probe
from nightshift.runs.budget import Remaining
from nightshift.runs.ledger import Stale
from nightshift.runs.lock import Lock
from nightshift.runs.records import TOO_LARGE, Batch, Round, Run, Version
from nightshift.sending import preflight
from nightshift.sending.adopt import resolve
from nightshift.sending.chunk import Chunk, Room
from nightshift.sending.refusal import too_often
from nightshift.sending.send import TIME_TO_SEND, Sender, Sent
from nightshift.task.request import version_of
from nightshift.waits import growing, until_next_poll

# A batch costs some 18 of the 25,000 events that Step Functions allows an execution
# (docs.aws.amazon.com, Step Functions quotas, 2026-11); further tickets wait for the next start.
_MOST_BATCHES = 1000
# Seconds: an execution waits at most so long for tickets that are kept back, so long at once.
_LONGEST_FOR_KEYS, _LONGEST_WAIT = 7200, 900

type Step = dict[str, Any]
"""What the workflow does next: `next` is "submit", "wait" or "report", beside what that needs;
`sent` is the batch that this call has created."""


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
    run_ids = [*sorted(lock.unfinished - {call.run_id}), call.run_id]
    runs = [stack.ledger.run(run_id) for run_id in run_ids]
    # Read the version after the runs: what their closed batches have taught is then in it.
    version = stack.ledger.version(version_of(stack.task, stack.settings.model))
    try:
        return _Holder(call, stack, lock, time_left, runs, version).decide()
    except Stale:
        # Another call has changed the lock or a record: read everything again, and decide anew. The
        # waits grow: else a record that always says so would fill the execution's history.
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
    """Another execution holds the lock: ask for its stop if this is a cancel, and end."""
    status = "already_running"
    if call.input.action == "cancel":
        status = "canceled"
        stack.lock.ask_to_stop()
        for run_id in stack.lock.read().unfinished:
            cancel(stack.ledger.run(run_id), stack)
    run = stack.ledger.run(call.run_id)
    pending = stack.tickets.count_pending()
    flat = report.flat(run, Ending(status), pending, call.started_at)
    return {"next": "report", "run_id": call.run_id, "report": flat, "tell": False}


@dataclass(frozen=True)
class _Holder:
    """One call by the execution that holds the lock. `runs` are the unfinished runs, the last of
    them is the one that was asked for; `version` is what is known of today's task version."""

    call: SubmitCall
    stack: Deployment
    lock: Lock
    time_left: Callable[[], float]
    runs: Sequence[Run]
    version: Version

    @property
    def _me(self) -> str:
        return self.call.execution

    def decide(self) -> Step:
        if any(settle_lost(run, self.stack, self._me) for run in self.runs):
            return _again(self.call.run_id)
        if self.lock.stop:
            canceled = [cancel(run, self.stack, self._me) for run in self.runs]
            if any(canceled):
                return _again(self.call.run_id)
        for run in self.runs:
            step = self._settle_creates(run)
            if step:
                return step
        *older, ours = self.runs
        for run in older:
            if run.working(self._me):
                return self._wait(run)
        return self._carry_on(ours)

    def _settle_creates(self, run: Run) -> Step | None:
        """Look for batches whose create had no answer: nothing is sent while one is in doubt."""
        creating = run.in_state("creating")
        if not creating:
            return None
        # Settle one a call: the next search must know which batch this one has found.
        if any(resolve(batch, self.runs, self.stack, self._me) for batch in creating):
            return _again(run.run_id)
        others = [b for each in self.runs for b in each.in_state("open") if not b.confirmed]
        if others:  # one of them may be ours: no poll counts until their results show whose
            return _wait(run.run_id, self._seconds_to_poll(others), more=True)
        return _wait(run.run_id, self.stack.settings.poll_seconds, more=True)

    def _carry_on(self, run: Run) -> Step:
        """For the run that was asked for: wait, begin a round, send a chunk, or report."""
        why_not = self._why_create_nothing()
        if why_not is not None:
            return self._wait_or_finish(run, why_not)
        if run.rounds and not run.rounds[-1].scanned:
            return self._send(run, run.rounds[-1])
        if run.working(self._me):
            return self._wait(run)
        why_not = self._why_no_round(run)
        if why_not == "" and (seconds := self._until_some_are_free(run)):
            return _wait(run.run_id, seconds, more=True)
        if why_not is not None:
            return self._finish(run, why_not)
        round_ = Round(run.next_round, self._me, scanned=False, begun_at=self.stack.now())
        self.stack.ledger.begin_round(run.run_id, round_)
        return self._send(run, round_)

    def _why_create_nothing(self) -> str | None:
        *_, ours = self.runs
        if self.lock.stop:
            return "canceled"
        if self.call.input.action == "collect":
            return "collect"
        if Troubles(self.runs, self._me).any_rejected:
            return "rejected"
        if self.version.failed and self.version.execution == self._me:
            return "unusable"
        return "unavailable" if too_often(ours, self._me) else None

    def _why_no_round(self, run: Run) -> str | None:
        """The reason why tickets stay pending, empty if none do; None to begin another round."""
        begun = [round_ for round_ in run.rounds if round_.execution == self._me]
        if not begun:
            return None
        if not report.tickets_still_pending(run) and not self._some_were_freed(begun[-1]):
            return ""
        if self.call.input.limit is not None:
            return "limit"
        if self._has_created_most(run):
            return "batches"
        return "rounds" if len(begun) >= self.stack.settings.max_attempts else None

    def _some_were_freed(self, last: Round) -> bool:
        """Whether pending tickets that the last round had to pass over may be sent now."""
        if last.begun_at is None:
            return False
        freed = held.freed_since(last.begun_at, self.runs, self.stack.now())
        return any(self._has_pending(batch) for batch in freed)

    def _until_some_are_free(self, run: Run) -> float:
        """Seconds to wait if pending tickets are kept back only for a while longer and this
        execution may still send them; else 0."""
        begun = sum(round_.execution == self._me for round_ in run.rounds)
        if self.call.input.limit is not None or begun >= self.stack.settings.max_attempts:
            return 0
        now = self.stack.now()
        blocks = [b for b in held.kept_back(self.runs, now) if self._has_pending(b)]
        waits = [(held.free_from(batch) - now).total_seconds() for batch in blocks]
        soonest = min(waits, default=_LONGEST_FOR_KEYS + 1)
        return ceil(min(soonest, _LONGEST_WAIT)) if soonest <= _LONGEST_FOR_KEYS else 0

    def _not_to_send_again(self, run: Run, round_: Round) -> list[Batch]:
        """Batches that may still answer the tickets in their ranges: unread ones, and open ones of
        other rounds. The batches of this round cover earlier keys than those that come next."""
        open_ones = [
            batch
            for each in self.runs
            for batch in each.in_state("open")
            if not batch.set_aside and (batch.run_id, batch.round) != (run.run_id, round_.number)
        ]
        return [*held.kept_back(self.runs, self.stack.now()), *open_ones]

    def _has_pending(self, batch: Batch) -> bool:
        return self.stack.tickets.any_pending(batch.first, batch.last)

    def _has_created_most(self, run: Run) -> bool:
        return sum(batch.execution == self._me for batch in run.batches) >= _MOST_BATCHES

    def _send(self, run: Run, round_: Round) -> Step:
        """Send the next chunk of this round, if one fits now."""
        if self._has_created_most(run):
            return self._wait_or_finish(run, "batches")
        if not self._has_passed:
            first = self._before_a_probe(run, round_)
            if first is not None:
                return first
        requests = self._requests_allowed(run, round_)
        if requests < 1:
            return self._wait_or_finish(run, "limit")
        remaining = self._remaining(run)
        room = Room(requests, remaining.usd, lambda: self.time_left() < TIME_TO_SEND)
        last_intent = self.lock.last_intent
        sender = Sender(
            self.stack, run, round_, self._me, self.version, remaining.month, last_intent
        )
        chunk = sender.build(room, self._not_to_send_again(run, round_))
        with closing(chunk.body):
            if chunk.requests and not _is_crumb(chunk, run):
                if not self._looked_at_model(run):
                    return self._wait(run)
                sent = sender.create(chunk)
                if isinstance(sent, Sent):
                    return {**_again(run.run_id), "sent": asdict(sent)}
                return _wait(run.run_id, sent, more=True) if sent else _again(run.run_id)
        if chunk.full == "budget":
            return self._wait_or_finish(run, "budget", more=True)
        if not chunk.full:
            self.stack.ledger.end_scan(run.run_id, round_.number)
        return _again(run.run_id)

    @property
    def _has_passed(self) -> bool:
        return probe.has_passed(self.version, self.stack.now())

    def _before_a_probe(self, run: Run, round_: Round) -> Step | None:
        """While the version has not passed: wait for its open probe; after a probe without any
        answer, end the scan of this round. None where a probe may be sent."""
        batches = [batch for each in self.runs for batch in each.batches]
        of_version = [batch for batch in batches if batch.version == self.version.name]
        if any(batch.state == "open" and not batch.set_aside for batch in of_version):
            return self._wait(run)
        sent = run.sent_in(round_.number)
        if sent and sent[-1] in of_version and probe.says_nothing(sent[-1]):
            self.stack.ledger.end_scan(run.run_id, round_.number)
            return _again(run.run_id)
        return None

    def _looked_at_model(self, run: Run) -> bool:
        """Ask about the model, once an execution; False if Claude does not have the model, and
        open batches must be collected before that is raised.

        Raises:
            ClaudeRejected: Claude does not have the model, and nothing is open.
        """
        if self._me in run.model_notices:
            return True
        try:
            notice = preflight.model_notice(self.stack)
        except ClaudeRejected:
            if run.working(self._me):
                return False
            raise
        self.stack.ledger.note_model(run.run_id, self._me, notice)
        return True

    def _requests_allowed(self, run: Run, round_: Round) -> int:
        """At most the stack's bound, half of a batch that was too large in this round, `limit`, and
        a probe's size."""
        sent = sum(b.requests for b in run.accepted if b.execution == self._me)
        too_large = [
            max(1, batch.requests // 2)
            for batch in run.in_state("not_created")
            if batch.round == round_.number and batch.why_not_created == TOO_LARGE
        ]
        limit = self.call.input.limit
        limits = [] if limit is None else [limit - sent]
        if not self._has_passed:
            limits.append(probe.PROBE_REQUESTS)
        return min([self.stack.settings.max_requests_per_batch, *too_large, *limits])

    def _remaining(self, run: Run) -> Remaining:
        asked = self.call.input.max_cost_usd
        return budget.remaining(run, asked, self.stack.ledger, self.stack.settings)

    def _wait_or_finish(self, run: Run, reason: str, more: bool = False) -> Step:
        if run.working(self._me):
            return self._wait(run, more)
        return self._finish(run, reason)

    def _wait(self, run: Run, more: bool = False) -> Step:
        return _wait(run.run_id, self._seconds_to_poll(run.working(self._me)), more)

    def _seconds_to_poll(self, waiting: Sequence[Batch]) -> int:
        return until_next_poll(waiting, self.stack.now(), self.stack.settings.poll_seconds)

    def _finish(self, run: Run, reason: str) -> Step:
        runs = [*self.runs[:-1], run]
        finish = Finish(self.call, self.stack, self.lock, runs)
        return {"next": "report", **finish.step(reason)}


def _is_crumb(chunk: Chunk, run: Run) -> bool:
    """Whether the budget has cut a chunk to less than a tenth of the run's largest batch. Such
    chunks are not sent: each would wait for the one before, and the last hold single tickets."""
    largest = max((batch.requests for batch in run.accepted), default=0)
    return chunk.full == "budget" and chunk.requests * 10 < largest


def _again(run_id: str) -> Step:
    return {"next": "submit", "run_id": run_id}


def _wait(run_id: str, seconds: float, more: bool) -> Step:
    return {"next": "wait", "run_id": run_id, "wait_seconds": int(seconds), "more": more}
