"""Cancel: what is open is stopped at the provider; what the provider does not know is given up."""

from contextlib import suppress

from nightshift.deployment import Deployment
from nightshift.ending.unread import close_unread
from nightshift.runs.ledger import Stale
from nightshift.runs.records import GIVEN_UP, Batch, Night


def cancel(night: Night, stack: Deployment, holder: str | None = None) -> bool:
    """Ask for the end of every open batch that is surely ours, once; True if any was asked.

    What has ended is collected as ever, one that was set aside too: an answer that can be read is
    not thrown away. The holder of the lock gives up what the provider did not know when this
    execution looked.
    """
    asked = False
    for batch in night.in_state("open"):
        if holder and batch.aside_by == holder and batch.unknown:
            close_unread(batch, stack, holder, GIVEN_UP)
        elif batch.proved and not batch.cancel_asked:
            _ask(batch, stack)
        else:
            continue
        asked = True
    return asked


def _ask(batch: Batch, stack: Deployment) -> None:
    stack.claude.cancel(str(batch.batch_id))
    with suppress(Stale):  # it was closed meanwhile, which is better still
        stack.ledger.mark_cancel_asked(batch)
