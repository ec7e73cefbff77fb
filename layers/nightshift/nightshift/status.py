"""Which batches have ended, and how long to wait for the others."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

from nightshift.claude import ProviderBatch
from nightshift.deployment import Deployment
from nightshift.errors import BatchNotFound, ClaudeUnavailable
from nightshift.events import StatusCall
from nightshift.held import free_from
from nightshift.ledger import Ledger, Stale
from nightshift.records import Batch

# A batch may be unknown for some seconds after its create (anthropic-sdk-python#1432, 2026-04).
TURNS_UNTIL_NOT_FOUND = 60
_LONGEST_WAIT = 900

type Sight = Literal["ended", "open", "aside"]


def status(call: StatusCall, stack: Deployment) -> dict[str, Any]:
    """One turn of the wait loop: the ended batches by their records, and what comes next.

    `open_requests` are all requests of open batches: Claude counts those that are done only when
    the whole batch has ended (SDK 2.13.0, `request_counts`, 2026-11).
    """
    night = stack.ledger.night(call.run_id)
    working = night.working(call.execution)
    for batch in night.in_state("creating"):
        with suppress(Stale):
            stack.ledger.turn(batch, call.execution)
    ended = [batch.record for batch in working if batch.undeleted]
    seen = _look_at([batch for batch in working if not batch.undeleted], call, stack)
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
        "wait_seconds": turn_seconds(waiting, stack.settings.poll_seconds),
    }


def turn_seconds(waiting: Sequence[Batch], poll_seconds: int) -> int:
    """How long a turn is, by the age of the oldest batch that is waited for. One that an earlier
    execution has set aside is looked at, not waited for."""
    now = datetime.now(UTC)
    created = [batch.created_at or now for batch in waiting if not batch.set_aside]
    age = (now - min(created, default=now)).total_seconds()
    return seconds_at(age, poll_seconds)


def seconds_at(age: float, poll_seconds: int) -> int:
    """How long to wait for what began `age` seconds ago: a tenth of that, within bounds.

    So 24 hours take some 125 turns of nine events, and Step Functions allows 25,000 events
    (docs.aws.amazon.com, Step Functions quotas, 2026-11).
    """
    return int(max(poll_seconds, min(_LONGEST_WAIT, age / 10)))


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


def _look_at(
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
            stack.ledger.set_aside(batch, call.execution, _never_ends(batch), unknown=False)
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
            stack.ledger.set_aside(batch, call.execution, "", batch.unknown)
        return "aside"
    except Stale:
        pass  # another call has moved it on
    return "open"


def _never_ends(batch: Batch) -> str:
    return (
        f"ClaudeUnavailable: {batch.batch_id} ({batch.record} of run {batch.run_id}) has not ended "
        "25 hours after its create, although Claude processes a batch within 24. Its tickets are "
        "asked again; every start looks for it once. Ask Claude's support with this id."
    )
