"""Ranges of tickets that are kept back: a batch that cannot be read may still answer them. Pure.

Claude processes a batch within 24 hours of its create, and what is not done by then expires
(platform.claude.com, batch processing, 2026-09-26). An hour later no request of the batch can be
live, so its tickets may be sent again without a second live request.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from nightshift.runs.records import Batch, Run

LONGEST_LIFE = timedelta(hours=25)


def free_from(batch: Batch) -> datetime:
    """When the range of keys that a batch covers may be sent again."""
    return (batch.created_at or batch.intent_at) + LONGEST_LIFE


def kept_back(runs: Iterable[Run], now: datetime) -> list[Batch]:
    """Unread batches (set aside, or closed without being read) whose tickets must not be sent again
    yet."""
    return [batch for batch in _unread(runs) if now < free_from(batch)]


def freed_since(moment: datetime, runs: Iterable[Run], now: datetime) -> list[Batch]:
    """Unread batches whose tickets may be sent again since some time after a moment."""
    return [batch for batch in _unread(runs) if moment < free_from(batch) <= now]


def _unread(runs: Iterable[Run]) -> list[Batch]:
    batches = [batch for run in runs for batch in run.batches]
    return [batch for batch in batches if batch.set_aside or batch.unread]
