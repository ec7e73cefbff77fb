"""Check status: which batches have ended, and how long to wait for the others."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from nightshift.claude.batch import ProviderBatch
from nightshift.deployment import Deployment
from nightshift.errors import BatchNotFound, ClaudeUnavailable
from nightshift.events import StatusCall
from nightshift.runs.held import free_from
from nightshift.runs.ledger import Stale
from nightshift.runs.missing import Sight, miss
from nightshift.runs.records import Batch
from nightshift.waits import until_next_poll


def status(call: StatusCall, stack: Deployment) -> dict[str, Any]:
    """One poll: the batches that have ended, by their records, and what the workflow does next.

    `open_requests` counts all requests of open batches: Claude counts finished requests only when
    the whole batch has ended (SDK 2.13.0, `request_counts`, 2026-11).
    """
    run = stack.ledger.run(call.run_id)
    working = run.working(call.execution)
    for batch in run.in_state("creating"):
        with suppress(Stale):
            stack.ledger.mark_polled(batch, call.execution)
    ended = [batch.record for batch in working if batch.undeleted]
    seen = _poll([batch for batch in working if not batch.undeleted], call, stack)
    ended += [batch.record for batch, sight in seen if sight == "ended"]
    waiting = [batch for batch, sight in seen if sight != "aside"]
    idle = "wait" if waiting and not call.more else "submit"
    return {
        "next": "collect" if ended else idle,
        "run_id": call.run_id,
        "ended": ended,
        "open": len(waiting),
        "open_requests": sum(batch.requests for batch in waiting),
        "more": call.more,
        "wait_seconds": until_next_poll(waiting, stack.now(), stack.settings.poll_seconds),
    }


def _poll(
    batches: Sequence[Batch], call: StatusCall, stack: Deployment
) -> list[tuple[Batch, Sight]]:
    if not batches:
        return []
    newest = {batch.batch_id: batch for batch in stack.claude.newest()}
    return [
        (batch, _sight(batch, newest.get(str(batch.batch_id)), call, stack)) for batch in batches
    ]


def _sight(batch: Batch, found: ProviderBatch | None, call: StatusCall, stack: Deployment) -> Sight:
    try:
        found = found or stack.claude.retrieve(str(batch.batch_id))
        if found.ended:
            return "ended"
        if free_from(batch) <= stack.now():
            stack.ledger.set_aside(batch, call.execution, unknown=False, problem=_never_ends(batch))
            return "aside"
        if batch.set_aside:
            stack.ledger.take_back(batch)
    except BatchNotFound:
        with suppress(Stale):
            return miss(stack.ledger, batch, call.execution)
    except ClaudeUnavailable:
        if not batch.set_aside:
            raise
        with suppress(Stale):
            stack.ledger.set_aside(batch, call.execution, unknown=batch.unknown)
        return "aside"
    except Stale:
        pass  # another call has moved the batch on
    return "open"


def _never_ends(batch: Batch) -> ClaudeUnavailable:
    return ClaudeUnavailable(
        f"{batch.batch_id} ({batch.record} of run {batch.run_id}) has not ended "
        "25 hours after its create, although Claude processes a batch within 24. Its tickets are "
        "asked again; every start looks for it once. Ask Claude's support with this id."
    )
