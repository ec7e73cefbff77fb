"""Dry run: what tonight would send and cost. Writes nothing, pays nothing, takes no lock."""

from collections.abc import Callable
from math import ceil
from typing import Any

from nightshift import report, sample
from nightshift.deployment import Deployment
from nightshift.events import Estimate, SubmitCall
from nightshift.forecast import Forecast, answer_tokens, plain_tokens
from nightshift.records import Night
from nightshift.report import Ending
from nightshift.task import form_for
from nightshift.tickets import PENDING

_TIME_TO_ANSWER = 60


def count(call: SubmitCall, stack: Deployment, time_left: Callable[[], float]) -> dict[str, Any]:
    """Count pending tickets and their likely tokens, from where the last call stopped."""
    counted = call.estimate or Estimate()
    tickets, empty, tokens, after = counted.tickets, counted.empty, counted.tokens, counted.after
    drawn = sample.Sample(counted.sample)
    finished = True
    ids = stack.tickets.pending_ids(after)
    for ticket_id, ticket in stack.tickets.walk(ids, stack.task.inputs):
        after = ticket_id
        if ticket is None or ticket.status != PENDING:
            continue
        message = stack.task.message_for(*ticket.texts)
        tickets += 1
        if message is None:
            empty += 1
        else:
            tokens += plain_tokens(message)
            drawn.add(ticket_id)
        if tickets - empty == call.input.limit:
            break
        if time_left() < _TIME_TO_ANSWER:
            finished = False
            break
    so_far = Estimate(after=after, tickets=tickets, empty=empty, tokens=tokens, sample=drawn.ids)
    if finished:
        return _answer(call, stack, so_far, sample.measure(stack, drawn.ids, time_left))
    return {"next": "submit", "run_id": call.run_id, "estimate": so_far.model_dump(mode="json")}


def _answer(
    call: SubmitCall, stack: Deployment, counted: Estimate, measure: sample.Measure
) -> dict[str, Any]:
    """The contract's flat output: what would be submitted is in `submitted` of no run."""
    requests = counted.tickets - counted.empty
    forecast = Forecast(
        requests,
        measure.fixed,
        round(counted.tokens * measure.per_plain_token),
        answer_tokens(stack.task, stack.price),
    )
    form = form_for(stack.task, stack.settings.model, measure.fixed, requests)
    usage, long_usage = forecast.usage(form), forecast.long_usage(form, stack.price)
    cost = stack.price.batch_cost(usage, long_usage)
    realtime = stack.price.realtime_cost(usage, long_usage)
    flat = report.flat(Night(call.run_id), Ending("dry_run"), counted.tickets, call.started_at)
    flat |= {
        "batches": ceil(requests / stack.settings.max_requests_per_batch),
        "empty": counted.empty,
        "failed": counted.empty,
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.output_tokens,
        "estimated_cost_usd": float(cost),
        "realtime_cost_usd": float(realtime),
        "saved_usd": float(realtime - cost),
        "estimate_method": f"{measure.method}; {forecast.method(form)}",
    }
    return {"next": "report", "run_id": call.run_id, "report": flat, "tell": False}
