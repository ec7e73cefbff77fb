"""One chunk on its way: the intent first, then one POST, then what became of it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from nightshift.chunk import Builder, Chunk, Room
from nightshift.claude import CREATE_TIMEOUT, NotCreated, OutcomeUnknown, TooLarge
from nightshift.deployment import Deployment
from nightshift.empties import Empties
from nightshift.errors import ClaudeRejected
from nightshift.ledger import Stale, month_of
from nightshift.observability import logger
from nightshift.records import REFUSED, REJECTED, TOO_LARGE, Batch, Night, Round
from nightshift.refusal import in_a_row, seconds_to_wait
from nightshift.task import Form, version_of

# A chunk must be sent while a look at the model and the create's own timeout still fit into the
# Lambda's life. Seconds.
TIME_TO_SEND = CREATE_TIMEOUT + 120


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch that the provider has accepted, as the console shows it."""

    batch_id: str
    record: str
    requests: int


@dataclass(frozen=True)
class Sender:
    """Builds and sends the next chunk of a round, within what `month` may still cost, while the
    last intent of the stack is `last_intent`."""

    stack: Deployment
    night: Night
    round: Round
    execution: str
    form: Form
    month: str
    last_intent: str | None

    def build(self, room: Room, blocked: list[Batch]) -> Chunk:
        """The chunk after what this round has sent. Keys of `blocked` batches are passed over."""
        stack = self.stack
        empties = Empties(stack.tickets, stack.ledger, self.night, self.execution)
        bound = self.form.bound(stack.price)
        builder = Builder(stack.task, self.form, bound, empties.add)
        ids = stack.tickets.pending_ids(self._sent_up_to())
        free = (i for i in ids if not any(b.first <= i <= b.last for b in blocked))
        chunk = builder.build(stack.tickets.walk(free, stack.task.inputs), room)
        empties.flush()
        return chunk

    def create(self, chunk: Chunk) -> Sent | float:
        """Write the intent and POST it once. Returns what is open now, else seconds to wait.

        Raises:
            Stale: this execution may not create (any more).
            ApiKeyMissing, ClaudeRejected, ClaudeUnavailable: nothing was created.
        """
        stack = self.stack
        stack.claude.key(False)  # no intent before there is a key to send it with
        stack.ledger.remember_ids(self.night.run_id, chunk.long_ids)
        batch = self._intent(chunk)
        if month_of(batch.intent_at) != self.month:
            raise Stale("a new month has begun, with a budget of its own")
        stack.ledger.intend(batch, self.last_intent)
        try:
            created = stack.claude.create(chunk.body)
        except OutcomeUnknown as unknown:
            logger.warning("create: outcome unknown", record=batch.record, why=str(unknown))
            return stack.settings.poll_seconds
        except NotCreated as no:
            return self._refused(batch, no)
        except ClaudeRejected:
            stack.ledger.void(batch, REJECTED)
            raise
        stack.ledger.open(batch, created.batch_id, created.created_at, proved=True)
        logger.info("batch created", record=batch.record, batch_id=created.batch_id)
        if not chunk.full:
            stack.ledger.end_walk(self.night.run_id, self.round.number)
        return Sent(created.batch_id, batch.record, batch.requests)

    def _sent_up_to(self) -> str:
        of_round = [b for b in self.night.batches if b.round == self.round.number]
        return next((b.last for b in reversed(of_round) if b.state != "void"), "")

    def _intent(self, chunk: Chunk) -> Batch:
        return Batch(
            run_id=self.night.run_id,
            record=self.night.next_batch,
            token=chunk.token,
            state="creating",
            round=self.round.number,
            execution=self.execution,
            model=self.stack.settings.model,
            version=version_of(self.stack.task, self.stack.settings.model),
            inputs=self.stack.task.inputs,
            first=chunk.first,
            last=chunk.last,
            requests=chunk.requests,
            bound=chunk.bound,
            largest=chunk.largest,
            intent_at=datetime.now(UTC),
        )

    def _refused(self, batch: Batch, no: NotCreated) -> float:
        """Certainly nothing was created: when may the next intent try?"""
        if isinstance(no, TooLarge) and batch.requests > 1:
            self.stack.ledger.void(batch, TOO_LARGE)
            return 0
        self.stack.ledger.void(batch, REFUSED)
        if isinstance(no, TooLarge):
            raise ClaudeRejected("Claude finds a single request too large: look at the task file.")
        return seconds_to_wait(no, in_a_row(self.night, self.execution) + 1, self.stack)
