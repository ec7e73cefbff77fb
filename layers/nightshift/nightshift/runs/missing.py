"""A batch that the provider does not know: polled for again, then set aside."""

from typing import Literal

from nightshift.errors import BatchNotFound
from nightshift.runs.held import free_from
from nightshift.runs.ledger import Ledger
from nightshift.runs.records import Batch

# A new batch may be unknown for some seconds after its create (anthropic-sdk-python#1432, 2026-04).
POLLS_UNTIL_NOT_FOUND = 60

type Sight = Literal["ended", "open", "aside"]


def miss(ledger: Ledger, batch: Batch, execution: str) -> Sight:
    """The provider does not know a batch: poll for it many times, then go on without it.

    A batch that was set aside before has had its polls.
    """
    if not batch.set_aside and batch.missed_polls + 1 < POLLS_UNTIL_NOT_FOUND:
        ledger.count_missed_poll(batch)
        return "open"
    if not batch.confirmed:
        ledger.release(batch)  # somebody else's batch, which its owner has deleted
        return "open"
    problem = BatchNotFound(
        f"Claude does not know {batch.batch_id} ({batch.record} of run "
        f"{batch.run_id}). Does the API key belong to another workspace now? Then store the one "
        f"that sent it and start again. Its {batch.requests} tickets are kept back until "
        f"{free_from(batch):%Y-%m-%d %H:%M} UTC; if Claude does not know it then, it is closed as "
        "lost and they are asked again."
    )
    ledger.set_aside(batch, execution, unknown=True, problem=problem)
    return "aside"
