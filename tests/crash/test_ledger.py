"""What decides is read consistently: a record that lags behind would pay twice."""

from typing import Any

import msgspec

from tests.crash.stack import Stack
from tests.crash_proof.world import Workshop, workshop
from tools.local.claude_standin.batches import Life

# An id that no custom_id can carry is read back from the run table.
LONG = "long " * 50
READS = ("GetItem", "Query")

type Read = tuple[str, str, bool]
"""What a call has read of the run table: the partition, the item or "items", and whether it was
read consistently."""


def listen(ours: Workshop) -> set[Read]:
    """What is read of the run table from now on, by the requests as DynamoDB gets them."""
    found: set[Read] = set()
    engine = ours.engine

    def listening(operation: str, body: bytes) -> Any:
        asked = msgspec.json.decode(body)
        if operation in READS and asked["TableName"] == "runs":
            found.add((*_what(asked), asked.get("ConsistentRead", False)))
        for table, wanted in asked.get("RequestItems", {}).items():
            if operation == "BatchGetItem" and table == "runs":
                found.add(("keys", "items", wanted.get("ConsistentRead", False)))
        return engine(operation, body)

    ours.engine = listening  # type: ignore[method-assign]
    return found


def _what(asked: dict[str, Any]) -> tuple[str, str]:
    if "Key" in asked:
        return asked["Key"]["run_id"]["S"], asked["Key"]["record"]["S"]
    run = next(iter(asked["ExpressionAttributeValues"].values()))
    return run["S"], "items"


def test_nothing_of_the_run_table_is_read_as_it_once_was() -> None:
    with workshop() as ours:
        stack = Stack.on(ours, Life(seconds=1000), max_monthly_cost_usd=10)
        stack.put("A", LONG)
        reads = listen(ours)
        report = stack.night()

    assert report["status"] == "complete"
    assert {partition for partition, _, _ in reads} >= {"lock", "2026-11-22", "month#2026-11"}
    assert [read for read in reads if not read[2]] == []
