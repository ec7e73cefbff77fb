"""An intent whose outcome nobody knows: find its batch in the provider's list, or give it up.

The API takes no idempotency key and lists batches without our names. So a batch is found by its
size and its time, and confirmed by the token in its first result.
"""

from collections.abc import Sequence
from datetime import timedelta

from nightshift.claude.batch import ProviderBatch
from nightshift.deployment import Deployment
from nightshift.runs.records import UNSEEN, Batch, Run
from nightshift.waits import polls_for_a_create

BEFORE, AFTER = timedelta(minutes=5), timedelta(minutes=20)


def resolve(batch: Batch, runs: Sequence[Run], stack: Deployment, execution: str) -> bool:
    """Look through the list once. True when the intent is settled: its batch was found, or was
    missed in enough polls to know that it was not created.

    Only a poll that this execution has waited for counts as missed: no time passes when people
    start again and again, or when a call dies and is retried.
    """
    found = _candidates(batch, runs, stack)
    if found:
        nearest = min(found, key=lambda b: abs(b.created_at - batch.intent_at))
        stack.ledger.open(batch, nearest.batch_id, nearest.created_at, confirmed=False)
        return True
    if batch.polled_by != execution or _ours_may_be_held(batch, runs):
        return False
    if batch.missed_polls + 1 >= polls_for_a_create(stack.settings.poll_seconds):
        stack.ledger.mark_not_created(batch, UNSEEN)
        return True
    stack.ledger.count_missed_poll(batch)
    return False


def _ours_may_be_held(batch: Batch, runs: Sequence[Run]) -> bool:
    """Whether another intent of this size may have taken the batch of this one, which shows only
    when the first result of that batch is read."""
    others = [other for run in runs for other in run.in_state("open")]
    return any(not other.confirmed and other.requests == batch.requests for other in others)


def _candidates(batch: Batch, runs: Sequence[Run], stack: Deployment) -> list[ProviderBatch]:
    taken = {other.batch_id for run in runs for other in run.batches} | batch.not_ours
    earliest, latest = batch.intent_at - BEFORE, batch.intent_at + AFTER
    return [
        found
        for found in stack.claude.created_since(earliest)
        if found.total == batch.requests
        and found.created_at <= latest
        and found.batch_id not in taken
    ]
