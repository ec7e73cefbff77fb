"""Which batches have ended, and how long to wait for the others."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from nightshift.claude import ProviderBatch
from nightshift.deployment import Deployment
from nightshift.errors import BatchNotFound
from nightshift.events import StatusCall
from nightshift.ledger import Ledger, Stale
from nightshift.records import Batch

# A batch may be unknown for some seconds after its create (anthropic-sdk-python#1432, 2026-04).
TURNS_UNTIL_NOT_FOUND = 60
_LONGEST_WAIT = 900


def status(call: StatusCall, stack: Deployment) -> dict[str, Any]:
    """One turn of the wait loop: the ended batches by their records, and what comes next."""
    night = stack.ledger.night(call.run_id)
    working = night.working(call.execution)
    for batch in night.in_state("creating"):
        with suppress(Stale):
            stack.ledger.turn(batch, call.execution)
    ended = [batch.record for batch in working if batch.undeleted]
    waiting = [batch for batch in working if not batch.undeleted]
    if waiting:
        ended += _ended(waiting, call, stack)
    idle = "wait" if waiting and not call.more else "submit"
    return {
        "next": "collect" if ended else idle,
        "run_id": call.run_id,
        "ended": ended,
        "open": len(waiting),
        "more": call.more,
        "wait_seconds": turn_seconds(waiting, stack.settings.poll_seconds),
    }


def turn_seconds(waiting: Sequence[Batch], poll_seconds: int) -> int:
    """How long a turn is: a tenth of the age of the oldest open batch, within bounds.

    So 24 hours take some 125 turns of nine events, and Step Functions allows 25,000 events
    (docs.aws.amazon.com, Step Functions quotas, 2026-11).
    """
    now = datetime.now(UTC)
    oldest = min((batch.created_at or now for batch in waiting), default=now)
    age = (now - oldest).total_seconds()
    return int(max(poll_seconds, min(_LONGEST_WAIT, age / 10)))


def miss(ledger: Ledger, batch: Batch, execution: str) -> None:
    """The provider does not know a batch: ask again for many turns, then go on without it."""
    if batch.looks + 1 < TURNS_UNTIL_NOT_FOUND:
        return ledger.look(batch)
    if not batch.proved:
        return ledger.disown(batch)  # somebody else's, and its owner has deleted it
    what = (
        f"BatchNotFound: Claude does not know {batch.batch_id} ({batch.record} of run "
        f"{batch.run_id}). Its {batch.requests} tickets stay pending and are not sent again. "
        "Start the workflow with action cancel to give it up."
    )
    return ledger.set_aside(batch, execution, what)


def _ended(waiting: Sequence[Batch], call: StatusCall, stack: Deployment) -> list[str]:
    newest = {batch.batch_id: batch for batch in stack.claude.newest()}
    ended = []
    for batch in waiting:
        found = newest.get(str(batch.batch_id)) or _retrieve(batch, call, stack)
        if found and found.ended:
            ended.append(batch.record)
    return ended


def _retrieve(batch: Batch, call: StatusCall, stack: Deployment) -> ProviderBatch | None:
    try:
        return stack.claude.retrieve(str(batch.batch_id))
    except BatchNotFound:
        miss(stack.ledger, batch, call.execution)
        return None
