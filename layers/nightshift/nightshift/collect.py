"""Collect results: one ended batch, streamed into the ticket table, accounted for exactly."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import batched
from time import monotonic
from typing import Any

from nightshift.claude import custom_id, results
from nightshift.claude.client import ProviderBatch
from nightshift.claude.custom_id import CustomId
from nightshift.claude.money import Price
from nightshift.claude.results import Line
from nightshift.deployment import Deployment
from nightshift.errors import BatchNotFound, ClaudeUnavailable
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
from nightshift.writing.decision import INVALID_REQUEST, Rules

READINGS = 3
# Four threads are as fast as eight (the work between the calls binds) and hold half the tickets.
_THREADS = 4
# Groups of lines under way at once: one for each thread, and one that waits for the first.
_UNDER_WAY = _THREADS + 1
# Also how soon a call notices that another one has closed its batch.
_SECONDS_PER_CHECKPOINT = 2
_TIME_TO_SAVE = 60

type Progress = dict[str, Any]
"""What the workflow does next with this batch: `next` is done, more, or aside."""


def collect(call: CollectCall, stack: Deployment, time_left: Callable[[], float]) -> Progress:
    """Account for one batch as far as the time goes. One that an earlier execution has set aside
    is tried once: where it still cannot be read, it stays aside and nothing is raised.

    Raises:
        ClaudeUnavailable: the results broke off; call again, what is done stays done.
        TableRefused: the ticket table takes no writes.
        PriceUnknown: the batch's model has lost its price since it was sent.
    """
    try:
        came_to = _advance(call, stack, time_left)
    except Stale:
        # Another call has closed it: a function outlives its execution when that is stopped.
        logger.warning("another call has moved this batch on", record=call.record)
        came_to = "done"
    return {"next": came_to, "record": call.record}


def _advance(call: CollectCall, stack: Deployment, time_left: Callable[[], float]) -> str:
    """What this call comes to; one that was set aside before stays so where it fails again."""
    batch = stack.ledger.batch(call.run_id, call.record)
    try:
        came_to = _read(batch, call, stack, time_left)
        if came_to == "done":
            _delete(stack.ledger.batch(call.run_id, call.record), stack)
    except Exception as error:
        # Whatever it is: the execution that met it first has said so, and was told.
        if batch.aside_by is None or isinstance(error, Stale):
            raise
        logger.warning("it still cannot be read", record=batch.record, why=type(error).__name__)
        stack.ledger.set_aside(batch, call.execution, type(error).__name__, unknown=False)
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
    """A closed batch need not lie at the provider any longer."""
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
        """Read on; True if the time ran out before the results did."""
        provider = self.stack.claude.retrieve(str(self.batch.batch_id))
        if not provider.ended:
            return False
        self.batch = replace(self.batch, ended_at=provider.ended_at)
        if provider.archived:
            self._close_as_gone(provider)
            return False
        if not self._is_ours():
            self.stack.ledger.disown(self.batch)
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
        """The first readable result of an adopted batch must carry our token."""
        if self.batch.proved:
            return True
        batch_id = str(self.batch.batch_id)
        lines = map(results.name_of, self.stack.claude.result_lines(batch_id))
        name = next(filter(None, lines), None)
        if name is None:
            raise ClaudeUnavailable(f"The results of {batch_id} hold no line that can be read.")
        if not name.startswith(self.batch.token):
            return False
        self.stack.ledger.prove(self.batch)
        self.batch = replace(self.batch, proved=True)
        return True

    def _lines(self) -> Iterator[Line]:
        """The lines that answer a request of this batch; one of anybody else's is disputed."""
        for raw in self.stack.claude.result_lines(str(self.batch.batch_id)):
            line = results.read(raw)
            if line is None:
                # What has no name at all is nobody's: it is missing, and counting finds that out.
                name = results.name_of(raw)
                self.disputed |= name is not None and not self._asked(custom_id.parse(name))
            elif self._asked(line.custom_id):
                yield line
            else:
                self.disputed = True

    def _asked(self, name: CustomId | None) -> bool:
        if name is None:
            return False
        return name.token == self.batch.token and name.ordinal < self.batch.requests

    def _new_lines(self) -> Iterator[Line]:
        """Lines that are not accounted for yet, each ordinal once."""
        taken = Bitmap(self.batch.requests, bytes(self.seen))
        for line in self._lines():
            ordinal = line.custom_id.ordinal
            if ordinal not in taken:
                taken.add([ordinal])
                yield line

    def _rules(self, provider: ProviderBatch) -> Rules:
        return Rules(
            self.stack.task,
            str(self.batch.batch_id),
            self.stack.settings.max_attempts,
            datetime.now(UTC).isoformat(timespec="seconds"),
            self._all_invalid(provider),
            outdated=self.batch.version != version_of(self.stack.task, self.stack.settings.model),
        )

    def _all_invalid(self, provider: ProviderBatch) -> bool:
        """Every line an invalid request: then it is the request as such, not the tickets.

        One single line proves nothing about the request: it may be that ticket.
        """
        if provider.errored != self.batch.requests or self.batch.requests == 1:
            return False
        return all(line.error == INVALID_REQUEST for line in self._lines())

    def _read(self, rules: Rules) -> None:
        """Stream the results into the table, as far as the time goes."""
        stack, run_id, inputs = self.stack, self.batch.run_id, self.batch.inputs
        applier = Applier(
            stack.tickets, stack.ledger, run_id, inputs, rules, self.price, self._out_of_time
        )
        under_way: set[Future[Applied]] = set()
        saved_at = monotonic()
        with ThreadPoolExecutor(_THREADS) as pool:
            for lines in batched(self._new_lines(), KEYS_PER_READ, strict=False):
                under_way.add(pool.submit(applier.apply, lines))
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
        """Wait until some group is in the table; returns those that still are not."""
        done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        for group in done:
            self._account(group.result())
        return under_way

    def _account(self, applied: Applied) -> None:
        self.seen.add(applied.ordinals)
        self.cut_short |= applied.left > 0
        self.batch = replace(
            self.batch,
            tally=self.batch.tally + applied.tally,
            rejection=self.batch.rejection or applied.rejection or None,
        )

    def _checkpoint(self, readings: int | None = None) -> None:
        """One write: which requests are accounted for, as what, and what they cost."""
        self.batch = replace(
            self.batch,
            seen=bytes(self.seen),
            cost=self.price.batch_cost(self.batch.tally.usage, self.batch.tally.long_usage),
            readings=self.batch.readings if readings is None else readings,
        )
        self.stack.ledger.checkpoint(self.batch)

    def _kinds_agree(self, provider: ProviderBatch) -> bool:
        tally = self.batch.tally
        ours = (tally.succeeded, tally.errored, tally.canceled, tally.expired)
        theirs = (provider.succeeded, provider.errored, provider.canceled, provider.expired)
        return ours == theirs

    def _close(self, provider: ProviderBatch) -> None:
        problem = None
        if self.batch.rejection:
            problem = (
                f"ClaudeRejected: {self.batch.tally.rejected} of {self.batch.requests} requests of "
                f"{self.batch.batch_id} failed for one reason: {self.batch.rejection} "
                "Mend the account, the key, the model or the task file, then start again."
            )
        self._book(provider, problem)

    def _close_as_disputed(self, provider: ProviderBatch) -> None:
        """What it answered stays, what it did not answer is requeued, and it is kept there."""
        problem = (
            f"LedgerMismatch: {self.batch.batch_id} ({self.batch.record}) has "
            f"{self.batch.requests} requests; its results answer {len(self.seen)}, and Claude "
            f"counts {provider.total}{' and returns lines of others' * self.disputed}. The rest "
            "is pending again; the batch is kept at Claude for 29 days: compare it there."
        )
        self.batch = replace(self._requeue_unanswered(), disputed=True)
        self._book(provider, problem)

    def _close_as_gone(self, provider: ProviderBatch) -> None:
        problem = (
            f"ResultsGone: Claude no longer holds the results of {self.batch.batch_id} "
            f"({self.batch.record}). Its unanswered tickets are pending again."
        )
        self.batch = self._requeue_unanswered()
        self._book(provider, problem)

    def _book(self, provider: ProviderBatch, problem: str | None) -> None:
        """Closed, once: whoever comes later finds it so, and counts nothing."""
        closing.close(self.batch, self.stack, self.execution, problem)
        ended_at = provider.ended_at or provider.created_at
        count_batch(self.batch, (ended_at - provider.created_at).total_seconds())

    def _requeue_unanswered(self) -> Batch:
        unanswered = self.batch.requests - self.batch.tally.accounted
        requeued = Tally(requeued=unanswered, left=unanswered)
        return replace(self.batch, tally=self.batch.tally + requeued)
