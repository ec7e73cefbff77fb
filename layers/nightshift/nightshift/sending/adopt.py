"""An intent whose outcome nobody knows: find its batch in the provider's list, or give it up.

The API takes no idempotency key and lists batches without our names, so a batch is found by
its size and time, and proved by the token in its first result.
"""

from collections.abc import Sequence
from datetime import timedelta

from nightshift.claude.client import ProviderBatch
from nightshift.deployment import Deployment
from nightshift.runs.records import UNSEEN, Batch, Night
from nightshift.waits import looks_for_a_create

BEFORE, AFTER = timedelta(minutes=5), timedelta(minutes=20)


def resolve(batch: Batch, nights: Sequence[Night], stack: Deployment, execution: str) -> bool:
    """Look once; True when the intent is settled: adopted, or void after enough turns.

    Only a look after a turn that this execution has waited counts: starting again and again, or
    a call that dies and is retried, makes no time pass.
    """
    found = _candidates(batch, nights, stack)
    if found:
        nearest = min(found, key=lambda b: abs(b.created_at - batch.intent_at))
        stack.ledger.open(batch, nearest.batch_id, nearest.created_at, proved=False)
        return True
    if batch.turned_by != execution or _ours_may_be_held(batch, nights):
        return False
    if batch.looks + 1 >= looks_for_a_create(stack.settings.poll_seconds):
        stack.ledger.void(batch, UNSEEN)
        return True
    stack.ledger.look(batch)
    return False


def _ours_may_be_held(batch: Batch, nights: Sequence[Night]) -> bool:
    """Another intent may hold our batch until its first result shows whose it is."""
    others = [other for night in nights for other in night.in_state("open")]
    return any(not other.proved and other.requests == batch.requests for other in others)


def _candidates(batch: Batch, nights: Sequence[Night], stack: Deployment) -> list[ProviderBatch]:
    taken = {other.batch_id for night in nights for other in night.batches} | batch.foreign
    earliest, latest = batch.intent_at - BEFORE, batch.intent_at + AFTER
    return [
        found
        for found in stack.claude.created_since(earliest)
        if found.total == batch.requests
        and found.created_at <= latest
        and found.batch_id not in taken
    ]
