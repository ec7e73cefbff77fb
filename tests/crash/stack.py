"""A deployed stack on a virtual clock, whose nights a test starts one by one.

DynamoDB's engine is MiniStack's, since moto's PartiQL writes no results.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import msgspec
from aws_lambda_powertools import Metrics

from nightshift.aws import to_item
from nightshift.observability import metrics
from tests import handlers
from tests.crash_proof import driver
from tests.crash_proof.checks import items
from tests.crash_proof.driver import Execution
from tests.crash_proof.world import HEALTHY, Prompt, Trouble, Workshop, World
from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import Life


@dataclass
class Stack:
    """A deployed stack whose nights are started one by one."""

    world: World
    started: int = field(default=0)

    @classmethod
    def on(
        cls,
        workshop: Workshop,
        life: Life,
        trouble: Trouble | None = None,
        prompt: Prompt = HEALTHY,
        rules: Sequence[RowRule] = (),
        unanswered: tuple[str, ...] = (),
        **set_to: Any,
    ) -> "Stack":
        """`unanswered` are modes in which the first creates fail; the rest are settings."""
        world = World(
            workshop, {}, life, list(rules), unanswered=unanswered, trouble=trouble, prompt=prompt
        )
        workshop.world = world
        world.settings = world.settings.model_copy(update=set_to)
        return cls(world)

    def put(self, *ids: str, **attributes: dict[str, Any]) -> None:
        """Pending tickets."""
        for ticket_id in ids:
            texts = {"subject": {"S": ticket_id}, "body": {"S": "a refund, please"}}
            item = {"ticket_id": {"S": ticket_id}, "classification_status": {"S": "pending"}}
            self.world.put("tickets", item | texts | attributes)

    def forget(self, run_id: str, record: str) -> None:
        """As DynamoDB's TTL does."""
        key = to_item({"run_id": run_id, "record": record})
        body = msgspec.json.encode({"TableName": "runs", "Key": key})
        self.world.workshop.engine("DeleteItem", body)

    def forget_expired(self) -> None:
        for record in self.records():
            if record.get("expires_at", self.world.now) < self.world.now:
                self.forget(record["run_id"], record["record"])

    def start(self, **given: Any) -> Execution:
        self.started += 1
        arn = f"arn:aws:states:us-east-1:123456789012:execution:night:{self.started:02}"
        return Execution(self.world, arn, given, self.world.now)

    def night(self, **given: Any) -> dict[str, Any]:
        """A whole night; returns its report, or its error as `error`."""
        execution = self.start(**given)
        execution.run()
        return execution.report or {"error": execution.error}

    def created(self) -> bool:
        return bool(self.world.claude.everything())

    def records(self, prefix: str = "") -> list[dict[str, Any]]:
        """Items of the run table whose sort key begins so, in the order of their keys."""
        found = [item for item in items(self.world, "runs") if item["record"].startswith(prefix)]
        return sorted(found, key=lambda item: (item["run_id"], item["record"]))

    def tickets(self) -> dict[str, Any]:
        return {item["ticket_id"]: item for item in items(self.world, "tickets")}

    def pending(self) -> list[str]:
        found = self.tickets().items()
        return sorted(i for i, ticket in found if "classification_status" in ticket)

    def times_sent(self) -> Counter[str]:
        rows = self.world.claude.journal(with_params=False)
        return Counter(row["text"].split()[2] for row in rows if row["batch_id"])

    def calls(self, operation: str, since: int = 0) -> int:
        return sum(call.operation == operation for call in self.world.journal[since:])


@contextmanager
def through_handlers() -> Iterator[None]:
    """The workflow calls the functions' own handlers, in and out as JSON, as Lambda does; what
    they count goes to stdout."""

    def handle(function: str) -> Any:
        def called(event: Any, stack: Any, world: World) -> Any:
            with mock.patch("nightshift.deployment.deployment", return_value=stack):
                return handlers.invoke(function, event, world.collect_seconds)

        return called

    metrics.clear_metrics()  # what calls without a handler have counted and nobody has sent
    really = Metrics.add_metric.__get__(metrics)
    calls = {name: handle(name) for name in driver.CALLS}
    with mock.patch.dict(driver.CALLS, calls), mock.patch.object(metrics, "add_metric", really):
        yield
