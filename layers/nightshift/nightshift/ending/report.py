"""What a run came to: the sum over its batches, checked, in the words of the contract."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from nightshift.claude.money import BATCH_FACTOR, Usage
from nightshift.errors import LedgerMismatch
from nightshift.runs.records import UNSEEN, Batch, Night, Tally

# Kept on the run's item, beside what the workflow returns.
DETAILS = frozenset({"categories", "failures", "month_cost_usd", "notices"})
# Which of several problems an operator should hear of first.
_GRAVEST_FIRST = (
    "ClaudeRejected",
    "AnswersUnusable",
    "LedgerMismatch",
    "BatchNotFound",
    "ResultsGone",
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ended: a `status` of the contract and, if partial, the `reason`."""

    status: str
    reason: str = ""


def flat(night: Night, ending: Ending, pending: int, started_at: datetime) -> dict[str, Any]:
    """The workflow's output. Counts and money are of the whole run and of its closed batches:
    what is still open is in no number yet. A canary (of release 0.1.0) is in the tokens and in the
    money only.

    Raises:
        LedgerMismatch: the numbers do not add up.
    """
    closed = night.in_state("closed")
    total = sum((batch.tally for batch in closed), Tally())
    submitted = sum(batch.requests for batch in closed)
    empty = sum(group.tickets for group in night.empties)
    if submitted != total.accounted:
        raise LedgerMismatch(
            f"Run {night.run_id}: {submitted} requests, but {total.accounted} accounted for."
        )
    canaries = [canary for canary in night.canaries if canary.state == "answered"]
    usage = sum((canary.usage for canary in canaries), total.usage)
    in_real_time = sum((canary.cost for canary in canaries), Decimal(0))
    in_batches = sum((batch.cost for batch in closed), Decimal(0))
    cost = in_batches + in_real_time
    realtime = in_batches / BATCH_FACTOR + in_real_time
    report = {
        "run_id": night.run_id,
        "status": ending.status,
        "batches": len(night.in_state("open", "closed")),
        "submitted": submitted,
        "classified": total.classified,
        "superseded": total.superseded,
        "requeued": total.requeued,
        "failed": total.failed + empty,
        "empty": empty,
        "pending": pending,
        "input_tokens": _all_input(usage),
        "output_tokens": usage.output_tokens,
        "cost_usd": float(cost),
        "realtime_cost_usd": float(realtime),
        "saved_usd": float(realtime - cost),
        "duration_seconds": round((datetime.now(UTC) - started_at).total_seconds()),
    }
    return {**report, "reason": ending.reason} if ending.reason else report


def problem(nights: Sequence[Night], execution: str) -> dict[str, str] | None:
    """The gravest problem for which this execution must fail: one that it was the first to meet,
    or one that an earlier execution met and of which nobody was told."""
    told = _told_by(nights, execution)
    problems = [str(b.problem) for b in _with_problems(nights) if b.noticed_by not in told]
    if not problems:
        return None
    error, _, cause = min(problems, key=_gravity).partition(": ")
    more = f" ({len(problems) - 1} more batches with problems.)" if len(problems) > 1 else ""
    return {"error": error, "cause": cause + more}


def told_by_others(nights: Sequence[Night], execution: str) -> list[Batch]:
    """Batches of whose problems somebody was told by the earlier execution that met them."""
    told = _told_by(nights, execution)
    return [batch for batch in _with_problems(nights) if batch.noticed_by in told]


def left_untold(nights: Sequence[Night], execution: str) -> list[Batch]:
    """Batches with a problem that an earlier execution met and told nobody of."""
    told = _told_by(nights, execution) | {execution}
    return [batch for batch in _with_problems(nights) if batch.noticed_by not in told]


def rejected(nights: Iterable[Night], execution: str) -> bool:
    """Whether Claude has refused the requests of a batch that this execution collected."""
    batches = [batch for night in nights for batch in night.batches]
    problems = [batch.problem or "" for batch in batches if batch.noticed_by == execution]
    return any(text.startswith("ClaudeRejected:") for text in problems)


def worked(night: Night, execution: str) -> bool:
    """Whether this execution did anything for the run."""
    sent = any(execution in (batch.execution, batch.closed_by) for batch in accepted(night))
    return sent or any(group.execution == execution for group in night.empties)


def accepted(night: Night) -> Sequence[Batch]:
    return night.in_state("open", "closed")


def tickets_left(night: Night) -> int:
    """Tickets of the last round that still ask for a category although the run took them on."""
    if not night.rounds:
        return 0
    last = [batch for batch in night.batches if batch.round == night.rounds[-1].number]
    tally = sum((batch.tally for batch in last), Tally())
    return tally.left + sum(b.requests for b in last if _was_passed_over(b, last, night))


def _was_passed_over(batch: Batch, of_round: Sequence[Batch], night: Night) -> bool:
    """Whether nobody has asked the tickets of an intent that came to nothing: it was taken for
    somebody else's batch for so long that the round went on behind it."""
    if batch.refusal != UNSEEN:
        return False
    later = [b for b in of_round if b.number > batch.number and b.state != "void"]
    went_on = later or night.rounds[-1].walked
    return bool(went_on) and not any(b.first <= batch.last for b in later)


def details(night: Night) -> dict[str, Any]:
    """What the run's own item says beyond the output: why tickets are what they are now."""
    total = sum((batch.tally for batch in night.in_state("closed")), Tally())
    empty = sum(group.tickets for group in night.empties)
    failures = total.failures + Counter(empty_ticket=empty)
    return {"categories": dict(total.categories), "failures": dict(failures)}


def output(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is kept of a run, the flat part that the workflow returns."""
    return {name: value for name, value in kept.items() if name not in DETAILS}


def _all_input(used: Usage) -> int:
    return used.input_tokens + used.cache_read + used.cache_write_5m + used.cache_write_1h


def _gravity(problem_text: str) -> int:
    error = problem_text.partition(":")[0]
    return _GRAVEST_FIRST.index(error) if error in _GRAVEST_FIRST else len(_GRAVEST_FIRST)


def _with_problems(nights: Iterable[Night]) -> list[Batch]:
    """Batches with a problem that is not marked as told."""
    batches = [batch for night in nights for batch in night.batches]
    return [batch for batch in batches if batch.problem and not batch.told]


def _told_by(nights: Iterable[Night], execution: str) -> set[str]:
    """Other executions that have told somebody of the problems that they met."""
    return {other for night in nights for other in night.told} - {execution}
