"""Nightshift's own use cases, as the functions call them, measured one by one."""

import gc
import time
from dataclasses import replace
from decimal import Decimal
from os import environ
from types import SimpleNamespace
from typing import Any

from nightshift import aws
from nightshift.claude import results
from nightshift.claude.client import Claude
from nightshift.collect import collect as collect_batch
from nightshift.deployment import Deployment, deployment
from nightshift.events import CollectCall, StatusCall, SubmitCall
from nightshift.pace import Pace
from nightshift.sending.chunk import Builder, Room
from nightshift.status import status
from nightshift.submit import submit as submit_chunk
from nightshift.tickets.ticket import GUARDED, PENDING, Ticket
from tests.bench import child
from tests.bench.child import Clock
from tests.versions import passed, shipped

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:bench:night"
RUN_ID = "2026-11-22"


def submit(requests_per_batch: int) -> Clock:
    """All pending tickets into batches, by as many calls of *Submit batches* as it takes."""
    stack = connected()
    settings = stack.settings.model_copy(update={"max_requests_per_batch": requests_per_batch})
    stack = replace(stack, settings=settings)
    clock = Clock()
    while _submit(stack, clock)["next"] == "submit":
        pass
    return clock


def send() -> Clock:
    """Ready messages into one batch: names, bounds, body and POST, without reading or cleaning.

    The tickets are made, before the clock runs, from what `plain.send` has too: ids and texts in
    one list. So neither way is charged for where the AWS SDK's answers lay in memory.
    """
    stack, clock = connected(), Clock()
    read = stack.tickets.walk(stack.tickets.pending_ids(""), ["body"])
    texts = [(i, ticket.shown[0][0][:500] or "-") for i, ticket in read if ticket]
    tickets = [_ready(ticket_id, text) for ticket_id, text in texts]
    task: Any = SimpleNamespace(counted_message_for=lambda shown: (shown[0][0], {}))
    template = stack.template
    bound = template.bound(stack.price)
    builder = Builder(task, template, bound, version="", on_unasked=tickets.append)
    room = Room(len(tickets), Decimal(1_000_000), out_of_time=lambda: False)
    gc.freeze()  # the tickets that wait here are the benchmark's, not Nightshift's
    with clock.running():
        chunk = builder.build(((ticket.ticket_id, ticket) for ticket in tickets), room)
        stack.claude.create(chunk.body)
    return clock


def _ready(ticket_id: str, message: str) -> Ticket:
    """A pending ticket with a body that is its message as it stands."""
    guards = dict.fromkeys(GUARDED) | {"classification_status": {"S": PENDING}}
    return Ticket(ticket_id, guards, {"body": {"S": message}})


def collect(writes_per_second: float | None) -> Clock:
    """Every open batch into the table; without a number the pace starts as it is shipped."""
    stack = connected()
    if writes_per_second is not None:
        stack = replace(stack, tickets=replace(stack.tickets, pace=Pace(rate=writes_per_second)))
    _look(stack.claude)
    clock = Clock()
    for batch in stack.ledger.run(RUN_ID).in_state("open"):
        _collect(stack, batch.record, clock)
    return clock


def decode() -> dict[str, Any]:
    """The results of the only batch, and how many of its lines could be read."""
    stack = connected()
    [batch] = stack.claude.newest()

    def read() -> int:
        lines = map(results.read, stack.claude.result_lines(batch.batch_id))
        return sum(line is not None for line in lines)

    return child.second_time(read)


def night(status_calls: int) -> dict[str, Any]:
    """A night through all three functions, with so many looks at its batches; a clock for each."""
    stack, sent = connected(), []
    create = stack.claude.create

    def weighed(body: Any) -> Any:
        sent.append(body.size)
        return create(body)

    stack.claude.create = weighed  # type: ignore[method-assign]
    clocks = {name: Clock() for name in ("submit", "status", "collect")}
    call = StatusCall(execution=EXECUTION, run_id=RUN_ID)
    while (step := _submit(stack, clocks["submit"]))["next"] != "report":
        if step["next"] == "submit":
            continue
        _look(stack.claude)
        for _ in range(status_calls):
            with clocks["status"].running():
                step = status(call, stack)
        for record in step["ended"]:
            _collect(stack, record, clocks["collect"])
    return {
        "functions": {name: vars(clock) for name, clock in clocks.items()},
        "report": step["report"],
        "sent_bytes": sum(sent),
    }


def connected() -> Deployment:
    """The functions' own deployment, its clients made and connected."""
    stack = deployment()
    claude = Claude(stack.settings.anthropic_base_url, lambda fresh: environ["ANTHROPIC_API_KEY"])
    # A night whose task version has passed, as all but the first are.
    known = passed(shipped(stack.settings.model))
    stack.ledger.dynamodb.put_item(TableName=stack.ledger.name, Item=aws.to_item(known))
    claude.newest()
    lock = replace(stack.lock, status_of=lambda execution: "RUNNING")
    return replace(stack, claude=claude, lock=lock)


def _look(claude: Claude) -> None:
    """Let the stand-in answer and keep what it would otherwise make while the clock runs."""
    for batch in claude.newest():
        next(claude.result_lines(batch.batch_id))


def _submit(stack: Deployment, clock: Clock) -> dict[str, Any]:
    event = {"execution": EXECUTION, "started_at": f"{RUN_ID}T02:00:00Z", "input": {}}
    call = SubmitCall.parse(event)
    with clock.running():
        return submit_chunk(call, stack, lambda_seconds())


def _collect(stack: Deployment, record: str, clock: Clock) -> None:
    call = CollectCall(execution=EXECUTION, run_id=RUN_ID, record=record)
    progress = {"next": "more"}
    while progress["next"] == "more":
        with clock.running():
            progress = collect_batch(call, stack, lambda_seconds())


def lambda_seconds() -> Any:
    """The time that a function of 15 minutes has left."""
    end = time.monotonic() + 900
    return lambda: end - time.monotonic()


if __name__ == "__main__":
    child.run(submit, send, collect, decode, night)
