"""What a run came to: checked sums over its batches, in the words of the workflow's output."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from nightshift.claude.money import BATCH_FACTOR
from nightshift.errors import LedgerMismatch
from nightshift.runs.records import UNSEEN, Batch, Run, Tally
from nightshift.task.task import Task

# Kept on the run's item, beside what the workflow returns.
DETAILS = frozenset(
    {
        "categories",
        "failures",
        "items",
        "month_cost_usd",
        "notices",
        "outputs",
        "quality",
        "redacted",
        "waiting",
    }
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ended: a `status` of the contract and, if partial, the `reason`."""

    status: str
    reason: str = ""


def flat(run: Run, ending: Ending, pending: int, started_at: datetime) -> dict[str, Any]:
    """The workflow's output. Counts and money are of the whole run and of its closed batches:
    open batches are in no number yet. Canaries (of release 0.1.0) are in the tokens and the money
    only.

    Raises:
        LedgerMismatch: the numbers do not add up.
    """
    closed = run.in_state("closed")
    total = sum((batch.tally for batch in closed), Tally())
    submitted = sum(batch.requests for batch in closed)
    if submitted != total.accounted:
        raise LedgerMismatch(
            f"Run {run.run_id}: {submitted} requests, but {total.accounted} accounted for."
        )
    canaries = [canary for canary in run.canaries if canary.state == "answered"]
    usage = sum((canary.usage for canary in canaries), total.usage)
    in_real_time = sum((canary.cost for canary in canaries), Decimal(0))
    in_batches = sum((batch.cost for batch in closed), Decimal(0))
    cost = in_batches + in_real_time
    realtime = in_batches / BATCH_FACTOR + in_real_time
    report = {
        "run_id": run.run_id,
        "status": ending.status,
        "batches": len(run.accepted),
        "submitted": submitted,
        "classified": total.classified,
        "unsure": total.unsure,
        "superseded": total.superseded,
        "requeued": total.requeued,
        "failed": total.failed + run.empty,
        "empty": run.empty,
        "unchanged": run.unchanged,
        "pending": pending,
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": float(cost),
        "realtime_cost_usd": float(realtime),
        "saved_usd": float(realtime - cost),
        "duration_seconds": round((datetime.now(UTC) - started_at).total_seconds()),
    }
    if total.gold:
        report |= {"gold": total.gold.tickets, "correct": total.gold.correct}
    return {**report, "reason": ending.reason} if ending.reason else report


def tickets_still_pending(run: Run) -> int:
    """Tickets of the last round that are still pending although the run took them on."""
    if not run.rounds:
        return 0
    last = [batch for batch in run.batches if batch.round == run.rounds[-1].number]
    tally = sum((batch.tally for batch in last), Tally())
    return tally.still_pending + sum(b.requests for b in last if _was_passed_over(b, last, run))


def _was_passed_over(batch: Batch, of_round: Sequence[Batch], run: Run) -> bool:
    """Whether a batch that was never created has tickets that nobody asked: somebody else's batch
    was taken for this one for so long that the round went on with later keys."""
    if batch.why_not_created != UNSEEN:
        return False
    later = [b for b in of_round if b.number > batch.number and b.state != "not_created"]
    went_on = later or run.rounds[-1].scanned
    return bool(went_on) and not any(b.first <= batch.last for b in later)


def details(run: Run, task: Task) -> dict[str, Any]:
    """What the run's own item keeps beyond the output: what was answered, why tickets failed, what
    the task calls its items, how many strings were redacted in what was sent, and, where answers
    were known beforehand, how the outputs compare with those."""
    closed = run.in_state("closed")
    total = sum((batch.tally for batch in closed), Tally())
    failures = total.failures + Counter(empty_ticket=run.empty)
    outputs = {
        name: {"type": _type(name, task), "counts": dict(counts)}
        for name, counts in total.outputs.items()
    }
    kept = {
        "categories": dict(total.categories),
        "failures": dict(failures),
        "items": list(task.items),
        "outputs": outputs,
        "redacted": dict(sum((batch.redacted for batch in closed), Counter[str]())),
    }
    return kept | ({"quality": total.gold.plain} if total.gold else {})


def _type(output: str, task: Task) -> str:
    """The type of an output; one that today's task no longer names is shown as a label."""
    return task.output[output].type if output in task.output else "label"


def output(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a kept report that the workflow returns."""
    return {name: value for name, value in kept.items() if name not in DETAILS}
