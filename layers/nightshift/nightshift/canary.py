"""The canary: before the first paid batch of a task version, one request in real time.

A batch is accepted with any `params` and fails line by line hours later (Message Batches API,
2026-09). So the very object that its lines will carry is tried first, on the task's own example.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from hashlib import blake2b

import msgspec

from nightshift import custom_id, results
from nightshift.claude import NotCreated, OutcomeUnknown, TooLarge
from nightshift.custom_id import AS_IS, CustomId
from nightshift.deployment import Deployment
from nightshift.errors import BatchNotFound, ClaudeRejected, ClaudeUnavailable
from nightshift.ledger import Stale, month_of
from nightshift.money import BATCH_FACTOR
from nightshift.observability import count_cost, logger
from nightshift.records import Canary, Night, Version
from nightshift.refusal import backoff, seconds_to_wait
from nightshift.results import Line
from nightshift.task import Form, Task, form_for


def version_name(task: Task, model: str) -> str:
    """A digest of all that is the same for every ticket: prompt, categories, model, settings."""
    form = form_for(task, model)
    same = msgspec.json.encode([task.message, task.categories])
    return blake2b(b"\n".join((form.head, form.tail, same)), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Trial:
    """One canary of this execution, within what `month` may still cost."""

    stack: Deployment
    night: Night
    execution: str
    month: str

    @cached_property
    def version(self) -> Version:
        """This task version; its constant part is counted by Claude, for nothing."""
        task, model = self.stack.task, self.stack.settings.model
        name = version_name(task, model)
        try:
            return Version(name, self.stack.claude.count_tokens(form_for(task, model).params(".")))
        except (BatchNotFound, ClaudeRejected, ClaudeUnavailable) as error:
            # The canary itself will say what is wrong, if it is.
            logger.warning("the task's tokens were not counted", why=type(error).__name__)
            return Version(name)

    @cached_property
    def form(self) -> Form:
        settings = self.stack.settings
        return form_for(self.stack.task, settings.model, self.version.fixed_tokens)

    @property
    def bound(self) -> Decimal:
        """USD that it cannot exceed."""
        tokens = self.form.most_input_tokens(self._message)
        return self.form.bound(self.stack.price).of(tokens) / BATCH_FACTOR

    def ask(self) -> float:
        """Ask once. Returns seconds to wait until something else may be tried, 0 for none.

        Raises:
            Stale: this execution may not pay (any more).
            ApiKeyMissing, ClaudeUnavailable: as for a batch.
            ClaudeRejected: every line of a batch would be refused so.
        """
        stack = self.stack
        stack.claude.key(False)  # no intent before there is a key to send it with
        canary = self._intent()
        if month_of(canary.asked_at) != self.month:
            raise Stale("a new month has begun, with a budget of its own")
        stack.ledger.intend_canary(canary)
        try:
            line = self._read(stack.claude.ask(self.form.params(self._message)))
        except OutcomeUnknown as unknown:
            logger.warning("canary: outcome unknown", record=canary.record, why=str(unknown))
            failures = self._failures_in_a_row() + 1
            return backoff(failures, stack.settings.poll_seconds)
        except NotCreated as no:
            stack.ledger.refuse_canary(canary)
            if isinstance(no, TooLarge):
                raise ClaudeRejected("Claude finds the task's own example too large.") from no
            return seconds_to_wait(no, self._failures_in_a_row() + 1, stack)
        except ClaudeRejected:
            stack.ledger.refuse_canary(canary)
            raise
        self._keep(canary, line)
        return 0

    @property
    def _message(self) -> str:
        return self.stack.task.example_message

    def _intent(self) -> Canary:
        return Canary(
            run_id=self.night.run_id,
            record=self.night.next_canary,
            state="asked",
            execution=self.execution,
            model=self.stack.settings.model,
            bound=self.bound,
            asked_at=datetime.now(UTC),
        )

    def _read(self, message: bytes) -> Line:
        """The answer, read exactly as the line of a batch would be."""
        name = CustomId(custom_id.new_token(), 0, custom_id.digest([]), AS_IS, "canary")
        result = b'{"type":"succeeded","message":%b}' % message
        line = results.read(b'{"custom_id":"%b","result":%b}' % (str(name).encode(), result))
        if line is None:
            raise OutcomeUnknown("its answer cannot be read")
        return line

    def _keep(self, canary: Canary, line: Line) -> None:
        cost = self.stack.price.request_cost(line.usage)
        answered = replace(canary, cost=cost, usage=line.usage, notice=self._notice(line))
        self.stack.ledger.answer_canary(answered, self.version)
        count_cost(cost)
        logger.info("canary answered", record=canary.record, cost_usd=float(cost))

    def _notice(self, line: Line) -> str:
        ended = line.stop_reason == "end_turn"
        if ended and self.stack.task.category_in(line.answer) is not None:
            return ""
        return (
            f"Claude's answer to the task's own example is no category (stop_reason "
            f"{line.stop_reason}). Look at the task file and at the model before the next night."
        )

    def _failures_in_a_row(self) -> int:
        count = 0
        for canary in reversed(self.night.canaries):
            if canary.state == "answered":
                break
            count += 1
        return count
