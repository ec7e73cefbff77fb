"""The shapes of Claude's answers, as far as Nightshift reads them. Pure.

A proxy or gateway on the way may answer in Claude's place, with status 200 too: with a page, with
JSON of its own, with a part of a body. The SDK builds its types from any JSON (2.13.0, 2026-11);
these types refuse an answer of another shape.
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
    """Batches, the newest first. An empty page that announces more pages is refused."""

    data: list[Batch]
    has_more: bool

    def __post_init__(self) -> None:
        if self.has_more and not self.data:
            raise ValueError("more after nothing")


class Deleted(Struct):
    id: _Id
    type: Literal["message_batch_deleted"]


class Supported(Struct):
    supported: bool


class Capabilities(Struct):
    structured_outputs: Supported | None = None


class ModelInfo(Struct):
    id: _Id
    lifecycle: str
    retires_at: _Time | None = None
    capabilities: Capabilities | None = None

    @property
    def takes_schemas(self) -> bool:
        """Whether structured outputs can be asked for; True where the API does not say."""
        known = self.capabilities.structured_outputs if self.capabilities else None
        return known is None or known.supported


class TokenCount(Struct):
    input_tokens: _Count


def read[T](kind: type[T], raw: bytes) -> T:
    """Read one answer.

    Raises:
        ValueError: the answer has another shape. The message may quote the answer.
    """
    return msgspec.json.decode(raw, type=kind)


def begins_results(line: bytes) -> bool:
    """Whether the first line of a results file can be a result: an object with a custom_id.

    A result that was cut off counts as one: its request is missing then, and counting the results
    finds that out.
    """
    return line.lstrip().startswith(b"{") and b'"custom_id"' in line
