"""Dry run: what tonight would send and cost. Writes nothing, sends nothing, takes no lock."""

from collections.abc import Callable
from math import ceil
from typing import Any

from nightshift import report
from nightshift.deployment import Deployment
from nightshift.events import Estimate, SubmitCall
from nightshift.money import Usage, batch_cost, realtime_cost
from nightshift.records import Night
from nightshift.report import Ending
from nightshift.tickets import PENDING

_TIME_TO_ANSWER = 60
# A category and the end of the turn, as short answers are billed.
_ANSWER_TOKENS = 5


def count(call: SubmitCall, stack: Deployment, time_left: Callable[[], float]) -> dict[str, Any]:
    """Count pending tickets and their likely tokens, from where the last call stopped."""
    counted = call.estimate or Estimate()
    tickets, empty, tokens, after = (
        counted.tickets,
        counted.empty,
        counted.input_tokens,
        counted.after,
    )
    for ticket_id, ticket in stack.tickets.walk(stack.tickets.pending_ids(after)):
        after = ticket_id
        if ticket is None or ticket.status != PENDING:
            continue
        message = stack.task.message_for(ticket.subject, ticket.body)
        tickets += 1
        empty += message is None
        tokens += 0 if message is None else stack.form.likely_input_tokens(message)
        if tickets - empty == call.input.limit:
            break
        if time_left() < _TIME_TO_ANSWER:
            so_far = Estimate(after=after, tickets=tickets, empty=empty, input_tokens=tokens)
            step = {"next": "submit", "run_id": call.run_id}
            return {**step, "estimate": so_far.model_dump()}
    done = Estimate(after=after, tickets=tickets, empty=empty, input_tokens=tokens)
    return _answer(call, stack, done)


def _answer(call: SubmitCall, stack: Deployment, counted: Estimate) -> dict[str, Any]:
    """The contract's flat output: what would be submitted is in `submitted` of no run."""
    requests = counted.tickets - counted.empty
    model = stack.settings.model
    usage = Usage(counted.input_tokens, requests * _ANSWER_TOKENS)
    cost, realtime = batch_cost(usage, model), realtime_cost(usage, model)
    flat = report.flat(Night(call.run_id), Ending("dry_run"), counted.tickets, call.started_at)
    flat |= {
        "batches": ceil(requests / stack.settings.max_requests_per_batch),
        "empty": counted.empty,
        "failed": counted.empty,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "estimated_cost_usd": float(cost),
        "realtime_cost_usd": float(realtime),
        "saved_usd": float(realtime - cost),
    }
    return {"next": "report", "run_id": call.run_id, "report": flat, "tell": False}
