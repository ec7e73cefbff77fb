"""One lock for the stack: who may create batches, which runs are unfinished, whether to stop.

The lock names the execution that holds it, and only the end of that execution frees it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nightshift.aws import CONDITION_FAILED, ClientError, error_code, from_item, to_item
from nightshift.events import LOCK_RUN_ID

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Statuses of Step Functions after which an execution does nothing more, unless redriven.
OVER = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})
_FORGOTTEN = timedelta(days=1)
_KEY = to_item({"run_id": LOCK_RUN_ID, "record": "lock"})
_MAY_CREATE = "holder = :me AND attribute_not_exists(stop)"


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock as it was read. `holder` is an execution, `unfinished` are the ids of runs. `stop`
    means that no batch is created until the next start. `last_intent` is the token of the intent
    that was written last, by any execution."""

    holder: str | None = None
    held_since: datetime | None = None
    unfinished: frozenset[str] = frozenset()
    stop: bool = False
    last_intent: str | None = None


@dataclass(frozen=True)
class LockItem:
    """The lock's item in the run table."""

    dynamodb: "DynamoDBClient"
    name: str
    status_of: Callable[[str], str | None]
    """The status of an execution by its ARN; None for one that does not exist."""

    def take(self, execution: str, run_id: str) -> Lock | None:
        """Take the lock for this execution, unless it holds the lock already; None while another
        execution runs.

        A stopped execution's Lambda may still run; it must not take the lock.
        """
        lock = self.read()
        if lock.holder == execution:
            return lock
        if self.status_of(execution) in OVER:
            return None
        if lock.holder is not None and not self._is_over(lock):
            return None
        if not self._replace(lock.holder, execution, run_id):
            return None
        return self.read()

    def read(self) -> Lock:
        item = self.dynamodb.get_item(TableName=self.name, Key=_KEY, ConsistentRead=True)
        values = from_item(item.get("Item", {}))
        since = values.get("held_since")
        return Lock(
            values.get("holder"),
            datetime.fromisoformat(since) if since else None,
            frozenset(values.get("unfinished", ())),
            "stop" in values,
            values.get("last_intent"),
        )

    def ask_to_stop(self) -> None:
        """No batch is created from now on; the holder finds out in its next call."""
        self._update("SET stop = :yes", {":yes": True}, "attribute_exists(run_id)")

    def finish(self, execution: str, runs: Iterable[str], last_intent: str | None) -> bool:
        """Take finished runs off the lock. False, and no change, if an intent was written since
        `last_intent` was read: then one of the runs may have a batch that the caller has not seen.
        """
        same, seen = _no_intent_since(last_intent)
        values = {":runs": set(runs), ":me": execution, **seen}
        return self._update("DELETE unfinished :runs", values, f"holder = :me AND {same}")

    def _replace(self, old: str | None, execution: str, run_id: str) -> bool:
        values: dict[str, Any] = {
            ":me": execution,
            ":now": datetime.now(UTC).isoformat(),
            ":run": {run_id},
        }
        condition = "attribute_not_exists(holder)"
        if old is not None:
            condition = "holder = :old"
            values[":old"] = old
        update = "SET holder = :me, held_since = :now ADD unfinished :run REMOVE stop"
        return self._update(update, values, condition)

    def _is_over(self, lock: Lock) -> bool:
        status = self.status_of(str(lock.holder))
        if status is None:
            since = lock.held_since or datetime.min.replace(tzinfo=UTC)
            return datetime.now(UTC) - since > _FORGOTTEN
        return status in OVER

    def _update(self, update: str, values: dict[str, Any], condition: str) -> bool:
        try:
            self.dynamodb.update_item(
                TableName=self.name,
                Key=_KEY,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=to_item(values),
            )
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                return False
            raise
        return True


# Elements of transactions on the run table that depend on the lock.


def check_held(table: str, execution: str) -> dict[str, Any]:
    """An element that checks that this execution holds the lock and may create batches."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": _KEY,
            "ConditionExpression": _MAY_CREATE,
            "ExpressionAttributeValues": to_item({":me": execution}),
        }
    }


def learn_of_intent(
    table: str, execution: str, run_id: str, token: str, last_intent: str | None
) -> dict[str, Any]:
    """An element that checks the same and that no intent was written since `last_intent` was read,
    and notes a new intent on the lock: its run is unfinished, its token is the last."""
    same, seen = _no_intent_since(last_intent)
    return {
        "Update": {
            "TableName": table,
            "Key": _KEY,
            "UpdateExpression": "SET last_intent = :token ADD unfinished :run",
            "ConditionExpression": f"{_MAY_CREATE} AND {same}",
            "ExpressionAttributeValues": to_item(
                {":me": execution, ":run": {run_id}, ":token": token, **seen}
            ),
        }
    }


def _no_intent_since(last_intent: str | None) -> tuple[str, dict[str, str]]:
    """The condition that the lock's last intent is still this one, and the values it needs."""
    if last_intent is None:
        return "attribute_not_exists(last_intent)", {}
    return "last_intent = :seen", {":seen": last_intent}
