"""Keys that are kept back, since a batch that nobody could read may still answer them. Pure.

Claude processes a batch within 24 hours of its create, and what is not done by then expires
(platform.claude.com, batch processing, 2026-09-26). An hour later nothing of it can be live, so
its tickets may be sent again without a second live request.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from nightshift.runs.records import Batch, Night

LONGEST_LIFE = timedelta(hours=25)


def free_from(batch: Batch) -> datetime:
    """When the range of keys that a batch covers may be sent again."""
    return (batch.created_at or batch.intent_at) + LONGEST_LIFE


def kept_back(nights: Iterable[Night], now: datetime) -> list[Batch]:
    """The batches whose ranges of keys must not be sent again yet: they are set aside, or a cancel
    has given them up unread."""
    return [batch for batch in _unread(nights) if now < free_from(batch)]


def freed_since(moment: datetime, nights: Iterable[Night], now: datetime) -> list[Batch]:
    """The batches whose ranges have become free since a moment."""
    return [batch for batch in _unread(nights) if moment < free_from(batch) <= now]


def _unread(nights: Iterable[Night]) -> list[Batch]:
    batches = [batch for night in nights for batch in night.batches]
    return [batch for batch in batches if batch.set_aside or batch.unread]
