"""A world in one process: DynamoDB's engine, the stand-in for Claude, a clock, and the edges.

Waiting moves the clock, never the process. All that the package reaches beyond itself passes
`World.call`, where the night's faults strike.
"""

import itertools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from math import inf
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.endpoint
import httpx2
import msgspec
from ministack.services import dynamodb as ministack

from nightshift import aws
from nightshift.aws import to_item
from nightshift.claude import custom_id
from nightshift.claude.api_key import ApiKey
from nightshift.claude.client import Claude
from nightshift.claude.through_aws import ThroughAws
from nightshift.deployment import Deployment
from nightshift.observability import metrics
from nightshift.runs import probe
from nightshift.runs.held import LONGEST_LIFE
from nightshift.runs.ledger import Ledger
from nightshift.runs.lock import LockItem
from nightshift.settings import Settings
from nightshift.task.request import version_of
from nightshift.task.task import Task
from nightshift.tickets import table_check
from nightshift.tickets.table import TicketTable
from tests.crash_proof.edges import (
    LIFE_OF_A_LAMBDA,
    Aws,
    Death,
    Http,
    Process,
    Simple,
    Wire,
)
from tests.crash_proof.faults import MODES, READS, Fault, Strike
from tests.definitions import tables
from tests.tasks import FILE, task
from tests.versions import passed
from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import Batch, Batches, Life
from tools.local.claude_standin.endpoints import Call, perform, route
from tools.local.claude_standin.errors import ApiError
from tools.local.claude_standin.gateway import ACTIONS, OF_STS, Gateway
from tools.local.claude_standin.gateway import Call as Arrived
from tools.local.cloud.dynamodb import spare_repeated_work

DAWN = datetime(2026, 11, 22, 2, tzinfo=UTC).timestamp()
POLL_SECONDS = 200
# What is large in the package, made small: a batch of four lines is two groups with a checkpoint
# each, one after the other, so that there are places to die between them and every night makes
# the same calls in the same order; a batch that is gone is missed for a few turns only;
# a few answers are enough to judge a task version.
SMALL = {
    "nightshift.collect": {
        "_THREADS": 1, "_UNDER_WAY": 1, "_SECONDS_PER_CHECKPOINT": -1, "KEYS_PER_READ": 2,
    },
    "nightshift.runs.missing": {"POLLS_UNTIL_NOT_FOUND": 4},
    "nightshift.runs.probe": {"PROBE_REQUESTS": 4, "_ENOUGH": 3, "_ENOUGH_ONCE_PASSED": 6},
}  # fmt: skip
# A prompt that names no category: what Claude answers is prose.
BROKEN = {"system": "You are a poet. Answer each ticket with a haiku."}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@dataclass(frozen=True)
class Stranger:
    """Somebody else in our workspace: whenever we create a batch, they create one as large."""

    first: bool
    seconds: float
    times: int = 1000
    deletes: bool = False


@dataclass(frozen=True)
class Trouble:
    """The provider cannot be asked about the first batch of a night, for so many seconds from its
    create: `operations` answer `status` as long, and a list does not show it."""

    operations: tuple[str, ...]
    status: int
    seconds: float = inf


@dataclass(frozen=True)
class Prompt:
    """The task as it is deployed: `passed` in an earlier night; `broken` until somebody was told
    that its answers are unusable, and mended then."""

    passed: bool = True
    broken: bool = False


HEALTHY = Prompt()


@dataclass(frozen=True)
class Noted:
    """One call in the journal of a night."""

    number: int
    execution: str
    function: str
    service: str
    operation: str
    about: str
    fault: str = ""

    @property
    def changes_anything(self) -> bool:
        """To die after a read is to die after the call before it."""
        return self.service in ("claude", "dynamodb") and self.operation not in READS

    def __str__(self) -> str:
        what = f"{self.service}:{self.operation} {self.about}".strip()
        where = f"{self.number:4} {self.execution:3} {self.function:8} {what}"
        return f"{where}   <== {self.fault}" if self.fault else where


