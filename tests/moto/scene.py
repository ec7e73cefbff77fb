"""A stack without its workflow: moto's AWS and the stand-in for Claude, driven call by call."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, cached_property
from typing import Any

import boto3
import pytest

from nightshift import aws, deployment, settings
from nightshift.claude import custom_id
from nightshift.deployment import Deployment
from nightshift.runs.records import Tally, Version
from nightshift.task import task
from nightshift.task.request import version_of
from nightshift.tickets import table_check
from nightshift.writing import closing
from tests.definitions import tables
from tests.handlers import invoke
from tests.versions import passed
from tools.local.claude_standin import StandIn

DAY = "2026-11-22"
STARTED_AT = f"{DAY}T02:00:00.000Z"
MOST_CALLS = 100

type Step = dict[str, Any]
type Item = dict[str, Any]


@dataclass
class Scene:
    """One stack's tables, secret and executions, and what was said to Claude."""

    claude: StandIn
    patch: pytest.MonkeyPatch

    @property
    def tickets(self) -> Any:
        return table("TicketTable")

    @property
    def runs(self) -> Any:
        return table("RunTable")

    @property
    def secrets(self) -> Any:
        return client("secretsmanager")

    @cached_property
    def workflow(self) -> str:
        machine = client("stepfunctions").create_state_machine(
            name="night",
            definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
            roleArn="arn:aws:iam::123456789012:role/night",
        )
        return str(machine["stateMachineArn"])

    @property
    def stack(self) -> Deployment:
        return deployment.deployment()

    def configure(self, **variables: object) -> None:
        """Deploy anew: other environment variables, and functions that start cold."""
        for name, value in variables.items():
            self.patch.setenv(name, str(value))
        forget()

    def store_key(self, text: str) -> None:
        self.secrets.put_secret_value(SecretId="key", SecretString=text)

    @property
    def version(self) -> Version:
        """What is known of today's task version."""
        return self.stack.ledger.version(version_of(self.stack.task, self.stack.settings.model))

    def remember_version(self, fixed_tokens: int | None = None) -> None:
        """As if the answers to this task version had been usable in an earlier night."""
        self.runs.put_item(Item=passed(self.version.name, fixed_tokens))

    def start(self, name: str = "night") -> str:
        """An execution that runs until it is stopped."""
        started = client("stepfunctions").start_execution(stateMachineArn=self.workflow, name=name)
        return str(started["executionArn"])

    def tell(self, execution: str, run_id: str = DAY) -> None:
        """As the workflow does after it has told somebody of the problems of batches."""
        name = execution.rpartition(":")[2]
        key = {"run_id": run_id, "record": f"failure#{name}"}
        self.runs.put_item(Item={**key, "execution": execution, "of_batches": True, "told": True})

    def stop(self, execution: str) -> None:
        client("stepfunctions").stop_execution(executionArn=execution)

    def put(self, *ids: str, subject: str = "Invoice of {id}", **more: str) -> None:
        """Tickets that ask for a category. `{id}` in a text stands for the ticket's own id."""
        with self.tickets.batch_writer() as writer:
            for ticket_id in ids:
                texts = {"subject": subject, **more}
                filled = {name: text.replace("{id}", ticket_id) for name, text in texts.items()}
                writer.put_item(
                    Item={"ticket_id": ticket_id, "classification_status": "pending"} | filled
                )

    def ticket(self, ticket_id: str) -> Item:
        return dict(self.tickets.get_item(Key={"ticket_id": ticket_id})["Item"])

    def submit(
        self, execution: str, *, seconds: float = 900, estimate: Any = None, **asked: Any
    ) -> Step:
        """One call of *Submit batches*, in and out as JSON."""
        event = {"execution": execution, "started_at": STARTED_AT, "input": asked}
        return invoke("submit", {**event, "estimate": estimate}, seconds)

    def send_all(self, execution: str, **asked: Any) -> Step:
        """Call *Submit batches* until it wants something else than another call."""
        for _ in range(MOST_CALLS):
            step = self.submit(execution, **asked)
            if step["next"] != "submit":
                return step
        raise AssertionError("submit asks for ever more calls")

    def look(self, execution: str, run_id: str = DAY, more: bool = False) -> Step:
        """One call of *Check status*."""
        return invoke("status", {"execution": execution, "run_id": run_id, "more": more})

    def collect(self, execution: str, record: str, run_id: str = DAY) -> Step:
        """One call of *Collect results* that writes no ticket: moto's PartiQL is wrong."""
        return invoke("collect", {"execution": execution, "run_id": run_id, "record": record})

    def records(self, prefix: str, run_id: str = DAY) -> list[Item]:
        """Items of a run in the order of their sort keys."""
        key = boto3.dynamodb.conditions.Key
        condition = key("run_id").eq(run_id) & key("record").begins_with(prefix)
        return list(self.runs.query(KeyConditionExpression=condition)["Items"])

    def answer(self, execution: str, run_id: str = DAY, cost: str = "0", **tally: int) -> None:
        """As if every open batch had been collected: all tickets classified, unless `tally` says
        what became of the requests of the one open batch."""
        for batch in self.stack.ledger.run(run_id).in_state("open"):
            if not tally:
                self._classify(str(batch.batch_id))
            classified = Tally(classified=batch.requests, succeeded=batch.requests)
            became = Tally(**tally) if tally else classified
            closed = replace(batch, tally=became, cost=Decimal(cost))
            closing.close(closed, self.stack, execution)
            self.stack.ledger.mark_deleted(closed)

    def sent(self, batch_id: str | None = None) -> list[str]:
        """Ids of the tickets that Claude was asked about and accepted, sorted."""
        ids = []
        for row in self.claude.control.rows():
            if row["batch_id"] is None:
                continue  # asked in real time
            name = custom_id.parse(row["custom_id"])
            assert name is not None
            if batch_id in (None, row["batch_id"]):
                ids.append(name.ticket_id or f"hash {name.name}")
        return sorted(ids)

    def posts(self) -> list[dict[str, Any]]:
        return self.claude.control.requests("create")

    def _classify(self, batch_id: str) -> None:
        for ticket_id in self.sent(batch_id):
            self.tickets.update_item(
                Key={"ticket_id": ticket_id},
                UpdateExpression="SET category = :c REMOVE classification_status",
                ExpressionAttributeValues={":c": "billing"},
            )


@cache
def client(service: str) -> Any:
    """A client for tests: making one takes longer than most tests."""
    return boto3.client(service)


@cache
def table(name: str) -> Any:
    return boto3.resource("dynamodb").Table(name)


def create_tables() -> None:
    """The two tables as the template defines them."""
    for definition in tables("TicketTable", "RunTable").values():
        client("dynamodb").create_table(**definition)


def forget() -> None:
    """A cold start: what functions keep between calls is gone."""
    for module in (aws, deployment, settings, table_check, task):
        for thing in vars(module).values():
            if clear := getattr(thing, "cache_clear", None):
                clear()


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
