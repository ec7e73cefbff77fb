"""Dry run: what tonight would send and cost. Writes nothing, pays nothing, takes no lock."""

from collections.abc import Callable
from math import ceil
from typing import Any

from nightshift.deployment import Deployment
from nightshift.dry_run import token_sample
from nightshift.dry_run.forecast import Forecast, answer_tokens, plain_tokens
from nightshift.ending import report
from nightshift.ending.report import Ending
from nightshift.events import Estimate, SubmitCall
from nightshift.runs.records import Run
from nightshift.task.request import template_for, version_of
from nightshift.tickets.ticket import PENDING, marks_of

_TIME_TO_ANSWER = 60


def count(call: SubmitCall, stack: Deployment, time_left: Callable[[], float]) -> dict[str, Any]:
    """Count pending tickets and their likely tokens, from where the last call stopped."""
    counted = call.estimate or Estimate()
    tickets, empty, unchanged = counted.tickets, counted.empty, counted.unchanged
    tokens, after = counted.tokens, counted.after
    version = version_of(stack.task, stack.settings.model)
    drawn = token_sample.Sample(counted.sample)
    finished = True
    ids = stack.tickets.pending_ids(after)
    walk = stack.tickets.walk(ids, stack.task.inputs, marks_of(stack.task.output))
    for ticket_id, ticket in walk:
        after = ticket_id
        if ticket is None or ticket.status != PENDING:
            continue
        tickets += 1
        if ticket.is_unchanged(version):
            unchanged += 1
        elif (message := stack.task.message_for(ticket.shown)) is None:
            empty += 1
        else:
            tokens += plain_tokens(message)
            drawn.add(ticket_id)
        if tickets - empty - unchanged == call.input.limit:
            break
        if time_left() < _TIME_TO_ANSWER:
            finished = False
            break
    so_far = Estimate(
        after=after,
        tickets=tickets,
        empty=empty,
        unchanged=unchanged,
        tokens=tokens,
        sample=drawn.ids,
    )
    if finished:
        return _answer(call, stack, so_far, token_sample.measure(stack, drawn.ids, time_left))
    return {"next": "submit", "run_id": call.run_id, "estimate": so_far.model_dump(mode="json")}


def _answer(
    call: SubmitCall, stack: Deployment, counted: Estimate, measure: token_sample.Measure
) -> dict[str, Any]:
    """The standard output with estimates; `submitted` stays 0."""
    requests = counted.tickets - counted.empty - counted.unchanged
    forecast = Forecast(
        requests,
        measure.fixed,
        round(counted.tokens * measure.per_plain_token),
        answer_tokens(stack.task, stack.price),
    )
    template = template_for(stack.task, stack.settings.model, measure.fixed, requests)
    usage, long_usage = forecast.usage(template), forecast.long_usage(template, stack.price)
    price = template.expected(stack.price)
    cost, realtime = price.batch_cost(usage, long_usage), price.realtime_cost(usage, long_usage)
    flat = report.flat(Run(call.run_id), Ending("dry_run"), counted.tickets, call.started_at)
    flat |= {
        "batches": ceil(requests / stack.settings.max_requests_per_batch),
        "empty": counted.empty,
        "failed": counted.empty,
        "unchanged": counted.unchanged,
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.output_tokens,
        "estimated_cost_usd": float(cost),
        "realtime_cost_usd": float(realtime),
        "saved_usd": float(realtime - cost),
        "estimate_method": f"{measure.method}; {forecast.method(template)}",
    }
    return {"next": "report", "run_id": call.run_id, "report": flat, "tell": False}
