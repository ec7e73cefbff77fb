"""What one result means for its ticket, as the ticket stands now. Pure."""

from dataclasses import dataclass
from typing import Literal

from nightshift.claude.results import Line
from nightshift.task.task import Task
from nightshift.tickets.ticket import PENDING, Change, Ticket

Outcome = Literal["classified", "superseded", "requeued", "failed"]
# Errors of the account or the model, not of the ticket: sending more would meet the same.
ACCOUNT_ERRORS = frozenset(
    {"authentication_error", "billing_error", "not_found_error", "permission_error"}
)
INVALID_REQUEST = "invalid_request_error"
_LONGEST_MESSAGE = 300
_BAD_ENDS = {
    "refusal": "Claude declined to answer",
    "max_tokens": "the answer did not end within the allowed length",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decision depends on beside the line and the ticket."""

    task: Task
    batch_id: str
    max_attempts: int
    now: str
    all_invalid: bool = False
    outdated: bool = False
    """The batch was sent by another version of the task: today's may not know its answers."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How a request counts, what to write, and whether its ticket still asks for a category.

    `label` is the category of a classified one, the short name of why a failed one was given up.
    """

    outcome: Outcome
    change: Change | None = None
    left: bool = False
    label: str = ""


def unusable(line: Line, task: Task) -> str:
    """The short name of what is wrong with an answer, whatever became of its ticket; empty for one
    that the task allows, and where there is no answer."""
    if line.kind != "succeeded":
        return ""
    allowed = line.stop_reason == "end_turn" and task.category_in(line.answer) is not None
    return "" if allowed else _reason(line)


def decide(line: Line, ticket: Ticket | None, rules: Rules) -> Decision:
    """Decide on one result. Asked again after its own write, it says the same outcome."""
    if ticket is None:
        return Decision("superseded")
    if ticket.batch_id == rules.batch_id:
        return _already_shown(line, ticket, rules.task)
    if ticket.status != PENDING:
        return Decision("superseded")
    if line.custom_id.digest != ticket.digest:
        return Decision("superseded", left=True)
    if line.kind in ("canceled", "expired"):
        return Decision("requeued", left=True)
    if line.kind == "errored":
        return _errored(line, ticket, rules)
    return _answered(line, ticket, rules)


def _already_shown(line: Line, ticket: Ticket, task: Task) -> Decision:
    """A line says the same each time it is read; the ticket may be another's by now."""
    if ticket.failed_before:
        return Decision("failed", label=_reason(line))
    if ticket.attempts:
        return Decision("requeued", left=ticket.status == PENDING)
    return Decision("classified", label=task.category_in(line.answer) or "")


def _errored(line: Line, ticket: Ticket, rules: Rules) -> Decision:
    if line.error != INVALID_REQUEST or rules.all_invalid:
        return Decision("requeued", left=True)
    said = line.message[:_LONGEST_MESSAGE]
    return _give_up(line, ticket, rules, _attempts(ticket), f"Claude refused it: {said}")


def _answered(line: Line, ticket: Ticket, rules: Rules) -> Decision:
    if line.stop_reason != "end_turn":
        return _thrown_away(line, ticket, rules)
    category = rules.task.category_in(line.answer)
    if category is None and rules.outdated:
        return Decision("requeued", left=True)
    if category is None:
        return _thrown_away(line, ticket, rules)
    change = ticket.answered(rules.batch_id, category, line.model, rules.now)
    return Decision("classified", change, label=category)


def _thrown_away(line: Line, ticket: Ticket, rules: Rules) -> Decision:
    attempts = _attempts(ticket) + 1
    if attempts >= rules.max_attempts:
        return _give_up(line, ticket, rules, attempts, _why_thrown_away(line, attempts))
    return Decision("requeued", ticket.to_be_tried_again(rules.batch_id, attempts), left=True)


def _attempts(ticket: Ticket) -> int:
    """A ticket that asks again after it was given up starts from 0."""
    return 0 if ticket.failed_before else ticket.attempts


def _give_up(line: Line, ticket: Ticket, rules: Rules, attempts: int, why: str) -> Decision:
    reason = _reason(line)
    change = ticket.given_up(rules.batch_id, f"{reason}: {why}", attempts)
    return Decision("failed", change, label=reason)


def _reason(line: Line) -> str:
    """The short name of what is wrong with an answer that gives its ticket up."""
    if line.kind == "errored":
        return "invalid_request"
    return line.stop_reason if line.stop_reason in _BAD_ENDS else "unreadable_answer"


def _why_thrown_away(line: Line, attempts: int) -> str:
    times = f"in {attempts} attempt{'s' if attempts > 1 else ''}"
    said = _BAD_ENDS.get(line.stop_reason, "no answer was one of the categories")
    return f"{said} {times}."
