"""A batch at the provider: its body, what is said of it, and how a create may fail. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from nightshift.claude import answers


class NotCreated(Exception):
    """The provider refused the create, or never received it: certainly there is no batch."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class TooLarge(NotCreated):
    """The body is larger than the provider takes."""


class KeyRefused(NotCreated):
    """The key, or what stands in its place, is not (or no longer) valid; `cure` says what to do
    when a fresh one is refused too, where that is known here."""

    def __init__(self, reason: str, cure: str = "") -> None:
        super().__init__(reason)
        self.cure = cure


class OutcomeUnknown(Exception):
    """The create was sent and not answered: there may be a batch."""


class Body(Protocol):
    """A request body of known length that can be read again from its start."""

    @property
    def size(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class ProviderBatch:
    """A batch as the provider describes it."""

    batch_id: str
    created_at: datetime
    ended: bool
    archived: bool
    succeeded: int
    errored: int
    canceled: int
    expired: int
    total: int
    ended_at: datetime | None = None

    @classmethod
    def of(cls, batch: answers.Batch) -> Self:
        counts = batch.request_counts
        ended = counts.succeeded + counts.errored + counts.canceled + counts.expired
        return cls(
            batch.id,
            batch.created_at,
            batch.processing_status == "ended",
            batch.archived_at is not None,
            counts.succeeded,
            counts.errored,
            counts.canceled,
            counts.expired,
            ended + counts.processing,
            batch.ended_at,
        )
