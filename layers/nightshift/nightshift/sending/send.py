"""One chunk on its way: first the intent is written, then one POST, then its outcome."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice

from nightshift.claude.batch import KeyRefused, NotCreated, OutcomeUnknown, TooLarge
from nightshift.claude.client import CREATE_TIMEOUT
from nightshift.deployment import Deployment
from nightshift.errors import BatchNotFound, ClaudeRejected, ClaudeUnavailable
from nightshift.observability import logger
from nightshift.runs.ledger import Stale, month_of
from nightshift.runs.records import (
    KEY_REFUSED,
    REJECTED,
    TOO_LARGE,
    TRY_LATER,
    Batch,
    Round,
    Run,
    Version,
)
from nightshift.sending.chunk import Builder, Chunk, Room
from nightshift.sending.refusal import after_refused_key, refusals_in_a_row, seconds_to_wait
from nightshift.sending.unasked import UnaskedTickets
from nightshift.task.request import template_for
from nightshift.tickets.ticket import marks_of

# Seconds that a call must have left to send a chunk: the question about the model and the create
# with its timeout must still fit.
TIME_TO_SEND = CREATE_TIMEOUT + 120
# So many requests are enough to know whether a cached prompt pays.
_ENOUGH_TO_CACHE = 100


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch that the provider has accepted, as the console shows it."""

    batch_id: str
    record: str
    requests: int


@dataclass(frozen=True)
class Sender:
    """Builds and sends the next chunk of a round.

    `version` is what is known of the task version, `month` the month whose budget was looked at,
    `last_intent` the token that the lock had when the runs were read.
    """

    stack: Deployment
    run: Run
    round: Round
    execution: str
    version: Version
    month: str
    last_intent: str | None

    def build(self, room: Room, blocked: Sequence[Batch]) -> Chunk:
        """The chunk that follows the batches of this round. Tickets in the ranges of `blocked`
        batches are passed over."""
        stack = self.stack
        ids = self._free_ids(blocked)
        first = list(islice(ids, _ENOUGH_TO_CACHE))
        counted = self._fixed_tokens() if first else None
        requests = min(len(first), room.requests)
        template = template_for(stack.task, stack.settings.model, counted, requests)
        today = self.version.name
        unasked = UnaskedTickets(stack.tickets, stack.ledger, self.run, self.execution, today)
        bound = template.bound(stack.price)
        builder = Builder(stack.task, template, bound, today, unasked.add)
        inputs, marks = stack.task.inputs, marks_of(stack.task.output)
        chunk = builder.build(stack.tickets.walk(chain(first, ids), inputs, marks), room)
        unasked.flush()
        chunk.fixed_tokens = counted
        return chunk

    def create(self, chunk: Chunk) -> Sent | float:
        """Write the intent and POST it once. Returns the open batch, else the seconds to wait.

        Raises:
            Stale: this execution may not create (any more).
            ApiKeyMissing, ClaudeRejected, ClaudeUnavailable: nothing was created.
        """
        stack = self.stack
        stack.claude.key(False)  # no intent before there is a key to send it with
        stack.ledger.remember_ids(self.run.run_id, chunk.long_ids)
        batch = self._intent(chunk)
        if month_of(batch.intent_at) != self.month:
            raise Stale("a new month has begun, with a budget of its own")
        stack.ledger.record_intent(batch, self.last_intent)
        try:
            created = stack.claude.create(chunk.body)
        except OutcomeUnknown as unknown:
            logger.warning("create: outcome unknown", record=batch.record, why=str(unknown))
            return stack.settings.poll_seconds
        except NotCreated as no:
            return self._not_created(batch, no)
        except ClaudeRejected:
            stack.ledger.mark_not_created(batch, REJECTED)
            raise
        stack.ledger.open(batch, created.batch_id, created.created_at, confirmed=True)
        logger.info("batch created", record=batch.record, batch_id=created.batch_id)
        if not chunk.full:
            stack.ledger.end_scan(self.run.run_id, self.round.number)
        return Sent(created.batch_id, batch.record, batch.requests)

    def _free_ids(self, blocked: Sequence[Batch]) -> Iterator[str]:
        ids = self.stack.tickets.pending_ids(self._sent_up_to())
        if not blocked:
            return ids
        ranges = [(batch.first, batch.last) for batch in blocked]
        return (i for i in ids if not any(first <= i <= last for first, last in ranges))

    def _fixed_tokens(self) -> int | None:
        """Tokens of the constant part of a request, as Claude counts them; None if unknown. While
        they are unknown, Claude is asked once an execution; counting costs nothing. An error is
        no harm here: if the task is wrong, the batch will show it."""
        sent = [b for b in self.run.batches if b.version == self.version.name]
        counts = [self.version.fixed_tokens, *(batch.fixed_tokens for batch in sent)]
        known = next((count for count in counts if count is not None), None)
        if known is not None or any(batch.execution == self.execution for batch in sent):
            return known
        try:
            return self.stack.claude.count_tokens(self.stack.template.params("."))
        except (BatchNotFound, ClaudeRejected, ClaudeUnavailable) as error:
            logger.warning("the task's tokens were not counted", why=type(error).__name__)
            return None

    def _sent_up_to(self) -> str:
        """The key of the last ticket that this round has covered, empty if none."""
        sent = self.run.sent_in(self.round.number)
        return sent[-1].last if sent else ""

    def _intent(self, chunk: Chunk) -> Batch:
        return Batch(
            run_id=self.run.run_id,
            record=self.run.next_batch,
            token=chunk.token,
            state="creating",
            round=self.round.number,
            execution=self.execution,
            model=self.stack.settings.model,
            version=self.version.name,
            fixed_tokens=chunk.fixed_tokens,
            inputs=self.stack.task.inputs,
            first=chunk.first,
            last=chunk.last,
            requests=chunk.requests,
            bound=chunk.bound,
            largest=chunk.largest,
            redacted=chunk.redacted,
            intent_at=datetime.now(UTC),
        )

    def _not_created(self, batch: Batch, no: NotCreated) -> float:
        """Note that no batch was created; returns the seconds until the next intent may try."""
        if isinstance(no, TooLarge) and batch.requests > 1:
            self.stack.ledger.mark_not_created(batch, TOO_LARGE)
            return 0
        if isinstance(no, KeyRefused):
            self.stack.ledger.mark_not_created(batch, KEY_REFUSED)
            return after_refused_key(no, self.run, self.execution, self.stack)
        self.stack.ledger.mark_not_created(batch, TRY_LATER)
        if isinstance(no, TooLarge):
            raise ClaudeRejected("Claude finds a single request too large: look at the task file.")
        return seconds_to_wait(no, refusals_in_a_row(self.run, self.execution) + 1, self.stack)
