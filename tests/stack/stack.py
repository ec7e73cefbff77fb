"""The deployed stack as its users meet it: tickets in, executions started, messages received."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from nightshift.claude import custom_id
from tests.versions import passed, todays
from tools.local.claude_standin import Life, StandIn
from tools.local.cloud.cloud import LocalCloud

CANARY = "xylograph"
"""A word in the text of every ticket and in its markup, and in nothing else."""
MODEL = "claude-haiku-4-5"
TALKATIVE = {
    "ANTHROPIC_LOG": "debug",
    "ANTHROPIC_OPEN_TELEMETRY": "true",
    "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content",
    "POWERTOOLS_DEBUG": "1",
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    "POWERTOOLS_LOGGER_LOG_EVENT": "true",
}
"""Variables that ask every library to say all that it knows."""
LIFE = Life(seconds=0.3)
# USD for a token of claude-haiku-4-5 in a batch: half of 1 and 5 dollars a million (2026-11).
USD_IN, USD_OUT = Decimal("0.0000005"), Decimal("0.0000025")

type Item = dict[str, Any]

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True)
class Told:
    """A message as a subscriber of both topics gets it."""

    topic: str
    subject: str
    text: str


@dataclass
class Night:
    """One execution of the workflow."""

    client: Any
    arn: str

    def wait(self, seconds: float = 180) -> "Night":
        wait_until(lambda: self.status != "RUNNING", seconds)
        return self

    def stop(self) -> None:
        """End it from outside, unless it has ended already."""
        if self.status == "RUNNING":
            self.client.stop_execution(executionArn=self.arn)
        self.wait()

    @property
    def described(self) -> dict[str, Any]:
        return dict(self.client.describe_execution(executionArn=self.arn))

    @property
    def status(self) -> str:
        return str(self.described["status"])

    @property
    def error(self) -> str:
        return str(self.described.get("error"))

    @property
    def cause(self) -> str:
        return str(self.described.get("cause"))

    @property
    def output(self) -> dict[str, Any]:
        described = self.described
        assert described["status"] == "SUCCEEDED", (described.get("error"), described.get("cause"))
        return dict(json.loads(described["output"]))

    @property
    def counts(self) -> tuple[int, ...]:
        """submitted, classified, superseded, requeued, failed"""
        names = ("submitted", "classified", "superseded", "requeued", "failed")
        return tuple(self.output[name] for name in names)

    def history(self) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("get_execution_history")
        return [e for page in pages.paginate(executionArn=self.arn) for e in page["events"]]


@dataclass
class Stack:
    """One deployed stack, and what a test did with it."""

    cloud: LocalCloud
    claude: StandIn
    name: str
    outputs: dict[str, str]
    nights: list[Night] = field(default_factory=list)
    since: float = 0
    known_batches: frozenset[str] = frozenset()

    @cached_property
    def dynamodb(self) -> Any:
        return self.cloud.client("dynamodb")

    @cached_property
    def executions(self) -> Any:
        return self.cloud.client("stepfunctions")

    @cached_property
    def queues(self) -> Any:
        return self.cloud.client("sqs")

    @cached_property
    def inbox(self) -> str:
        """A queue that subscribes to both topics."""
        name = f"inbox-of-{self.name}"
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        url = self.queues.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
        names = ["QueueArn"]
        arn = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        for topic in ("ReportTopicArn", "AlertTopicArn"):
            self.cloud.client("sns").subscribe(
                TopicArn=self.outputs[topic], Protocol="sqs", Endpoint=arn["QueueArn"]
            )
        return str(url)

    def make_talkative(self) -> None:
        """Have the functions log as much as any variable of their environment can bring about."""
        client = self.cloud.client("lambda")
        for name in (name for output, name in self.outputs.items() if "FunctionName" in output):
            given = client.get_function_configuration(FunctionName=name)["Environment"]
            variables = given["Variables"] | TALKATIVE
            client.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}
            )

    def store_key(self, key: str) -> None:
        self.cloud.client("secretsmanager").put_secret_value(
            SecretId=self.outputs["ApiKeySecretArn"], SecretString=key
        )

    def forget(self) -> None:
        """Empty tables, an empty inbox, a Claude without rules: nothing of an earlier test."""
        for night in self.nights:
            night.stop()
        self.nights.clear()
        for table, key in (
            ("TicketTableName", ("ticket_id",)),
            ("RunTableName", ("run_id", "record")),
        ):
            for item in self._scan(table):
                self.dynamodb.delete_item(
                    TableName=self.outputs[table], Key=_item({name: item[name] for name in key})
                )
        self.told()
        self.remember_version()
        self.claude.control.clear()
        self.claude.control.set_life(**asdict(LIFE))
        self.known_batches = frozenset(batch["id"] for batch in self.claude.control.batches())
        self.since = time.time()

    def remember_version(self) -> None:
        """As if the answers to the deployed task had been usable in an earlier night."""
        self.put_record(passed(todays(MODEL)))

    def forget_version(self) -> None:
        for item in self.records("version"):
            key = {name: item[name] for name in ("run_id", "record")}
            self.dynamodb.delete_item(TableName=self.outputs["RunTableName"], Key=_item(key))

    # What people do.

    def put(self, *ids: str, body: str = "My invoice") -> None:
        """Tickets that ask for a category."""
        for ticket_id in ids:
            text = f'{body} ({ticket_id}, {CANARY})<img alt="{CANARY}" src="{CANARY}.png">'
            ticket = {"ticket_id": ticket_id, "subject": CANARY, "body": text}
            self.put_item({**ticket, "classification_status": "pending"})

    def put_item(self, item: Item) -> None:
        self.dynamodb.put_item(TableName=self.outputs["TicketTableName"], Item=_item(item))

    def put_record(self, item: Item) -> None:
        """An item of the run table, as an earlier night may have left it."""
        self.dynamodb.put_item(TableName=self.outputs["RunTableName"], Item=_item(item))

    def delete(self, ticket_id: str) -> None:
        key = _item({"ticket_id": ticket_id})
        self.dynamodb.delete_item(TableName=self.outputs["TicketTableName"], Key=key)

    def start(self, **asked: Any) -> Night:
        started = self.executions.start_execution(
            stateMachineArn=self.outputs["WorkflowArn"], input=json.dumps(asked)
        )
        self.nights.append(Night(self.executions, started["executionArn"]))
        return self.nights[-1]

    def run(self, **asked: Any) -> Night:
        return self.start(**asked).wait()

    def start_and_send(self, batches: int = 1, **asked: Any) -> Night:
        """Start a night whose batches take until a test ends them, and wait until they are out."""
        self.claude.control.set_life(seconds=None)
        night = self.start(**asked)
        wait_until(lambda: len(self.records("batch#", state="open")) >= batches)
        self.claude.control.set_life(**asdict(LIFE))
        return night

    # What people see.

    def tickets(self) -> dict[str, Item]:
        return {item["ticket_id"]: item for item in self._scan("TicketTableName")}

    def categories(self) -> dict[str, str | None]:
        return {ticket_id: item.get("category") for ticket_id, item in self.tickets().items()}

    def pending(self) -> list[str]:
        waiting = {"classification_status": "pending"}.items()
        return sorted(i for i, item in self.tickets().items() if waiting <= item.items())

    def records(self, prefix: str, **same: str) -> list[Item]:
        """Items of the run table, in order, that start with `prefix` and have these values."""
        items = [item for item in self._scan("RunTableName") if item["record"].startswith(prefix)]
        chosen = [item for item in items if same.items() <= item.items()]
        return sorted(chosen, key=lambda item: (item["run_id"], item["record"]))

    def told(self) -> list[Told]:
        """All messages since the last look."""
        messages: list[Told] = []
        topics = {arn: name for name, arn in self.outputs.items()}
        while True:
            answer = self.queues.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                said = json.loads(message["Body"])
                messages.append(Told(topics[said["TopicArn"]], said["Subject"], said["Message"]))
                handle = message["ReceiptHandle"]
                self.queues.delete_message(QueueUrl=self.inbox, ReceiptHandle=handle)
            if not answer.get("Messages"):
                return messages

    # What Claude knows.

    def batches(self) -> list[dict[str, Any]]:
        """Every batch that this test made, deleted ones too."""
        known = self.known_batches
        return [b for b in self.claude.control.batches() if b["id"] not in known]

    def rows(self) -> list[dict[str, Any]]:
        known = self.known_batches
        rows = self.claude.control.rows()
        return [row for row in rows if row["batch_id"] not in {None, *known}]

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Every request to Claude in this test."""
        return [r for r in self.claude.control.requests(operation) if r["at"] >= self.since]

    def answers(self) -> dict[str, str]:
        """What Claude said about each ticket last."""
        long_ids = {
            item["record"][len("ticket#") :]: item["ticket_id"] for item in self.records("ticket#")
        }
        answers = {}
        for row in self.rows():
            name = custom_id.parse(row["custom_id"])
            assert name is not None
            if row["result"]["type"] == "succeeded":
                [block] = row["result"]["message"]["content"]
                answers[name.ticket_id or long_ids[name.name]] = block["text"]
        return answers

    def paid(self) -> Decimal:
        """USD for all answers of this test, from their `usage`."""
        usages = [
            row["result"]["message"]["usage"]
            for row in self.rows()
            if row["result"]["type"] == "succeeded"
        ]
        return sum(
            (u["input_tokens"] * USD_IN + u["output_tokens"] * USD_OUT for u in usages), Decimal(0)
        )

    def everything_said(self) -> Iterable[tuple[str, str]]:
        """All that states, functions and messages say, each with where it was said."""
        for night in self.nights:
            yield night.arn, json.dumps([night.described, night.history()], default=str)
        logs = self.cloud.client("logs")
        for group in logs.describe_log_groups()["logGroups"]:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"], startTime=int(self.since * 1000)
            )
            said = "\n".join(e["message"] for page in pages for e in page["events"])
            yield group["logGroupName"], said
        yield "messages", repr(self.told())
        yield "metrics", repr(self.cloud.client("cloudwatch").list_metrics()["Metrics"])
        yield "run table", repr(self._scan("RunTableName"))

    def physical(self, logical: str) -> str:
        """The name in the account of a resource in the template."""
        answer = self.cloud.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical
        )
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])

    def _scan(self, table: str) -> list[Item]:
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.outputs[table], ConsistentRead=True
        )
        return [
            {name: _deserialize(value) for name, value in item.items()}
            for page in pages
            for item in page["Items"]
        ]


def wait_until(condition: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _item(values: Item) -> Item:
    return {name: _serialize(value) for name, value in values.items()}