@dataclass
class World:
    """One night's world. Made anew for every night; `process` owns what is slow to make."""

    workshop: "Workshop"
    faults: dict[int, Fault]
    life: Life
    rules: list[RowRule]
    stranger: Stranger | None = None
    collect_seconds: float = 600.0
    unanswered: tuple[str, ...] = ()
    budgets: tuple[str, str] = ("25", "1000")
    trouble: Trouble | None = None
    interrupt: str = ""
    prompt: Prompt = HEALTHY
    now: float = DAWN
    journal: list[Noted] = field(default_factory=list)
    executions: dict[str, str] = field(default_factory=dict)
    stuck: dict[str, Strike] = field(default_factory=dict)
    to_redrive: dict[str, str] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)
    alarms: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    throttled_transactions: int = 0
    _troubled: str = ""
    _trouble_ends: float = 0.0
    _asleep: dict[Process, int | None] = field(default_factory=dict)
    settings: Settings = field(init=False)
    _due: list[tuple[float, Callable[[], Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.claude = Batches("http://claude.invalid", "crash proof", self.life, 10**9)
        self.claude.rules = self.rules
        self._creates = iter(self.unanswered)
        self.claude.now = lambda: self.now  # type: ignore[method-assign]
        run, month = map(Decimal, self.budgets)
        limits = {"max_cost_usd": run, "max_monthly_cost_usd": month}
        self.settings = SETTINGS.model_copy(update=limits)
        self.workshop.make_tables()
        if self.prompt.passed:
            version = version_of(self.task, self.settings.model)
            dawn = datetime.fromtimestamp(self.now, UTC).isoformat()
            self.put("runs", to_item(passed(version) | {"passed_at": dawn}))

    def put(self, table: str, item: dict[str, Any]) -> None:
        """An item as DynamoDB spells it, as somebody else writes it."""
        body = msgspec.json.encode({"TableName": table, "Item": item})
        status, _, answer = self.workshop.engine("PutItem", body)
        assert status == 200, answer

    @property
    def task(self) -> Task:
        """What is deployed now."""
        mended = any(said.startswith("AnswersUnusable") for said in self.told)
        return task().model_copy(update=BROKEN) if self.prompt.broken and not mended else task()

    # Time.

    def wait_until(self, moment: float) -> None:
        """Move the clock. What is due by then happens at its own time: late effects, and
        functions that hung as long as a Lambda can live."""
        while True:
            deadlines = [(p.started + LIFE_OF_A_LAMBDA - 1, p) for p in self._asleep]
            at, process = min(deadlines, default=(moment, None), key=lambda pair: pair[0])
            late, effect = min(self._due, default=(moment, None), key=lambda pair: pair[0])
            if min(at, late) >= moment:
                break
            self.now = max(self.now, min(at, late))
            if effect is not None and late <= at:
                self._due.remove((late, effect))
                effect()
            elif process is not None:
                self.wake(process)
        self.now = max(self.now, moment)

    def later(self, seconds: float, effect: Callable[[], Any]) -> None:
        self._due.append((self.now + seconds, effect))

    # Executions, and functions that outlive them.

    def status_of(self, arn: str) -> str | None:
        return self.executions.get(arn)

    def abort(self, execution: str, redrive: str = "") -> None:
        if self.executions[execution] == "RUNNING":
            self.executions[execution] = "ABORTED"
        if redrive:
            self.to_redrive[execution] = redrive

    def hang(self, process: Process, goes_on: int | None) -> None:
        self._asleep[process] = goes_on
        process.hang()

    def wake_all(self) -> None:
        while self._asleep:
            self.wake(next(iter(self._asleep)))
        for _, effect in sorted(self._due, key=lambda pair: pair[0]):
            effect()
        self._due.clear()

    def wake(self, process: Process) -> None:
        del self._asleep[process]
        process.go_on()

    def _wake_those_due(self, caller: Process) -> None:
        for process, calls in list(self._asleep.items()):
            if calls is None or process not in self._asleep:
                continue
            if calls == 0:
                self.wake(process)
            else:
                self._asleep[process] = calls - 1

    # Calls.

    def call(self, process: Process, wire: Wire) -> Any:
        """Carry a call out, unless its process is gone or a fault strikes."""
        self._wake_those_due(process)
        if process.dead:
            raise Death
        if wire.identity in self.stuck:
            self._note(process, wire, "again")
            return self.stuck[wire.identity](self, process, wire)
        if wire.operation == "TransactWriteItems" and self.throttled_transactions:
            self.throttled_transactions -= 1
            self._note(process, wire, "throttled")
            return wire.fail("ThrottlingError")
        fault = self.faults.get(len(self.journal))
        usual = next(self._creates, "") if wire.operation == "create" else ""
        mode = fault.mode_for(wire.service, wire.operation) if fault else usual
        self._note(process, wire, mode)
        return MODES[mode].strike(self, process, wire) if mode else wire.perform()

    def _note(self, process: Process, wire: Wire, fault: str) -> None:
        noted = Noted(
            len(self.journal), process.execution[-2:], process.function,
            wire.service, wire.operation, wire.about, fault,
        )  # fmt: skip
        self.journal.append(noted)

    def claude_answers(self, request: httpx2.Request) -> httpx2.Response:
        """The stand-in, without a socket between."""
        call = route(request.method, request.url.raw_path.decode())
        call.body, call.version = request.read(), request.headers["anthropic-version"]
        creates = call.operation == "create"
        if self._is_troubled(call.operation, call.object_id):
            status = self.trouble.status if self.trouble else 0
            error = {"type": "not_found_error" if status == 404 else "api_error", "message": "no"}
            return httpx2.Response(status, json={"type": "error", "error": error})
        if creates:
            self._watch_probes(msgspec.json.decode(call.body)["requests"])
        if creates and self.stranger and self.stranger.first:
            self._stranger_creates(call.body, self.stranger)
        try:
            self._let_in(call, request)
            reply = perform(call, self.claude)
        except ApiError as error:
            return httpx2.Response(
                error.status, headers=error.headers, json={"type": "error", "error": error.error}
            )
        if creates:
            if self.trouble and not self._troubled:
                self._troubled, self._trouble_ends = call.object_id, self.now + self.trouble.seconds
            self._watch(self.claude.get(call.object_id))
            if self.stranger and not self.stranger.first:
                self._stranger_creates(call.body, self.stranger)
        if call.operation == "list" and self._is_troubled("list", self._troubled):
            shown = [batch for batch in reply.body["data"] if batch["id"] != self._troubled]
            reply.body["data"] = shown
        content = msgspec.json.encode(reply.body) if reply.lines is None else b"".join(reply.lines)
        return httpx2.Response(200, headers=reply.headers, content=content)

    def _let_in(self, call: Call, request: httpx2.Request) -> None:
        """Check the signature, where calls are signed."""
        if self.workshop.gateway is None:
            return
        arrived = ((name.lower(), value) for name, value in request.headers.items())
        target = request.url.raw_path.decode()
        self.workshop.gateway.admit(
            Arrived(
                request.method, target, tuple(arrived), call.body, call.operation, call.object_id
            )
        )

    @property
    def asked_again(self) -> str:
        """The batch that nobody could read for so long that its tickets were asked again; else
        empty."""
        long = self.trouble is not None and self.trouble.seconds > LONGEST_LIFE.total_seconds()
        return self._troubled if long else ""

    def _is_troubled(self, operation: str, batch_id: str) -> bool:
        if self.trouble is None or batch_id != self._troubled or self.now >= self._trouble_ends:
            return False
        return operation in self.trouble.operations

    def _watch(self, created: Batch) -> None:
        """No ticket may be in two living batches, not even for a moment."""
        texts = {str(request.messages) for request in created.requests}
        for other in self.claude.everything():
            alive = other.status(self.now) != "ended" and other.id not in self.strangers
            if alive and other is not created:
                twice = texts & {str(request.messages) for request in other.requests}
                if twice:
                    self.alarms.append(f"{len(twice)} tickets in two living batches at once")

    def _watch_probes(self, requests: list[Any]) -> None:
        """A version that has not passed may have one small batch under way."""
        name = version_of(self.task, self.settings.model)
        if probe.has_passed(self.ledger.version(name), datetime.fromtimestamp(self.now, UTC)):
            return
        if len(requests) > probe.PROBE_REQUESTS:
            self.alarms.append(f"a probe of {len(requests)} requests")
        prompt = requests[0]["params"]["system"]
        for other in self.claude.everything():
            alive = other.status(self.now) != "ended" and other.id not in self.strangers
            if alive and other.requests[0].template.params["system"] == prompt:
                self.alarms.append("two probes at once")

    @property
    def ledger(self) -> Ledger:
        """The run table, to which nothing happens."""
        return Ledger(self.workshop.plain_client, self.settings.run_table)

    def _stranger_creates(self, body: bytes, stranger: Stranger) -> None:
        if len(self.strangers) == stranger.times:
            return
        requests = msgspec.json.decode(body)["requests"]
        for number, request in enumerate(requests):
            name = custom_id.CustomId("StrAngEr", number, "12345678", "i", f"theirs-{number}")
            request["custom_id"] = str(name)
            request["params"]["messages"] = [{"role": "user", "content": "somebody else's"}]
        life = {"seconds": stranger.seconds, "list_lag_seconds": 0.0}
        batch = self.claude.create(msgspec.json.encode({"requests": requests}), "2023-06-01", life)
        self.strangers.add(batch.id)
        if stranger.deletes:
            self.later(stranger.seconds * 1.2, lambda: self.claude.delete(batch.id))

    def update(
        self, table: str, key: dict[str, str], state: dict[str, Any], values: dict[str, Any]
    ) -> None:
        """What a state of the workflow writes by itself, if its condition holds."""
        taken = ("UpdateExpression", "ConditionExpression", "ExpressionAttributeNames")
        body = {
            "TableName": table,
            "Key": {name: {"S": value} for name, value in key.items()},
            "ExpressionAttributeValues": values,
            **{name: state[name] for name in taken if name in state},
        }
        status, _, answer = self.workshop.engine("UpdateItem", msgspec.json.encode(body))
        assert status == 200 or b"ConditionalCheckFailed" in answer, answer

    @contextmanager
    def deployment(self, process: Process) -> Iterator[Deployment]:
        """What a new Lambda process would connect."""
        with self.workshop.edges_for(self, process) as (dynamodb, base_url):
            table_check.key_of.cache_clear()
            keys: list[str] = []

            def key(fresh: bool) -> str:
                if fresh or not keys:
                    wire = Simple("secretsmanager", "GetSecretValue", lambda: "sk-ant-stand-in")
                    keys[:] = [self.call(process, wire)]
                return keys[0]

            def status_of(arn: str) -> str | None:
                wire = Simple("states", "DescribeExecution", lambda: self.status_of(arn), arn[-2:])
                status: str | None = self.call(process, wire)
                return status

            yield Deployment(
                self.settings,
                self.task,
                TicketTable(dynamodb, self.settings.ticket_table),
                Ledger(dynamodb, self.settings.run_table),
                LockItem(dynamodb, self.settings.run_table, status_of),
                self.workshop.claude(base_url, key),
            )


SETTINGS = Settings.model_validate(
    {
        "TICKET_TABLE": "tickets",
        "RUN_TABLE": "runs",
        "API_KEY_SECRET": "secret",
        "ANTHROPIC_BASE_URL": "http://claude.invalid",
        "MODEL": "claude-haiku-4-5",
        "TASK": str(FILE),
        "POLL_SECONDS": POLL_SECONDS,
        "MAX_REQUESTS_PER_BATCH": 4,
        "MAX_ATTEMPTS": 2,
        "MAX_COST_USD": Decimal(25),
        "MAX_MONTHLY_COST_USD": Decimal(0),
    }
)


class Workshop:
    """What all nights of this process share: patched edges, clients, table definitions."""

    def __init__(self, gateway: Gateway | None = None) -> None:
        """With a gateway Claude is reached through AWS."""
        self.gateway = gateway
        self.world: World | None = None
        self._free: list[SimpleNamespace] = []
        self._numbers = itertools.count()
        self._hosts: dict[str, tuple[World, Process]] = {}
        self.engine_lock = threading.Lock()
        spare_repeated_work()

    def claude(self, base_url: str, read_key: Callable[[bool], str]) -> Claude:
        """Claude as a new process connects to it: with a stored key, or through AWS."""
        key: ApiKey | ThroughAws = ApiKey("secret", read_key)
        if self.gateway:
            key = ThroughAws(self.gateway.region, self.gateway.workspace, aws.signer)
        return Claude(base_url, key, key.rejected)

    def make_tables(self) -> None:
        for name, definition in tables("tickets", "runs").items():
            self.engine("DeleteTable", msgspec.json.encode({"TableName": name}))
            status, _, body = self.engine("CreateTable", msgspec.json.encode(definition))
            assert status == 200, body

    def engine(self, operation: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """MiniStack's DynamoDB, asked in this process."""
        headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
        with self.engine_lock:
            try:
                ministack.handle_request("POST", "/", headers, body, {}).send(None)
            except StopIteration as done:
                status, answered, content = done.value
                raw = content if isinstance(content, bytes) else content.encode()
                return status, answered, raw
        raise AssertionError("MiniStack's engine waits for something")

    @contextmanager
    def edges_for(self, world: World, process: Process) -> Iterator[tuple[Any, str]]:
        """A DynamoDB client and a base URL of Claude whose calls are this process's own."""
        slot = self._free.pop() if self._free else self._new_slot()
        slot.owner = (world, process)
        host = f"process-{next(self._numbers)}.invalid"
        self._hosts[host] = slot.owner
        try:
            yield slot.client, f"http://{host}"
        finally:
            del self._hosts[host]
            self._free.append(slot)

    @cached_property
    def plain_client(self) -> Any:
        """A DynamoDB client to which nothing happens, for checks."""
        return self._client(lambda wire: wire.perform())

    def _client(self, carry_out: Callable[[Wire], Any]) -> Any:
        client = aws.dynamodb.__wrapped__()

        def answer(request: Any, event_name: str, **_: Any) -> Any:
            return carry_out(Aws(event_name.rpartition(".")[2], request, self.engine))

        client.meta.events.register("before-send.dynamodb", answer)
        return client

    def _new_slot(self) -> SimpleNamespace:
        slot = SimpleNamespace(owner=None)

        def carry_out(wire: Wire) -> Any:
            world, process = slot.owner
            return world.call(process, wire)

        slot.client = self._client(carry_out)
        return slot

    def http(self, request: httpx2.Request) -> httpx2.Response:
        world, process = self._hosts[request.url.host]
        call = route(request.method, request.url.raw_path.decode())
        wire = Http(call.operation, request, call.object_id[-4:], world.claude_answers)
        response: httpx2.Response = world.call(process, wire)
        return response


def gateway() -> Gateway:
    """Claude Platform on AWS, which takes the credentials of this world."""
    platform = Gateway("eu-central-1")
    actions = [f"aws-external-anthropic:{name}" for name in (*ACTIONS.values(), "GetModel")]
    allowed = [{"Action": [*actions, *OF_STS], "Resource": "*"}]
    platform.know(CREDENTIALS["AWS_ACCESS_KEY_ID"], "role", "none", "", allowed)
    return platform


@contextmanager
def workshop(
    constants: Mapping[str, dict[str, Any]] = SMALL, through: Gateway | None = None
) -> Iterator[Workshop]:
    """Everything that stays patched while nights are played, `constants` by their modules.
    `through`: calls to Claude are signed, and this gateway checks them."""
    ours = Workshop(through)
    transport = {
        "__init__": lambda self, *_, **__: None,
        "handle_request": ours.http,
        "close": lambda self: None,
    }
    with ExitStack() as stack:
        enter = stack.enter_context
        for said_by in ("nightshift", "dynamodb"):  # the package, and MiniStack's engine
            log = logging.getLogger(said_by)
            stack.callback(log.setLevel, log.level)
            log.setLevel(logging.CRITICAL)
        enter(mock.patch.dict(os.environ, CREDENTIALS))
        enter(mock.patch.multiple(httpx2.HTTPTransport, **transport))
        enter(mock.patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=_no_wait)))
        for name, changed in constants.items():
            enter(mock.patch.multiple(name, **changed))
        enter(mock.patch.object(metrics, "add_metric"))
        clock = _clock(ours)
        for name, module in list(sys.modules.items()):
            if not name.startswith("nightshift."):
                continue
            if getattr(module, "datetime", None) is datetime:
                enter(mock.patch.object(module, "datetime", clock))
            if getattr(module, "sleep", None) is time.sleep:
                enter(mock.patch.object(module, "sleep", _no_wait))
        yield ours


def _no_wait(seconds: float) -> None:
    """Waiting is the clock's business."""


def _clock(ours: Workshop) -> type[datetime]:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            moment = ours.world.now if ours.world else DAWN
            return datetime.fromtimestamp(DAWN, UTC) + timedelta(seconds=moment - DAWN)

    return Clock
