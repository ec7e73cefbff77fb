"""Collect results: one ended batch, streamed into the ticket table, each request counted once."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import batched
from time import monotonic
from typing import Any

from nightshift.claude import custom_id, results
from nightshift.claude.batch import ProviderBatch
from nightshift.claude.custom_id import CustomId
from nightshift.claude.money import Price
from nightshift.claude.results import INVALID_REQUEST, Result
from nightshift.deployment import Deployment
from nightshift.errors import (
    BatchNotFound,
    ClaudeRejected,
    ClaudeUnavailable,
    LedgerMismatch,
    NightshiftError,
    ResultsGone,
)
from nightshift.events import CollectCall
from nightshift.observability import count_batch, logger
from nightshift.runs.ledger import Stale
from nightshift.runs.missing import miss
from nightshift.runs.records import Batch, Tally
from nightshift.task.request import version_of
from nightshift.tickets.table import KEYS_PER_READ
from nightshift.writing import closing
from nightshift.writing.apply import Applied, Applier
from nightshift.writing.bitmap import Bitmap
from nightshift.writing.decision import Rules

READINGS = 3
# Four threads are as fast as eight (the work between the calls binds) and hold half the tickets.
_THREADS = 4
# Groups of results under way at once: one for each thread, and one that waits for the first.
_UNDER_WAY = _THREADS + 1
# Also how soon a call notices that another call has closed its batch.
_SECONDS_PER_CHECKPOINT = 2
_TIME_TO_SAVE = 60

type Progress = dict[str, Any]
"""What the workflow does next with this batch: `next` is "done", "more" or "aside"."""


def collect(call: CollectCall, stack: Deployment, time_left: Callable[[], float]) -> Progress:
    """Account for one batch as far as the time goes. `time_left` gives the seconds that this call
    may still use. A batch that an earlier execution has set aside is tried once: if its results
    still cannot be read, the batch stays aside and nothing is raised.

    Raises:
        ClaudeUnavailable: the results broke off; call again, what is done stays done.
        TableRefused: the ticket table takes no writes.
        PriceUnknown: the batch's model has lost its price since it was sent.
    """
    try:
        came_to = _advance(call, stack, time_left)
    except Stale:
        # A stopped execution's Lambda may still run, and may have closed the batch.
        logger.warning("another call has moved this batch on", record=call.record)
        came_to = "done"
    return {"next": came_to, "record": call.record}


def _advance(call: CollectCall, stack: Deployment, time_left: Callable[[], float]) -> str:
    """What comes next for the batch; a batch that was set aside stays so if it fails again."""
    batch = stack.ledger.batch(call.run_id, call.record)
    try:
        came_to = _read(batch, call, stack, time_left)
        if came_to == "done":
            _delete(stack.ledger.batch(call.run_id, call.record), stack)
    except Exception as error:
        # Of any error: the execution that set the batch aside has already failed for it.
        if batch.aside_by is None or isinstance(error, Stale):
            raise
        logger.warning(
            "a batch set aside still cannot be read", record=batch.record, why=type(error).__name__
        )
        stack.ledger.set_aside(batch, call.execution, unknown=False)
        return "aside"
    return came_to


def _read(
    batch: Batch, call: CollectCall, stack: Deployment, time_left: Callable[[], float]
) -> str:
    if batch.state != "open":
        return "done"
    try:
        more = _Collection(batch, call.execution, stack, time_left).advance()
    except BatchNotFound:
        return "aside" if miss(stack.ledger, batch, call.execution) == "aside" else "done"
    return "more" if more else "done"


def _delete(batch: Batch, stack: Deployment) -> None:
    """Delete a closed batch at the provider, unless people may still need it there."""
    if batch.undeleted:
        stack.claude.delete(str(batch.batch_id))
        stack.ledger.mark_deleted(batch)


@dataclass
class _Collection:
    """One call's work on one open batch."""

    batch: Batch
    execution: str
    stack: Deployment
    time_left: Callable[[], float]
    price: Price = field(init=False)
    seen: Bitmap = field(init=False)
    disputed: bool = False
    cut_short: bool = False

    def __post_init__(self) -> None:
        self.price = self.stack.prices.of(self.batch.model)
        self.seen = Bitmap(self.batch.requests, self.batch.seen)

    def advance(self) -> bool:
        """Read on from where the last call stopped; True if the time ran out before the end."""
        provider = self.stack.claude.retrieve(str(self.batch.batch_id))
        if not provider.ended:
            return False
        self.batch = replace(self.batch, ended_at=provider.ended_at)
        if provider.archived:
            self._close_as_gone(provider)
            return False
        if not self._is_ours():
            self.stack.ledger.release(self.batch)
            return False
        self._read(self._rules(provider))
        if self.cut_short:
            return True
        if self.seen.full and self._kinds_agree(provider) and not self.disputed:
            self._close(provider)
        elif self.disputed or self.batch.readings + 1 >= READINGS:
            self._close_as_disputed(provider)
        else:
            self._checkpoint(readings=self.batch.readings + 1)
        return False

    def _is_ours(self) -> bool:
        """Whether the first readable result of a batch found in the list carries our token."""
        if self.batch.confirmed:
            return True
        batch_id = str(self.batch.batch_id)
        lines = map(results.name_of, self.stack.claude.result_lines(batch_id))
        name = next(filter(None, lines), None)
        if name is None:
            raise ClaudeUnavailable(f"The results of {batch_id} hold no line that can be read.")
        if not name.startswith(self.batch.token):
            return False
        self.stack.ledger.confirm(self.batch)
        self.batch = replace(self.batch, confirmed=True)
        return True

    def _results(self) -> Iterator[Result]:
        """The results of this batch's requests; a result of any other request is disputed."""
        for line in self.stack.claude.result_lines(str(self.batch.batch_id)):
            result = results.read(line)
            if result is None:
                # A line without a readable custom_id is ignored; the count shows what is missing.
                name = results.name_of(line)
                self.disputed |= name is not None and not self._asked(custom_id.parse(name))
            elif self._asked(result.custom_id):
                yield result
            else:
                self.disputed = True

    def _asked(self, name: CustomId | None) -> bool:
        """Whether this custom_id names a request of this batch."""
        if name is None:
            return False
        return name.token == self.batch.token and name.ordinal < self.batch.requests

    def _new_results(self) -> Iterator[Result]:
        """Results that are not accounted for yet, one for each request."""
        taken = Bitmap(self.batch.requests, bytes(self.seen))
        for result in self._results():
            ordinal = result.custom_id.ordinal
            if ordinal not in taken:
                taken.add([ordinal])
                yield result

    def _rules(self, provider: ProviderBatch) -> Rules:
        return Rules(
            self.stack.task,
            str(self.batch.batch_id),
            self.batch.version,
            self.stack.settings.max_attempts,
            datetime.now(UTC).isoformat(timespec="seconds"),
            self._all_invalid(provider),
            outdated=self.batch.version != version_of(self.stack.task, self.stack.settings.model),
        )

    def _all_invalid(self, provider: ProviderBatch) -> bool:
        """Whether every result is an invalid request: then the task is wrong, not the tickets.

        The single request of a small batch proves nothing: its ticket may be what is invalid.
        """
        if provider.errored != self.batch.requests or self.batch.requests == 1:
            return False
        return all(result.error == INVALID_REQUEST for result in self._results())

    def _read(self, rules: Rules) -> None:
        """Stream the results into the table, as far as the time goes."""
        stack, run_id, inputs = self.stack, self.batch.run_id, self.batch.inputs
        applier = Applier(
            stack.tickets, stack.ledger, run_id, inputs, rules, self.price, self._out_of_time
        )
        under_way: set[Future[Applied]] = set()
        saved_at = monotonic()
        with ThreadPoolExecutor(_THREADS) as pool:
            for group in batched(self._new_results(), KEYS_PER_READ, strict=False):
                under_way.add(pool.submit(applier.apply, group))
                if len(under_way) >= _UNDER_WAY:
                    under_way = self._account_first(under_way)
                if monotonic() - saved_at > _SECONDS_PER_CHECKPOINT:
                    self._checkpoint()
                    saved_at = monotonic()
                if self._out_of_time():
                    self.cut_short = True
                    break
            while under_way:
                under_way = self._account_first(under_way)
        self._checkpoint()

    def _out_of_time(self) -> bool:
        return self.time_left() < _TIME_TO_SAVE

    def _account_first(self, under_way: set[Future[Applied]]) -> set[Future[Applied]]:
        """Wait until some group of results is in the table; returns the groups that are not yet."""
        done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        for group in done:
            self._account(group.result())
        return under_way

    def _account(self, applied: Applied) -> None:
        self.seen.add(applied.ordinals)
        self.cut_short |= applied.unapplied > 0
        self.batch = replace(
            self.batch,
            tally=self.batch.tally + applied.tally,
            rejection=self.batch.rejection or applied.rejection or None,
        )

    def _checkpoint(self, readings: int | None = None) -> None:
        """Save which requests are accounted for, as what, and their cost, in one write."""
        tally = self.batch.tally
        self.batch = replace(
            self.batch,
            seen=bytes(self.seen),
            cost=self.price.batch_cost(tally.usage, tally.long_usage) + tally.surcharge,
            readings=self.batch.readings if readings is None else readings,
        )
        self.stack.ledger.checkpoint(self.batch)

    def _kinds_agree(self, provider: ProviderBatch) -> bool:
        tally = self.batch.tally
        ours = (tally.succeeded, tally.errored, tally.canceled, tally.expired)
        theirs = (provider.succeeded, provider.errored, provider.canceled, provider.expired)
        return ours == theirs

    def _close(self, provider: ProviderBatch) -> None:
        problem: NightshiftError | None = None
        if self.batch.rejection:
            problem = ClaudeRejected(
                f"{self.batch.tally.rejected} of {self.batch.requests} requests of "
                f"{self.batch.batch_id} failed for one reason: {self.batch.rejection} "
                "Mend the account, the key, the model or the task file, then start again."
            )
        self._book(provider, problem)

    def _close_as_disputed(self, provider: ProviderBatch) -> None:
        """Answers stay, requests without one are requeued, the batch is kept at the provider."""
        problem = LedgerMismatch(
            f"{self.batch.batch_id} ({self.batch.record}) has "
            f"{self.batch.requests} requests; its results answer {len(self.seen)}, and Claude "
            f"counts {provider.total}{' and returns lines of others' * self.disputed}. The rest "
            "is pending again; the batch is kept at Claude for 29 days: compare it there."
        )
        self.batch = replace(self._requeue_unanswered(), disputed=True)
        self._book(provider, problem)

    def _close_as_gone(self, provider: ProviderBatch) -> None:
        problem = ResultsGone(
            f"Claude no longer holds the results of {self.batch.batch_id} "
            f"({self.batch.record}). Its unanswered tickets are pending again."
        )
        self.batch = self._requeue_unanswered()
        self._book(provider, problem)

    def _book(self, provider: ProviderBatch, problem: NightshiftError | None) -> None:
        """Close the batch, which happens once, and only then count it as metrics."""
        closing.close(self.batch, self.stack, self.execution, problem)
        ended_at = provider.ended_at or provider.created_at
        count_batch(self.batch, (ended_at - provider.created_at).total_seconds())

    def _requeue_unanswered(self) -> Batch:
        unanswered = self.batch.requests - self.batch.tally.accounted
        requeued = Tally(requeued=unanswered, still_pending=unanswered)
        return replace(self.batch, tally=self.batch.tally + requeued)
