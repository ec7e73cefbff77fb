"""A deployed stack on a virtual clock, whose nights a test starts one by one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nightshift.aws import to_item
from tests.crash_proof.checks import items
from tests.crash_proof.driver import Execution
from tests.crash_proof.world import HEALTHY, Prompt, Trouble, Workshop, World
from tools.local.claude_standin.batches import Life

MOST_STEPS = 1500


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
        **set_to: Any,
    ) -> Any:
        world = World(workshop, {}, life, [], trouble=trouble, prompt=prompt)
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
        arn = f"arn:aws:states:::execution:night:{self.started:02}"
        return Execution(self.world, arn, given, self.world.now)

    def run(self, execution: Execution, until: Callable[[], Any] = lambda: False) -> int:
        """Let an execution run to its end, or until something is so; returns its steps."""
        for step in range(MOST_STEPS):
            if not execution.running or until():
                return step
            self.world.wait_until(execution.ready_at)
            execution.step()
            execution.ready_at = max(execution.ready_at, self.world.now)
        raise AssertionError(f"no end after {MOST_STEPS} steps")

    def night(self, **given: Any) -> dict[str, Any]:
        """A whole night; returns its report, or its error as `error`."""
        execution = self.start(**given)
        self.run(execution)
        return execution.report or {"error": execution.error}

    def created(self) -> bool:
        return bool(self.world.claude.everything())

    def records(self, prefix: str = "") -> list[dict[str, Any]]:
        return [item for item in items(self.world, "runs") if item["record"].startswith(prefix)]

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
