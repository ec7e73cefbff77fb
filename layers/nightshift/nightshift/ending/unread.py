"""Batches that are closed without having been read: lost at the provider, or given up."""

from dataclasses import replace

from nightshift.deployment import Deployment
from nightshift.errors import BatchNotFound, ClaudeUnavailable
from nightshift.runs.held import free_from
from nightshift.runs.records import LOST, Batch, Night, Tally
from nightshift.writing import closing


def close_unread(batch: Batch, stack: Deployment, execution: str, why: str) -> None:
    """Close a batch as LOST or GIVEN_UP: its unread requests count as requeued, and in every
    budget at their bound for ever, since nobody knows what they cost."""
    whole = stack.ledger.batch(batch.run_id, batch.record)
    unread = whole.requests - whole.tally.accounted
    tally = whole.tally + Tally(requeued=unread, left=unread)
    closing.close(replace(whole, tally=tally, unread=why), stack, execution)


def settle_lost(night: Night, stack: Deployment, execution: str) -> bool:
    """Look once more for what the provider did not know, when nothing of it can be live any more;
    True if what is recorded of any has changed: it is closed as lost, or known after all."""
    now = stack.now()
    lost = [b for b in night.in_state("open") if b.set_aside and b.unknown and free_from(b) <= now]
    settled = [_settle(batch, stack, execution) for batch in lost]
    return any(settled)


def _settle(batch: Batch, stack: Deployment, execution: str) -> bool:
    try:
        found = stack.claude.retrieve(str(batch.batch_id))
    except BatchNotFound:
        close_unread(batch, stack, execution, LOST)
    except ClaudeUnavailable:
        return False  # its keys are free: nothing waits for this answer
    else:
        if found.ended:
            # It stays aside: each later start tries once to read it.
            stack.ledger.set_aside(batch, str(batch.aside_by), "", unknown=False)
        else:
            stack.ledger.take_back(batch)
    return True
