"""Nights played by the use cases themselves, with a clock of their own, into two tables.

The world is that of the crash proof: DynamoDB's engine and the stand-in for Claude in this process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import SimpleNamespace
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

ACCOUNT = "eu-west-1:123456789012"
WORKFLOW = f"arn:aws:states:{ACCOUNT}:stateMachine:nightshift-Workflow-q7Zk2mPx0c1V"
SECRET = f"arn:aws:secretsmanager:{ACCOUNT}:secret:ApiKeySecret-2hYw0pVt"
OUTPUTS = {
    "TicketTableName": "tickets",
    "RunTableName": "runs",
    "WorkflowArn": WORKFLOW,
    "ApiKeySecretArn": SECRET,
    "DashboardUrl": "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
    "#dashboards/dashboard/nightshift",
}
REQUESTS_A_BATCH = 120
# Only so that the calls come one after another and no thread waits for a slow disk.
ONE_THREAD = {"nightshift.collect": {"_THREADS": 1, "_UNDER_WAY": 1}}
SECONDS_A_CREATE = 9.0
HOURS = 3_600.0
BREAKFAST = timedelta(hours=5)
ANSWERED = {"type": "succeeded", "text": "I think that this one is about an invoice."}

type Item = dict[str, Any]


@dataclass(frozen=True)
class Script:
    """What is special about a night."""

    tickets: int = 480
    input: Mapping[str, float] = field(default_factory=dict)
    trouble: Callable[[float], int] = lambda seconds: 0
    """The status that Claude answers at a second of the night; 0: no trouble."""
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
        if status := self.script.trouble(self.now - self.dawn):
            kinds = {401: "authentication_error", 529: "overloaded_error"}
            error = {"type": kinds[status], "message": "invalid x-api-key"}
            return httpx2.Response(status, json={"type": "error", "error": error})
        creates = route(request.method, request.url.raw_path.decode()).operation == "create"
        self.now += SECONDS_A_CREATE if creates else 0.4
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


@contextmanager
def theatre() -> Iterator[Workshop]:
    """Open for as many nights as wanted."""
    with workshop(ONE_THREAD) as ours:
        yield ours


def play(
    ours: Workshop, nights: Iterable[tuple[datetime, Script]], scale: float = 1.0
) -> tuple[Stack, datetime]:
    """Play nights one after another in a new stack; returns that, and when somebody looks.

    With a `scale` of 0.5 there are half as many tickets and dollars, in batches half as large.
    """
    ours.world = world = Theatre(ours, {}, Life(cancel_seconds=1), [])
    world.settings = SETTINGS.model_copy(
        update={
            "max_requests_per_batch": int(REQUESTS_A_BATCH * scale),
            "max_attempts": 3, "poll_seconds": 60, "api_key_secret": SECRET,
        }
    )  # fmt: skip
    texts = sample.tickets()
    for start, script in nights:
        world.script, world.created = script, 0
        world.now = world.dawn = start.timestamp()
        world.claude.life = replace(world.claude.life, seconds=60 * script.minutes)
        tickets = list(islice(texts, int(script.tickets * scale)))
        for ticket in tickets:
            item = {name: {"S": value} for name, value in ticket.items()}
            world.put("tickets", {**item, "classification_status": {"S": "pending"}})
        world.claude.rules = list(_rules(tickets, script))
        _run(world, start, {name: value * scale for name, value in script.input.items()})
    states = SimpleNamespace(
        describe_execution=lambda **asked: {"status": world.status_of(asked["executionArn"])},
        exceptions=SimpleNamespace(ExecutionDoesNotExist=KeyError),
    )
    stack = Stack("nightshift", OUTPUTS, {"MaxCostUsd": "25"}, ours.plain_client, states)
    return stack, datetime.fromtimestamp(world.now, UTC) + BREAKFAST


def _run(world: Theatre, start: datetime, asked: Item) -> None:
    arn = WORKFLOW.replace("stateMachine", "execution") + f":{uuid5(NAMESPACE_URL, str(start))}"
    PatientExecution(world, arn, asked, world.now).run()


def _rules(tickets: list[Item], script: Script) -> Iterator[RowRule]:
    """Some texts never get a category for an answer, and a few only at the second asking."""
    texts = [t["subject"] for t in tickets if len(t.get("subject", "").strip()) > 30]
    for number, text in enumerate(texts[: script.stubborn + script.slow]):
        yield RowRule(ANSWERED, contains=text, times=None if number < script.stubborn else 1)


BEFORE = [
    (datetime(2026, 11, 20, 2, tzinfo=UTC), Script(minutes=8, stubborn=0, slow=0)),
    (datetime(2026, 11, 21, 2, tzinfo=UTC), Script(tickets=430, minutes=11, stubborn=0, slow=0)),
]
LAST = datetime(2026, 11, 22, 2, tzinfo=UTC)
NIGHTS: dict[str, Script] = {
    "all-well": Script(tickets=520),
    "budget-bound": Script(tickets=400, input={"max_cost_usd": 0.05}, minutes=6, stubborn=0),
    "key-rejected": Script(tickets=410, trouble=lambda seconds: 401),
    # From a minute after the start: the first batches are out, the others are refused.
    "provider-down": Script(trouble=lambda at: 529 if 20 < at < 3 * HOURS + 20 else 0),
    "batch-expired": Script(tickets=440, expiring=3, stubborn=0, slow=2),
}
