"""What one result means for its ticket, as the ticket stands now. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nightshift.claude.results import INVALID_REQUEST, Result
from nightshift.task.answer import Answer
from nightshift.task.outputs import Value
from nightshift.task.task import Task
from nightshift.tickets.ticket import PENDING, Change, Ticket, Written

Outcome = Literal["classified", "unsure", "superseded", "requeued", "failed"]
_LONGEST_MESSAGE = 300
_BAD_ENDS = {
    "refusal": "Claude declined to answer",
    "max_tokens": "the answer did not end within the allowed length",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decision depends on beside the result and the ticket. `version` is that of the task
    that the batch was sent with, `now` is in UTC, ISO 8601."""

    task: Task
    batch_id: str
    version: str
    max_attempts: int
    now: str
    all_invalid: bool = False
    outdated: bool = False
    """The batch was sent by another version of the task: today's may not know its answers."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How a request counts, what to write, and whether its ticket is still pending afterwards.

    `answer` is what a classified or an unsure one says, and `known` what was known beforehand of
    that; `reason` is the short name of why a failed one was given up.
    """

    outcome: Outcome
    change: Change | None = None
    still_pending: bool = False
    answer: Answer | None = None
    reason: str = ""
    known: Mapping[str, Value] = field(default_factory=dict)


def unusable(result: Result, task: Task) -> str:
    """The short name of what is wrong with an answer, whatever became of its ticket; empty for an
    answer that the task allows, and where there is none."""
    if result.kind != "succeeded":
        return ""
    return "" if answer_of(result, task) else _reason(result)


def answer_of(result: Result, task: Task) -> Answer | None:
    """The answer, where it came to its end and the task allows it."""
    return task.contract.read(result.answer) if result.stop_reason == "end_turn" else None


def decide(result: Result, ticket: Ticket | None, rules: Rules) -> Decision:
    """Decide on one result. A second decision, after its own write, has the same outcome."""
    if ticket is None:
        return Decision("superseded")
    if ticket.batch_id == rules.batch_id:
        return _already_shown(result, ticket, rules.task)
    if ticket.status != PENDING:
        return Decision("superseded")
    if result.custom_id.digest != ticket.digest:
        return Decision("superseded", still_pending=True)
    if result.kind in ("canceled", "expired"):
        return Decision("requeued", still_pending=True)
    if result.kind == "errored":
        return _errored(result, ticket, rules)
    return _answered(result, ticket, rules)


def _already_shown(result: Result, ticket: Ticket, task: Task) -> Decision:
    """The outcome that this batch has already written on the ticket. A result says the same each
    time it is read."""
    if ticket.failed_before:
        return Decision("failed", reason=_reason(result))
    if ticket.attempts:
        return Decision("requeued", still_pending=ticket.status == PENDING)
    answer = answer_of(result, task)
    outcome: Outcome = "unsure" if answer and answer.unsure else "classified"
    return Decision(outcome, answer=answer, known=ticket.known)


def _errored(result: Result, ticket: Ticket, rules: Rules) -> Decision:
    if result.error != INVALID_REQUEST or rules.all_invalid:
        return Decision("requeued", still_pending=True)
    said = result.message[:_LONGEST_MESSAGE]
    return _give_up(result, ticket, rules, _attempts(ticket), f"Claude refused it: {said}")


def _answered(result: Result, ticket: Ticket, rules: Rules) -> Decision:
    answer = answer_of(result, rules.task)
    if answer is None and rules.outdated and result.stop_reason == "end_turn":
        return Decision("requeued", still_pending=True)
    if answer is None:
        return _thrown_away(result, ticket, rules)
    written = Written(rules.batch_id, result.model, rules.version, rules.now)
    outcome: Outcome = "unsure" if answer.unsure else "classified"
    become = ticket.to_be_decided if answer.unsure else ticket.answered
    return Decision(outcome, become(written, answer.values), answer=answer, known=ticket.known)


def _thrown_away(result: Result, ticket: Ticket, rules: Rules) -> Decision:
    attempts = _attempts(ticket) + 1
    if attempts >= rules.max_attempts:
        return _give_up(result, ticket, rules, attempts, _why_thrown_away(result, attempts))
    return Decision(
        "requeued", ticket.to_be_tried_again(rules.batch_id, attempts), still_pending=True
    )


def _attempts(ticket: Ticket) -> int:
    """A ticket that asks again after it was given up starts from 0."""
    return 0 if ticket.failed_before else ticket.attempts


def _give_up(result: Result, ticket: Ticket, rules: Rules, attempts: int, why: str) -> Decision:
    reason = _reason(result)
    change = ticket.given_up(rules.batch_id, f"{reason}: {why}", attempts)
    return Decision("failed", change, reason=reason)


def _reason(result: Result) -> str:
    """The short name of what is wrong with an answer that gives its ticket up."""
    if result.kind == "errored":
        return "invalid_request"
    return result.stop_reason if result.stop_reason in _BAD_ENDS else "unreadable_answer"


def _why_thrown_away(result: Result, attempts: int) -> str:
    times = f"in {attempts} attempt{'s' if attempts > 1 else ''}"
    said = _BAD_ENDS.get(result.stop_reason, "no answer was one that the task allows")
    return f"{said} {times}."
