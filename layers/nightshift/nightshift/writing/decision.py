"""What one result means for its ticket, as the ticket stands now. Pure."""

from dataclasses import dataclass
from typing import Literal

from nightshift.claude.results import INVALID_REQUEST, Result
from nightshift.task.task import Task
from nightshift.tickets.ticket import PENDING, Change, Ticket

Outcome = Literal["classified", "superseded", "requeued", "failed"]
_LONGEST_MESSAGE = 300
_BAD_ENDS = {
    "refusal": "Claude declined to answer",
    "max_tokens": "the answer did not end within the allowed length",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decision depends on beside the result and the ticket. `now` is in UTC, ISO 8601."""

    task: Task
    batch_id: str
    max_attempts: int
    now: str
    all_invalid: bool = False
    outdated: bool = False
    """The batch was sent by another version of the task: today's may not know its answers."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How a request counts, what to write, and whether its ticket is still pending afterwards.

    `label` is the category of a classified one, the short name of why a failed one was given up.
    """

    outcome: Outcome
    change: Change | None = None
    still_pending: bool = False
    label: str = ""


def unusable(result: Result, task: Task) -> str:
    """The short name of what is wrong with an answer, whatever became of its ticket; empty for an
    answer that the task allows, and where there is none."""
    if result.kind != "succeeded":
        return ""
    allowed = result.stop_reason == "end_turn" and task.category_in(result.answer) is not None
    return "" if allowed else _reason(result)


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
        return Decision("failed", label=_reason(result))
    if ticket.attempts:
        return Decision("requeued", still_pending=ticket.status == PENDING)
    return Decision("classified", label=task.category_in(result.answer) or "")


def _errored(result: Result, ticket: Ticket, rules: Rules) -> Decision:
    if result.error != INVALID_REQUEST or rules.all_invalid:
        return Decision("requeued", still_pending=True)
    said = result.message[:_LONGEST_MESSAGE]
    return _give_up(result, ticket, rules, _attempts(ticket), f"Claude refused it: {said}")


def _answered(result: Result, ticket: Ticket, rules: Rules) -> Decision:
    if result.stop_reason != "end_turn":
        return _thrown_away(result, ticket, rules)
    category = rules.task.category_in(result.answer)
    if category is None and rules.outdated:
        return Decision("requeued", still_pending=True)
    if category is None:
        return _thrown_away(result, ticket, rules)
    change = ticket.answered(rules.batch_id, category, result.model, rules.now)
    return Decision("classified", change, label=category)


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
    return Decision("failed", change, label=reason)


def _reason(result: Result) -> str:
    """The short name of what is wrong with an answer that gives its ticket up."""
    if result.kind == "errored":
        return "invalid_request"
    return result.stop_reason if result.stop_reason in _BAD_ENDS else "unreadable_answer"


def _why_thrown_away(result: Result, attempts: int) -> str:
    times = f"in {attempts} attempt{'s' if attempts > 1 else ''}"
    said = _BAD_ENDS.get(result.stop_reason, "no answer was one of the categories")
    return f"{said} {times}."
