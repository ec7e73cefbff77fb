"""What Claude's answers look like: what is of another shape was said by somebody else. Pure.

A proxy or gateway on the way may answer in Claude's place, with status 200 too: with a page, with
JSON of its own, with a part of a body. The SDK builds its types from anything (2.13.0, 2026-11);
these are checked, down to what Nightshift reads of them.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

_Count = Annotated[int, Meta(ge=0)]
_Id = Annotated[str, Meta(min_length=1)]
_Time = Annotated[datetime, Meta(tz=True)]


class Counts(Struct):
    """How many requests of a batch are in which state; their sum is the size of the batch."""

    processing: _Count
    succeeded: _Count
    errored: _Count
    canceled: _Count
    expired: _Count


class Batch(Struct):
    id: _Id
    processing_status: Literal["in_progress", "canceling", "ended"]
    request_counts: Counts
    created_at: _Time
    ended_at: _Time | None = None
    archived_at: _Time | None = None


class Page(Struct):
    """Batches, the newest first. A page that announces more after nothing is none."""

    data: list[Batch]
    has_more: bool

    def __post_init__(self) -> None:
        if self.has_more and not self.data:
            raise ValueError("more after nothing")


class Deleted(Struct):
    id: _Id
    type: Literal["message_batch_deleted"]


class ModelInfo(Struct):
    id: _Id
    lifecycle: str
    retires_at: _Time | None = None


class TokenCount(Struct):
    input_tokens: _Count


def read[T](kind: type[T], raw: bytes) -> T:
    """Read one answer.

    Raises:
        ValueError: it is of another shape. The message may quote it.
    """
    return msgspec.json.decode(raw, type=kind)


def begins_results(line: bytes) -> bool:
    """Whether the first line of a results file can be one: each is an object with a custom_id.

    A line that is cut within counts as one: it is missing, and counting finds that out.
    """
    return line.lstrip().startswith(b"{") and b'"custom_id"' in line
