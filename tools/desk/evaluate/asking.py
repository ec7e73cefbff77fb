"""The batches of one series: sent once, found again after a lost answer, collected, deleted.

The same care as in the night: the intent is on disk before the one POST. A batch whose POST was not
answered is looked for in the provider's list by its size and its time, and is ours where the token
stands in its first result.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from nightshift.claude import custom_id, results
from nightshift.claude.batch import (
    KeyRefused,
    NotCreated,
    OutcomeUnknown,
    ProviderBatch,
    TooLarge,
)
from nightshift.claude.client import Claude
from nightshift.claude.custom_id import CustomId
from nightshift.claude.results import INVALID_REQUEST, Result
from nightshift.errors import (
    BatchNotFound,
    ClaudeRejected,
    ClaudeUnavailable,
    LedgerMismatch,
    ResultsGone,
)
from nightshift.sending.adopt import AFTER, BEFORE
from nightshift.sending.chunk import MAX_BYTES, Spool
from nightshift.task.request import RequestTemplate, template_for
from nightshift.tickets import attribute
from tools.desk.evaluate.journal import Journal, Sending
from tools.desk.evaluate.series import Series

MOST_REQUESTS = 10_000
# A batch may show in the provider's list some time after its create: as long as the night waits.
GRACE = timedelta(minutes=15)
_MOST_TRIES = 3
_MOST_MISSES = 60
_COMMA = 1


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Asker:
    """Brings one series to its end, a turn at a time. `wait` is how many seconds the provider asks
    for before the next create, `trouble` what went wrong last."""

    series: Series
    journal: Journal
    claude: Claude
    clock: Callable[[], datetime] = now
    wait: float = 0.0
    trouble: str = ""
    sendings: dict[int, Sending] = field(init=False)
    _found: dict[int, Result] = field(default_factory=dict)
    _read: set[int] = field(default_factory=set)
    _not_ours: set[str] = field(default_factory=set)
    _misses: Counter[str] = field(default_factory=Counter)
    _template: RequestTemplate | None = None

    def __post_init__(self) -> None:
        self.sendings = {each.number: each for each in self.journal.sendings()}
        self._read_stored()

    @property
    def found(self) -> dict[int, Result]:
        """The last result of each row that has one."""
        return self._found

    @property
    def open(self) -> list[Sending]:
        return [each for each in self.sendings.values() if each.state in ("creating", "open")]

    def turn(self) -> bool:
        """One look at everything; True when the series is over.

        Raises:
            ClaudeRejected, LedgerMismatch, ResultsGone, BatchNotFound: it cannot go on.
        """
        self.wait, self.trouble = 0.0, ""
        try:
            for sending in self.open:
                self._settle(sending) if sending.state == "creating" else self._collect(sending)
            self._send_the_rest()
        except ClaudeUnavailable as error:
            self.trouble = str(error)
            return False
        return not self.open and not self.wait

    # Sending.

    def _send_the_rest(self) -> None:
        left = self._left()
        while left and not self.wait:
            rows, body, token = self._spooled(left)
            try:
                self._create(rows, body, token)
            finally:
                body.close()
            left = left[len(rows) :]

    def _left(self) -> list[int]:
        """Rows that have no final result, are in no open batch, and may be tried again."""
        tries = Counter(
            row
            for each in self.sendings.values()
            if each.state != "not_created"
            for row in each.rows
        )
        busy = {row for each in self.open for row in each.rows}
        return [
            row
            for row, message in enumerate(self.series.messages)
            if message is not None
            and row not in busy
            and tries[row] < _MOST_TRIES
            and not _is_final(self._found.get(row))
        ]

    def _spooled(self, left: list[int]) -> tuple[tuple[int, ...], Spool, str]:
        """As many rows as one batch takes, as its request body."""
        template, token = self._with_template(len(left)), custom_id.new_token()
        body, taken = Spool(), 0
        for row in left[:MOST_REQUESTS]:
            message = str(self.series.messages[row])
            encoding, name = custom_id.name_ticket(self.series.rows[row].ticket_id)
            digest = attribute.digest([{"S": message}])
            line = template.line(str(CustomId(token, taken, digest, encoding, name)), message)
            if taken and body.size + len(line) + _COMMA > MAX_BYTES:
                break
            body.add(line)
            taken += 1
        body.finish()
        return tuple(left[:taken]), body, token

    def _create(self, rows: tuple[int, ...], body: Spool, token: str) -> None:
        sending = Sending(max(self.sendings, default=0) + 1, token, rows, self.clock())
        self._note(sending)
        try:
            created = self.claude.create(body)
        except OutcomeUnknown as unknown:
            self.trouble = f"a create was not answered ({unknown}): looking for its batch"
        except NotCreated as no:
            self._note(replace(sending, state="not_created"))
            self._not_now(no)
        except ClaudeRejected:
            self._note(replace(sending, state="not_created"))
            raise
        else:
            self._note(_opened(sending, created))

    def _not_now(self, no: NotCreated) -> None:
        if isinstance(no, KeyRefused):
            raise ClaudeRejected("Claude does not accept the API key in ANTHROPIC_API_KEY.")
        if isinstance(no, TooLarge):
            raise ClaudeRejected("Claude finds the batch too large.")
        self.trouble, self.wait = str(no), max(1.0, no.retry_after)

    def _with_template(self, requests: int) -> RequestTemplate:
        """The request template, as the night makes it: Claude counts the constant part first."""
        if self._template is None:
            task, model = self.series.task, self.series.model
            try:
                fixed = self.claude.count_tokens(template_for(task, model).params("."))
            except (ClaudeRejected, ClaudeUnavailable):
                fixed = None  # if the task is wrong, the batch shows it
            self._template = template_for(task, model, fixed, requests)
        return self._template

    # After a lost answer.

    def _settle(self, sending: Sending) -> None:
        """Look for the batch of an intent; certain only when it has ended, or was never there."""
        running = False
        for batch in self._candidates(sending):
            if not batch.ended:
                running = True
            elif self._is_ours(batch, sending):
                self._note(_opened(sending, batch))
                return
            else:
                self._not_ours.add(batch.batch_id)
        if not running and self.clock() - sending.intent_at > GRACE:
            self._note(replace(sending, state="not_created"))

    def _candidates(self, sending: Sending) -> list[ProviderBatch]:
        known = {each.batch_id for each in self.sendings.values()} | self._not_ours
        return [
            batch
            for batch in self.claude.created_since(sending.intent_at - BEFORE)
            if batch.total == len(sending.rows)
            and batch.created_at <= sending.intent_at + AFTER
            and batch.batch_id not in known
            and not batch.archived
        ]

    def _is_ours(self, batch: ProviderBatch, sending: Sending) -> bool:
        try:
            lines = map(results.name_of, self.claude.result_lines(batch.batch_id))
            name = next(filter(None, lines), None)
        except BatchNotFound as error:  # for some seconds after the end this may be so
            raise ClaudeUnavailable(str(error)) from error
        return name is not None and name.startswith(sending.token)

    # Collecting.

    def _collect(self, sending: Sending) -> None:
        if not self.journal.has_results(sending):
            batch = self._retrieved(sending)
            if batch is None or not batch.ended:
                return
            if batch.archived:
                raise ResultsGone(
                    f"Claude no longer holds the results of {sending.batch_id}. To ask again, and "
                    f"pay again, delete {self.journal.directory}."
                )
            sending = replace(sending, ended_at=batch.ended_at)
            self._note(sending)
            if not self._store(sending):
                return
        self.claude.delete(sending.batch_id)
        self._note(replace(sending, state="collected"))
        self._read_stored()

    def _retrieved(self, sending: Sending) -> ProviderBatch | None:
        try:
            return self.claude.retrieve(sending.batch_id)
        except BatchNotFound:
            self._miss(sending)
            return None

    def _store(self, sending: Sending) -> bool:
        """Keep all results on disk; False where some are missing: the stream may end early."""
        try:
            self.journal.keep_results(sending, _whole(self._lines(sending), len(sending.rows)))
        except (_Missing, BatchNotFound):
            self._miss(sending)
            return False
        return True

    def _miss(self, sending: Sending) -> None:
        self._misses[sending.batch_id] += 1
        self.trouble = f"{sending.batch_id} is not there in full yet"
        if self._misses[sending.batch_id] >= _MOST_MISSES:
            raise BatchNotFound(
                f"Claude does not give the batch {sending.batch_id} or all of its results. To ask "
                f"again, and pay again, delete {self.journal.directory}."
            )

    def _lines(self, sending: Sending) -> Iterator[bytes]:
        """The lines that are results of this batch's requests, each once."""
        seen: set[int] = set()
        for line in self.claude.result_lines(sending.batch_id):
            result = results.read(line)
            if result is None:
                continue
            name = result.custom_id
            if name.token != sending.token or name.ordinal >= len(sending.rows):
                raise LedgerMismatch(f"{sending.batch_id} holds results that are not ours.")
            if name.ordinal not in seen:
                seen.add(name.ordinal)
                yield line

    def _read_stored(self) -> None:
        for sending in self.sendings.values():
            if sending.state != "collected" or sending.number in self._read:
                continue
            self._read.add(sending.number)
            for line in self.journal.results(sending):
                if (result := results.read(line)) is not None:
                    self._found[sending.rows[result.custom_id.ordinal]] = result

    def _note(self, sending: Sending) -> None:
        self.journal.write(sending)
        self.sendings[sending.number] = sending


class _Missing(Exception):
    """A stream of results had fewer than there are requests."""


def _whole(lines: Iterator[bytes], number: int) -> Iterator[bytes]:
    """Lines that must be so many; raises _Missing at their end if they are not."""
    count = 0
    for line in lines:
        count += 1
        yield line
    if count != number:
        raise _Missing


def _opened(sending: Sending, batch: ProviderBatch) -> Sending:
    return replace(sending, state="open", batch_id=batch.batch_id, created_at=batch.created_at)


def _is_final(result: Result | None) -> bool:
    """Whether asking again would not help, or be paid again."""
    if result is None:
        return False
    return result.kind == "succeeded" or result.error == INVALID_REQUEST
