"""One lock for the stack: who may create batches, which runs are unfinished, whether to stop.

It names the holder's execution, and only the end of that execution frees it.
"""

from collections.abc import Callable
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


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock as it is now; `stop` means that nothing is created until the next start."""

    holder: str | None = None
    held_since: datetime | None = None
    unfinished: frozenset[str] = frozenset()
    stop: bool = False


@dataclass(frozen=True)
class LockItem:
    """The lock's item in the run table."""

    dynamodb: "DynamoDBClient"
    name: str
    status_of: Callable[[str], str | None]
    """The status of an execution by its ARN; None for one that does not exist."""

    def take(self, execution: str, run_id: str) -> Lock | None:
        """Hold the lock for this execution, now or still; None while another one runs.

        A function outlives its execution when that is stopped: such a one begins nothing.
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
        )

    def ask_to_stop(self) -> None:
        """Nothing is created from now on; the holder's next call finds out."""
        self._update("SET stop = :yes", {":yes": True}, "attribute_exists(run_id)")

    def finish(self, execution: str, run_id: str) -> None:
        """A run has nothing open any more."""
        values = {":run": {run_id}, ":me": execution}
        self._update("DELETE unfinished :run", values, "holder = :me")

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
