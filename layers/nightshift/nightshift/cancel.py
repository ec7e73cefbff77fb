"""Cancel: what is open is stopped at the provider, and what is beyond help is given up."""

from dataclasses import replace

from nightshift.deployment import Deployment
from nightshift.errors import BatchNotFound
from nightshift.ledger import Stale
from nightshift.records import Batch, Night, Tally


def cancel(night: Night, stack: Deployment, holder: str | None = None) -> bool:
    """Ask for the end of every open batch that is surely ours; True if anything was to be done.

    A batch that an execution has set aside is given up, by the holder of the lock only.
    """
    asked = False
    for batch in night.in_state("open"):
        if batch.aside_by and holder:
            _give_up(batch, stack, holder)
        elif batch.cancel_asked or not batch.proved:
            continue
        else:
            _ask(batch, stack)
        asked = True
    return asked


def _ask(batch: Batch, stack: Deployment) -> None:
    try:
        stack.claude.cancel(str(batch.batch_id))
    except BatchNotFound:
        return
    try:
        stack.ledger.mark_cancel_asked(batch)
    except Stale:
        return  # it was closed meanwhile, which is better still


def _give_up(batch: Batch, stack: Deployment, holder: str) -> None:
    """Its tickets go back to pending; what it may have answered is lost."""
    whole = stack.ledger.batch(batch.run_id, batch.record)
    unanswered = whole.requests - whole.tally.accounted
    tally = whole.tally + Tally(requeued=unanswered, left=unanswered)
    stack.ledger.close(replace(whole, tally=tally, disputed=True), holder)
