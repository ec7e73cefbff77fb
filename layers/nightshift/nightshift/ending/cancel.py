"""Cancel: open batches are stopped at the provider; those that it does not know are given up."""

from contextlib import suppress

from nightshift.deployment import Deployment
from nightshift.ending.unread import close_unread
from nightshift.runs.ledger import Stale
from nightshift.runs.records import GIVEN_UP, Batch, Run


def cancel(run: Run, stack: Deployment, holder: str | None = None) -> bool:
    """Ask the provider to stop every open batch that is surely ours, each once; True if anything
    was asked or given up.

    Batches that have ended are collected as ever, set aside or not: an answer that can be read is
    never thrown away. `holder` is this execution if it holds the lock: then it also gives up the
    batches that the provider did not know when this execution polled for them.
    """
    asked = False
    for batch in run.in_state("open"):
        if holder and batch.aside_by == holder and batch.unknown:
            close_unread(batch, stack, holder, GIVEN_UP)
        elif batch.confirmed and not batch.cancel_asked:
            _ask(batch, stack)
        else:
            continue
        asked = True
    return asked


def _ask(batch: Batch, stack: Deployment) -> None:
    stack.claude.cancel(str(batch.batch_id))
    with suppress(Stale):  # another call has closed the batch meanwhile
        stack.ledger.mark_cancel_asked(batch)
