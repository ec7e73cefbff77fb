"""A batch that the provider does not know: asked for again, then set aside."""

from typing import Literal

from nightshift.runs.held import free_from
from nightshift.runs.ledger import Ledger
from nightshift.runs.records import Batch

# A batch may be unknown for some seconds after its create (anthropic-sdk-python#1432, 2026-04).
TURNS_UNTIL_NOT_FOUND = 60

type Sight = Literal["ended", "open", "aside"]


def miss(ledger: Ledger, batch: Batch, execution: str) -> Sight:
    """The provider does not know a batch: ask again for many turns, then go on without it.

    One that was set aside before has had its turns.
    """
    if not batch.set_aside and batch.looks + 1 < TURNS_UNTIL_NOT_FOUND:
        ledger.look(batch)
        return "open"
    if not batch.proved:
        ledger.disown(batch)  # somebody else's, and its owner has deleted it
        return "open"
    what = (
        f"BatchNotFound: Claude does not know {batch.batch_id} ({batch.record} of run "
        f"{batch.run_id}). Does the API key belong to another workspace now? Then store the one "
        f"that sent it and start again. Its {batch.requests} tickets are kept back until "
        f"{free_from(batch):%Y-%m-%d %H:%M} UTC; if Claude does not know it then, it is closed as "
        "lost and they are asked again."
    )
    ledger.set_aside(batch, execution, what, unknown=True)
    return "aside"
