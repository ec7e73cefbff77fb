"""Nights played by the use cases themselves, with a clock of their own, into two tables.

The world is that of the crash proof: DynamoDB's engine and the stand-in for Claude in this process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx2

from tests.crash_proof.driver import Caught, Error, Execution, Invoke, Wait
from tests.crash_proof.world import SETTINGS, Workshop, World, workshop
from tools.local import sample
from tools.local.claude_standin import Life
from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import DAY, Batch
from tools.local.claude_standin.endpoints import route
from tools.operate.stack import Stack

STACK_NAME = "nightshift"
ACCOUNT = "eu-west-1:123456789012"
WORKFLOW = f"arn:aws:states:{ACCOUNT}:stateMachine:nightshift-Workflow-q7Zk2mPx0c1V"
OUTPUTS = {
    "TicketTableName": "tickets",
    "RunTableName": "runs",
    "WorkflowArn": WORKFLOW,
    "ApiKeySecretArn": f"arn:aws:secretsmanager:{ACCOUNT}:secret:ApiKeySecret-2hYw0pVt",
    "DashboardUrl": "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
    "#dashboards/dashboard/nightshift",
}
PARAMETERS = {"MaxCostUsd": "25", "Schedule": "cron(0 2 * * ? *)", "ScheduleState": "ENABLED"}
REQUESTS_A_BATCH = 120
SMALL_STACK = SETTINGS.model_copy(
    update={
        "max_attempts": 3, "poll_seconds": 60, "api_key_secret": OUTPUTS["ApiKeySecretArn"],
    }
)  # fmt: skip
# Only so that the calls come one after another and no thread waits for a slow disk.
ONE_THREAD = {"nightshift.collect": {"_THREADS": 1, "_UNDER_WAY": 1}}
SECONDS_A_CALL = 9.0
MINUTES, HOURS = 60.0, 3_600.0
BREAKFAST = timedelta(hours=5)
CHATTER = "I think that this one is about an invoice."

type Item = dict[str, Any]
type Trouble = Callable[[str, float], int]
"""What Claude answers an operation, by its name and the seconds of the night: 0 is no trouble."""


@dataclass(frozen=True)
class Script:
    """What is special about a night."""

    tickets: int = 480
    input: Mapping[str, Any] = field(default_factory=dict)
    trouble: Trouble = lambda operation, seconds: 0
    minutes: float = 12.0
    expiring: int = 0
    """Which batch, counting from 1, Claude does not finish within its 24 hours."""
    stubborn: int = 1
    """So many tickets never get an answer that is a category."""
    slow: int = 3
    """So many get one only at the second asking."""


@dataclass
class Theatre(World):
    """A world in which Claude has trouble by the clock."""

    script: Script = field(default_factory=Script)
    dawn: float = 0.0
    created: int = 0

    def claude_answers(self, request: httpx2.Request) -> httpx2.Response:
        operation = route(request.method, request.url.raw_path.decode()).operation
        if status := self.script.trouble(operation, self.now - self.dawn):
            kinds = {401: "authentication_error", 529: "overloaded_error"}
            error = {"type": kinds[status], "message": "invalid x-api-key"}
            return httpx2.Response(status, json={"type": "error", "error": error})
        self.now += SECONDS_A_CALL if operation == "create" else 0.4
        return super().claude_answers(request)

    def _watch(self, created: Batch) -> None:
        super()._watch(created)
        self.created += 1
        if self.created == self.script.expiring:
            created.life = replace(created.life, done=0.35)
            created.ends_at, created.cut = created.created_at + DAY, "expired"


class PatientExecution(Execution):
    """Between two tries it waits as its state says; half of it, as full jitter does on average."""

    def _task(self, function: str, event: Item) -> Any:
        tries: dict[int, int] = {}
        while True:
            outcome = yield Invoke(function, event)
            if not isinstance(outcome, Error):
                return outcome
            number, retrier = self._retrier(function, outcome.name)
            done = tries.get(number, 0)
            if done >= retrier["MaxAttempts"]:
                raise Caught(outcome)
            tries[number] = done + 1
            longest = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** done
            yield Wait(min(longest, retrier["MaxDelaySeconds"]) / 2)


@dataclass(frozen=True)
class Example:
    """The stack after a night: its tables live as long as the theatre is open."""

    stack: Stack
    run_id: str
    script: Script
    breakfast: datetime
    """Soon after it had ended: when somebody looks at it."""


@contextmanager
def theatre() -> Iterator[Workshop]:
    """Open for as many nights as wanted."""
    with workshop(ONE_THREAD) as ours:
        yield ours


def play(ours: Workshop, nights: Iterable[tuple[datetime, Script]], scale: float = 1.0) -> Example:
    """Play nights one after another in a new stack; the example is the last one.

    With a `scale` of 0.5 there are half as many tickets, in batches half as large.
    Raises AssertionError if one does not end.
    """
    size = {"max_requests_per_batch": int(REQUESTS_A_BATCH * scale)}
    settings = SMALL_STACK.model_copy(update=size)
    ours.world = world = Theatre(ours, {}, Life(cancel_seconds=1), [])
    world.settings = settings
    texts = iter(_sample())
    for start, script in nights:
        world.script, world.created = script, 0
        world.now = world.dawn = start.timestamp()
        world.claude.life = replace(world.claude.life, seconds=script.minutes * MINUTES)
        tickets = list(islice(texts, int(script.tickets * scale)))
        _put(ours, tickets)
        world.claude.rules = _rules(tickets, script)
        _run(world, start, _budgeted(script, scale))
    stack = Stack(STACK_NAME, OUTPUTS, PARAMETERS, ours.plain_client, _States(world))
    ended = datetime.fromtimestamp(world.now, UTC)
    return Example(stack, start.date().isoformat(), script, ended + BREAKFAST)


@cache
def _sample() -> list[Item]:
    return list(sample.tickets())


def _budgeted(script: Script, scale: float) -> Script:
    asked = dict(script.input)
    if "max_cost_usd" in asked:
        asked["max_cost_usd"] *= scale
    return replace(script, input=asked)


def _run(world: Theatre, start: datetime, script: Script) -> None:
    arn = WORKFLOW.replace("stateMachine", "execution") + f":{uuid5(NAMESPACE_URL, str(start))}"
    execution = PatientExecution(world, arn, dict(script.input), world.now)
    execution.run()


def _put(ours: Workshop, tickets: list[Item]) -> None:
    for ticket in tickets:
        values = {name: {"S": value} for name, value in ticket.items()}
        item = {**values, "classification_status": {"S": "pending"}}
        ours.plain_client.put_item(TableName="tickets", Item=item)


def _rules(tickets: list[Item], script: Script) -> list[RowRule]:
    """Some texts never get a category for an answer, and a few only at the second asking."""
    texts = [t["subject"] for t in tickets if len(t.get("subject", "").strip()) > 30]
    stubborn = texts[: script.stubborn]
    slow = texts[script.stubborn : script.stubborn + script.slow]
    answer = {"type": "succeeded", "text": CHATTER}
    return [RowRule(answer, contains=text) for text in stubborn] + [
        RowRule(answer, contains=text, times=1) for text in slow
    ]


@dataclass(frozen=True)
class _States:
    """As much of Step Functions as a page asks for."""

    world: World

    class exceptions:  # noqa: N801
        class ExecutionDoesNotExist(Exception): ...

        class InvalidArn(Exception): ...

    def describe_execution(self, executionArn: str) -> Item:  # noqa: N803
        return {"status": self.world.status_of(executionArn)}


def _evening(day: int) -> datetime:
    return datetime(2026, 11, day, 2, tzinfo=UTC)


def _key_refused(operation: str, seconds: float) -> int:
    return 401


def _down_for_three_hours(operation: str, seconds: float) -> int:
    """From a minute after the start: the first batches are out, the others are refused."""
    return 529 if 20 < seconds < 3 * HOURS + 20 else 0


BEFORE = [
    (_evening(20), Script(minutes=8, stubborn=0, slow=0)),
    (_evening(21), Script(tickets=430, minutes=11, stubborn=0, slow=0)),
]
LAST = _evening(22)
NIGHTS: dict[str, Script] = {
    "all-well": Script(tickets=520),
    "budget-bound": Script(tickets=400, input={"max_cost_usd": 0.05}, minutes=6, stubborn=0),
    "key-rejected": Script(tickets=410, trouble=_key_refused),
    "provider-down": Script(trouble=_down_for_three_hours),
    "batch-expired": Script(tickets=440, expiring=3, stubborn=0, slow=2),
}


def example(ours: Workshop, name: str, scale: float = 1.0) -> Example:
    """One of NIGHTS, after two quiet ones."""
    return play(ours, [*BEFORE, (LAST, NIGHTS[name])], scale)


def items(night: Example) -> dict[str, list[Item]]:
    """All items of both tables, as DynamoDB's API spells them and JSON can hold them."""
    dynamodb = night.stack.dynamodb
    return {
        table: [
            {name: value for name, value in item.items() if "B" not in value}
            for page in dynamodb.get_paginator("scan").paginate(TableName=table)
            for item in page["Items"]
        ]
        for table in ("tickets", "runs")
    }
