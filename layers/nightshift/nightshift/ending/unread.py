"""Batches that are closed without having been read: lost at the provider, or given up."""

from dataclasses import replace

from nightshift.deployment import Deployment
from nightshift.errors import BatchNotFound, ClaudeUnavailable
from nightshift.runs.held import free_from
from nightshift.runs.records import LOST, Batch, Run, Tally
from nightshift.writing import closing


def close_unread(batch: Batch, stack: Deployment, execution: str, why: str) -> None:
    """Close a batch as LOST or GIVEN_UP: its unread requests count as requeued, and in every
    budget at their bound for ever, since nobody knows what they cost."""
    whole = stack.ledger.batch(batch.run_id, batch.record)
    unread = whole.requests - whole.tally.accounted
    tally = whole.tally + Tally(requeued=unread, still_pending=unread)
    closing.close(replace(whole, tally=tally, unread=why), stack, execution)


def settle_lost(run: Run, stack: Deployment, execution: str) -> bool:
    """Ask once more for batches that the provider did not know, when no request of them can be
    live any more; True if any of their records has changed: closed as lost, or known after all."""
    now = stack.now()
    lost = [b for b in run.in_state("open") if b.set_aside and b.unknown and free_from(b) <= now]
    settled = [_settle(batch, stack, execution) for batch in lost]
    return any(settled)


def _settle(batch: Batch, stack: Deployment, execution: str) -> bool:
    try:
        found = stack.claude.retrieve(str(batch.batch_id))
    except BatchNotFound:
        close_unread(batch, stack, execution, LOST)
    except ClaudeUnavailable:
        return False  # the keys of the batch are free: nothing waits for this answer
    else:
        if found.ended:
            # The batch stays aside: each later start tries once to read its results.
            stack.ledger.set_aside(batch, str(batch.aside_by), unknown=False)
        else:
            stack.ledger.take_back(batch)
    return True
