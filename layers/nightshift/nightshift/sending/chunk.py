"""The next chunk of a round: pending tickets in key order, spooled as one request body."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import IO

from nightshift.claude import custom_id
from nightshift.claude.custom_id import HASH, CustomId
from nightshift.claude.money import Bound, in_usd, trillionths_within
from nightshift.task.request import RequestTemplate
from nightshift.task.task import Task
from nightshift.tickets.ticket import PENDING, Ticket

# The API takes 256 MB (2026-09-26) and does not say MB or MiB: stay well below both.
MAX_BYTES = 240_000_000
_OPENING, _CLOSING = b'{"requests":[', b"]}"
# Bytes. malloc maps blocks of 128 KiB and more anew each time (set in template.yaml): read less.
_WRITTEN_AT_ONCE, _READ_AT_ONCE = 1 << 18, 120_000


class Spool:
    """A request body in an unlinked temporary file. It can be iterated, and so sent, repeatedly."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=_WRITTEN_AT_ONCE)
        self.size = self._file.write(_OPENING)
        self._separator = b""

    def add(self, line: bytes) -> None:
        self.size += self._file.write(self._separator + line)
        self._separator = b","

    def finish(self) -> None:
        self.size += self._file.write(_CLOSING)

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while block := self._file.read(_READ_AT_ONCE):
            yield block

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Room:
    """How much a chunk may hold: requests, bytes, and what they may cost at most in USD.
    `out_of_time` says when to stop early."""

    requests: int
    usd: Decimal
    out_of_time: Callable[[], bool]
    bytes: int = MAX_BYTES

    @cached_property
    def usd_trillionths(self) -> int:
        """`usd` in trillionths of a dollar, the unit in which bounds are added up."""
        return trillionths_within(self.usd)


@dataclass
class Chunk:
    """A chunk as it grows. It covers the tickets whose keys are from `first` to `last`."""

    token: str
    body: Spool = field(default_factory=Spool)
    first: str = ""
    last: str = ""
    requests: int = 0
    bound_trillionths: int = 0
    largest_trillionths: int = 0
    redacted: Counter[str] = field(default_factory=Counter)
    """How many strings of each kind were redacted in its requests."""
    long_ids: dict[str, str] = field(default_factory=dict)
    fixed_tokens: int | None = None
    """What Claude counted for the constant part of a request, in tokens; None if not asked."""
    full: str = ""
    """The limit that ended the chunk: "requests", "bytes", "budget" or "time"; empty if no ticket
    was left in the index."""

    @property
    def bound(self) -> Decimal:
        """The most that all its requests can cost, in USD."""
        return in_usd(self.bound_trillionths)

    @property
    def largest(self) -> Decimal:
        """The most that the dearest of its requests can cost, in USD."""
        return in_usd(self.largest_trillionths)


@dataclass(frozen=True)
class Builder:
    """Builds chunks of one task for one model; tickets that need no request go to `on_unasked`.

    `version` is the name of today's task version.
    """

    task: Task
    template: RequestTemplate
    bound: Bound
    version: str
    on_unasked: Callable[[Ticket], None]

    def build(self, tickets: Iterable[tuple[str, Ticket | None]], room: Room) -> Chunk:
        """Take tickets that are still pending, in key order, until one does not fit."""
        chunk = Chunk(custom_id.new_token())
        for ticket_id, ticket in tickets:
            if chunk.requests >= room.requests or room.out_of_time():
                chunk.full = "requests" if chunk.requests >= room.requests else "time"
                break
            if ticket is not None and ticket.status == PENDING:
                chunk.full = self._take(chunk, ticket, room)
            if chunk.full:
                break
            chunk.first = chunk.first or ticket_id
            chunk.last = ticket_id
        chunk.body.finish()
        return chunk

    def _take(self, chunk: Chunk, ticket: Ticket, room: Room) -> str:
        """Put a ticket into the chunk if it needs a request; returns the limit it goes beyond."""
        unchanged = ticket.is_unchanged(self.version)
        message, redacted = (None, {}) if unchanged else self.task.counted_message_for(ticket.shown)
        if message is None:
            self.on_unasked(ticket)
            return ""
        full = self._add(chunk, ticket, message, room)
        if redacted and not full:
            chunk.redacted.update(redacted)
        return full

    def _add(self, chunk: Chunk, ticket: Ticket, message: str, room: Room) -> str:
        encoding, name = custom_id.name_ticket(ticket.ticket_id)
        request_id = CustomId(chunk.token, chunk.requests, ticket.digest, encoding, name)
        line = self.template.line(str(request_id), message)
        most = self.bound.trillionths(self.template.most_input_tokens(message))
        if chunk.bound_trillionths + most > room.usd_trillionths:
            return "budget"
        if chunk.body.size + len(line) + len(_CLOSING) + 1 > room.bytes:
            return "bytes"
        chunk.body.add(line)
        chunk.requests += 1
        chunk.bound_trillionths += most
        chunk.largest_trillionths = max(chunk.largest_trillionths, most)
        if encoding == HASH:
            chunk.long_ids[name] = ticket.ticket_id
        return ""
