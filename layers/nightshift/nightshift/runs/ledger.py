"""The run table's records: each step of a batch is one conditional write, each number is written
once.

    creating -> open -> closed -> deleted at the provider        creating -> not created
       ^         |
       +---------+  a batch from the provider's list that turned out to be somebody else's

A run's partition holds `batch#0001` ..., `empty#0001` ... (tickets without text, given up
together), `failure#...` (written by the workflow, which marks it `told` once somebody was told),
`model#...` (what an execution found of the model's lifecycle), `round#001` ..., `run` (the
report), and `ticket#...` (ids too long for a custom_id); of release 0.1.0 also `canary#0001` ...
(requests in real time that tried a new task). Their numbers grow without limit and are sorted as
numbers: as text, `batch#10000` comes before `batch#9999`.

Beside the runs, `month#2026-11` holds one item for each run that paid in that month, and
`task#...` what is known of a task version.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import batched
from typing import TYPE_CHECKING, Any

from nightshift.aws import CONDITION_FAILED, TRY_AGAIN, ClientError, error_code, from_item, to_item
from nightshift.errors import NightshiftError
from nightshift.events import MONTH_PREFIX, TASK_PREFIX
from nightshift.pace import pause
from nightshift.runs import lock, stored
from nightshift.runs.records import (
    Batch,
    Round,
    Run,
    State,
    Trouble,
    UnaskedGroup,
    Version,
    number_of,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


KEEP_DAYS = 90
_ITEMS_PER_WRITE = 25
# Why transactions are canceled (docs.aws.amazon.com, TransactWriteItems, 2026-11). Our transactions
# are well formed: a ValidationError means that an item would exceed 400 KB.
_LOST_RACE = "ConditionalCheckFailed"
_TOO_LARGE = frozenset({"ItemCollectionSizeLimitExceeded", "ValidationError"})
_TRIES = 9


class Stale(Exception):
    """A conditional write came too late: another call has changed the item."""


class NoRoom(Exception):
    """A transaction would make an item larger than DynamoDB takes."""


@dataclass(frozen=True)
class Ledger:
    """The run table."""

    dynamodb: "DynamoDBClient"
    name: str

    def run(self, run_id: str) -> Run:
        """All records of a run except bitmaps and long ids, consistently read."""
        wanted = stored.names_of_a_run()
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            ConsistentRead=True,
            KeyConditionExpression="run_id = :run AND #record BETWEEN :first AND :last",
            ProjectionExpression=", ".join(f"#{name}" for name in wanted),
            ExpressionAttributeNames={f"#{name}": name for name in wanted},
            ExpressionAttributeValues=to_item(
                {":run": run_id, ":first": "batch#", ":last": "round~"}
            ),
        )
        records: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for page in pages:
            for item in map(from_item, page["Items"]):
                records[item["record"].partition("#")[0]].append(item)
        for numbered in ("batch", "round", "empty", "canary"):
            records[numbered].sort(key=lambda item: number_of(item["record"]))
        return Run(
            run_id,
            tuple(map(stored.batch, records["batch"])),
            tuple(map(stored.round_, records["round"])),
            tuple(map(stored.unasked_group, records["empty"])),
            tuple(map(stored.canary, records["canary"])),
            {item["execution"]: item["notice"] for item in records["model"]},
            frozenset(
                item["execution"]
                for item in records["failure"]
                if item.get("told") and item.get("of_batches")
            ),
        )

    def batch(self, run_id: str, record: str) -> Batch:
        """One batch with its bitmap, consistently read.

        Raises:
            Stale: the batch is no longer in the table (TTL).
        """
        item = self._get({"run_id": run_id, "record": record})
        if item is None:
            raise Stale(f"{record} of run {run_id} is no longer in the table")
        return stored.batch(item)

    # The steps of a batch's life, in order.

    def record_intent(self, batch: Batch, last_intent: str | None) -> None:
        """Write a batch before it is sent, in one transaction with the lock.

        `last_intent` is the token that the lock had when the records were read. Of two calls that
        have read the same records, only one can write.

        Raises:
            Stale: the lock is not (or no longer) held by this execution, it was told to stop, or
                another call has written an intent since.
        """
        item = {**stored.intent(batch), "expires_at": _expiry()}
        told = lock.learn_of_intent(
            self.name, batch.execution, batch.run_id, batch.token, last_intent
        )
        mark = self._mark_month(batch.run_id, batch.intent_at)
        self._transact([told, self.put_once(item), mark])

    def open(self, batch: Batch, batch_id: str, created_at: datetime, confirmed: bool) -> None:
        """The provider has the batch: `confirmed` if the provider said so, False if the batch was
        found in the provider's list."""
        self._move(
            batch,
            "creating",
            {
                "state": "open",
                "batch_id": batch_id,
                "created_at": created_at,
                "confirmed": confirmed,
                "missed_polls": 0,
            },
        )

    def mark_not_created(self, batch: Batch, why: str) -> None:
        """The provider has created no batch of this intent, and never will."""
        self._move(batch, "creating", {"state": "not_created", "why_not_created": why})

    def confirm(self, batch: Batch) -> None:
        """The first result of the batch carries our token."""
        self._move(batch, "open", {"confirmed": True})

    def release(self, batch: Batch) -> None:
        """The batch that we took for ours is somebody else's: look for ours again, and never take
        that one again."""
        not_ours = {*batch.not_ours, str(batch.batch_id)}
        self._move(
            batch,
            "open",
            {"state": "creating", "not_ours": not_ours, "missed_polls": 0},
            remove=("batch_id", "created_at", "aside_by"),
        )

    def count_missed_poll(self, batch: Batch) -> None:
        """One more poll in which the provider did not show the batch."""
        missed = {"missed_polls": batch.missed_polls + 1}
        self._move(batch, batch.state, missed, remove=("polled_by",))

    def mark_polled(self, batch: Batch, execution: str) -> None:
        """This execution has waited for one poll since the last that missed the batch."""
        self._move(batch, "creating", {"polled_by": execution})

    def checkpoint(self, batch: Batch) -> None:
        """How far the results are in the ticket table."""
        self._move(
            batch,
            "open",
            {
                "seen": batch.seen,
                "tally": batch.tally,
                "readings": batch.readings,
                "rejection": batch.rejection,
                "cost": batch.cost,
            },
        )

    def close(
        self,
        batch: Batch,
        execution: str,
        problems: Sequence[NightshiftError] = (),
        learned: Version | None = None,
        last_closed: str | None = None,
    ) -> None:
        """All requests are accounted for; final. A disputed batch is kept at the provider.

        `problems` are what this execution must fail for. What was `learned` of the task version
        from this batch is kept in the same transaction.

        Raises:
            Stale: the batch has moved on, or a batch of the version was closed since `last_closed`.
        """
        closed = self._moved(
            batch,
            "open",
            {
                "state": "closed",
                "tally": batch.tally,
                "cost": batch.cost,
                "disputed": batch.disputed,
                "unread": batch.unread,
                "ended_at": batch.ended_at,
                "closed_at": _now(),
                "closed_by": execution,
                **_noticed(problems, execution),
            },
            remove=("seen", *([stored.OLD_PROBLEM] if problems else [])),
        )
        learn = [self._learn(learned, last_closed)] if learned else []
        self._transact([{"Update": closed}, *learn])

    def mark_deleted(self, batch: Batch) -> None:
        self._move(batch, "closed", {"deleted": True})

    def mark_cancel_asked(self, batch: Batch) -> None:
        self._move(batch, "open", {"cancel_asked": True})

    def set_aside(
        self,
        batch: Batch,
        execution: str,
        *,
        unknown: bool,
        problem: NightshiftError | None = None,
    ) -> None:
        """This execution goes on without the batch; only the first to meet a problem fails for it.

        The workflow's state *Set the batch aside* writes the same of a batch whose collect failed.
        """
        new = [problem] if problem and not batch.trouble else []
        noticed = _noticed(new, execution)
        values = {"aside_by": execution, "unknown": unknown, "missed_polls": 0, **noticed}
        self._move(batch, "closed" if batch.state == "closed" else "open", values)

    def take_back(self, batch: Batch) -> None:
        """The provider knows the batch after all: wait for it as for any other."""
        self._move(batch, "open", {"missed_polls": 0, "unknown": False}, remove=("aside_by",))

    def mark_told(self, batch: Batch) -> None:
        """Somebody was told of the trouble of the batch: no later execution fails for it."""
        self._move(batch, batch.state, {"told": True})

    def take_over(self, batch: Batch, execution: str) -> None:
        """This execution tells of the trouble that an earlier one has met and told nobody of."""
        self._move(batch, batch.state, {"noticed_by": execution})

    # Task versions, and the model.

    def version(self, name: str) -> Version:
        """What is known of a task version, consistently read."""
        item = self._get({"run_id": f"{TASK_PREFIX}{name}", "record": "version"})
        return Version(name) if item is None else stored.version(name, item)

    def _learn(self, version: Version, last_closed: str | None) -> dict[str, Any]:
        """The element of a transaction that writes what is known of a version, if no other batch of
        the version was closed since `last_closed`."""
        passed_at = version.passed_at
        known = {
            "execution": version.execution,
            "answers": version.answers,
            "unusable": version.unusable,
            "failed": version.failed,
            "last_closed": version.last_closed,
            "passed_at": passed_at.replace(microsecond=0) if passed_at else None,
            "fixed_tokens": version.fixed_tokens,
        }
        values = {**stored.values(known), "expires_at": _expiry()}
        key = {"run_id": f"{TASK_PREFIX}{version.name}", "record": "version"}
        condition, seen = "attribute_not_exists(#last_closed)", {}
        if last_closed is not None:
            condition, seen = "#last_closed = :since", {":since": last_closed}
        unset = [name for name, value in values.items() if value is None]
        return {"Update": self._update(key, values, unset, condition, seen)}

    def note_model(self, run_id: str, execution: str, notice: str) -> None:
        """Note that this execution has asked about the model's lifecycle, and what it found."""
        name = execution.rpartition(":")[2]
        key = {"run_id": run_id, "record": f"model#{name}", "execution": execution}
        item = {**key, "notice": notice, "expires_at": _expiry()}
        self.dynamodb.put_item(TableName=self.name, Item=to_item(item))

    # Months.

    def runs_of(self, month: str) -> dict[str, str]:
        """The runs that paid in a month (`2026-11`, UTC), each with the time of its last intent."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            ConsistentRead=True,
            KeyConditionExpression="run_id = :month",
            ExpressionAttributeValues=to_item({":month": f"{MONTH_PREFIX}{month}"}),
        )
        items = [from_item(item) for page in pages for item in page["Items"]]
        return {item["record"]: item["intent_at"] for item in items}

    def _mark_month(self, run_id: str, intent_at: datetime) -> dict[str, Any]:
        """The element of a transaction that registers a run under its month, and no amount."""
        item = {
            "run_id": f"{MONTH_PREFIX}{month_of(intent_at)}",
            "record": run_id,
            "intent_at": intent_at.isoformat(),
            "expires_at": _expiry(),
        }
        return {"Put": {"TableName": self.name, "Item": to_item(item)}}

    # Rounds, tickets that were not asked, long ids, the report.

    def begin_round(self, run_id: str, round_: Round) -> None:
        record = {"run_id": run_id, "record": f"round#{round_.number:03}"}
        begun = {"execution": round_.execution, "scanned": False, "begun_at": round_.begun_at}
        item = {**record, **stored.values(begun), "expires_at": _expiry()}
        self.transact([self.put_once(item)], round_.execution)

    def end_scan(self, run_id: str, number: int) -> None:
        """Note that the round has reached the end of the index.

        Raises:
            Stale: the round is no longer in the table (TTL).
        """
        try:
            self.dynamodb.update_item(
                TableName=self.name,
                Key=to_item({"run_id": run_id, "record": f"round#{number:03}"}),
                UpdateExpression=f"SET {stored.name('scanned')} = :yes",
                ConditionExpression="attribute_exists(run_id)",
                ExpressionAttributeValues=to_item({":yes": True}),
            )
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                raise Stale(f"round {number} of run {run_id} is no longer in the table") from error
            raise

    def unasked_group(self, run_id: str, record: str, group: UnaskedGroup) -> dict[str, Any]:
        """The element of a transaction that counts tickets which need no request."""
        key = {"run_id": run_id, "record": record}
        return self.put_once({**key, **stored.unasked(group), "expires_at": _expiry()})

    def remember_ids(self, run_id: str, ids: Mapping[str, str]) -> None:
        """Keep ticket ids that are too long for a custom_id, by their hash."""
        for group in batched(ids.items(), _ITEMS_PER_WRITE, strict=False):
            puts: Any = [
                {"PutRequest": {"Item": to_item(_long_id(run_id, name, ticket_id))}}
                for name, ticket_id in group
            ]
            unwritten = {self.name: puts}
            tries = 0
            while unwritten := self._write_many(unwritten):
                tries += 1
                pause(tries)

    def _write_many(self, puts: Any) -> Any:
        """Write items; returns those that DynamoDB has not written."""
        return self.dynamodb.batch_write_item(RequestItems=puts)["UnprocessedItems"]

    def recall_ids(self, run_id: str, names: Iterable[str]) -> dict[str, str]:
        """The ticket ids that were remembered under these hashes."""
        found = {}
        for name in names:
            key = to_item({"run_id": run_id, "record": f"ticket#{name}"})
            item = self.dynamodb.get_item(TableName=self.name, Key=key, ConsistentRead=True)
            if "Item" in item:
                found[name] = item["Item"]["ticket_id"]["S"]
        return found

    def save_report(self, run_id: str, report: Mapping[str, Any]) -> None:
        """Keep a report on the run's own item, instead of the one before."""
        money = {k: Decimal(str(v)) if isinstance(v, float) else v for k, v in report.items()}
        when = {"reported_at": _now().isoformat(), "expires_at": _expiry()}
        item = {**money, "run_id": run_id, "record": "run", **when}
        self.dynamodb.put_item(TableName=self.name, Item=to_item(item))

    def report(self, run_id: str) -> dict[str, Any] | None:
        """The report of a run that was kept last."""
        return self._get({"run_id": run_id, "record": "run"})

    def reports_before(self, run_id: str, most: int) -> list[dict[str, Any]]:
        """The last reports of other runs that paid: at most so many, from this month and the one
        before."""
        now = datetime.now(UTC)
        last_month = month_of(now.replace(day=1) - timedelta(days=1))
        runs = self.runs_of(last_month) | self.runs_of(month_of(now))
        latest = sorted(runs.keys() - {run_id}, key=runs.__getitem__, reverse=True)
        return [found for name in latest[:most] if (found := self.report(name))]

    def put_once(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The element of a transaction that puts an item which must not be there yet."""
        return {
            "Put": {
                "TableName": self.name,
                "Item": to_item(item),
                "ConditionExpression": "attribute_not_exists(run_id)",
            }
        }

    def transact(self, elements: list[Any], holder: str) -> None:
        """Write all or nothing, and only while this execution holds the lock and may create.

        Conflicts and throttling are paused for and tried again, at most nine times (some 16 s).

        Raises:
            Stale: a condition failed: the lock's, or one of the elements'.
            NoRoom: an element's item would be larger than DynamoDB takes.
        """
        self._transact([lock.check_held(self.name, holder), *elements])

    def _transact(self, elements: list[Any]) -> None:
        for in_vain in range(1, _TRIES + 1):
            try:
                self.dynamodb.transact_write_items(TransactItems=elements)
            except ClientError as error:
                reasons = _cancellation_reasons(error)
                if _LOST_RACE in reasons:
                    raise Stale from error
                if reasons & _TOO_LARGE:
                    raise NoRoom from error
                if not reasons & TRY_AGAIN or in_vain == _TRIES:
                    raise
                pause(in_vain)
            else:
                return

    def _get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        answer = self.dynamodb.get_item(TableName=self.name, Key=to_item(key), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def _move(
        self, batch: Batch, was: State, values: Mapping[str, Any], remove: Sequence[str] = ()
    ) -> None:
        """One conditional write: the item must still be in this state, and be the same batch."""
        try:
            self.dynamodb.update_item(**self._moved(batch, was, values, remove))
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                raise Stale(f"{batch.record} is no longer {was}") from error
            raise

    def _moved(
        self, batch: Batch, was: State, values: Mapping[str, Any], remove: Sequence[str] = ()
    ) -> Any:
        """The parameters of this write, which change fields of the record. Values that are None
        stay as they are."""
        same = "#batch_id = :same_batch" if batch.batch_id else "attribute_not_exists(#batch_id)"
        condition = f"#state = :was AND #token = :same_token AND {same}"
        found = {
            ":was": stored.state(was),
            ":same_token": batch.token,
            ":same_batch": batch.batch_id,
        }
        removed = [stored.name(field) for field in remove]
        return self._update(batch.key, stored.values(values), removed, condition, found)

    def _update(
        self,
        key: Mapping[str, str],
        values: Mapping[str, Any],
        remove: Sequence[str],
        condition: str,
        found: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The parameters of a conditional update; the condition spells names with a #."""
        values = {name: value for name, value in values.items() if value is not None}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        if remove:
            update += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        used = {*values, *remove, *re.findall(r"#(\w+)", condition)}
        return {
            "TableName": self.name,
            "Key": to_item(key),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in sorted(used)},
            "ExpressionAttributeValues": to_item(
                {**{f":{name}": value for name, value in values.items()}, **found}
            ),
        }


def _noticed(problems: Sequence[NightshiftError], execution: str) -> dict[str, Any]:
    """What a batch keeps of problems that this execution is the first to meet."""
    return stored.trouble(Trouble.of(problems, execution)) if problems else {}


def _cancellation_reasons(error: ClientError) -> set[str]:
    """Why DynamoDB canceled a transaction: one word for each element, "None" where none failed."""
    reasons: Iterable[Mapping[str, Any]] = error.response.get("CancellationReasons", ())
    return {reason.get("Code", "") for reason in reasons}


def _long_id(run_id: str, name: str, ticket_id: str) -> dict[str, Any]:
    key = {"run_id": run_id, "record": f"ticket#{name}"}
    return {**key, "ticket_id": ticket_id, "expires_at": _expiry()}


def _now() -> datetime:
    """The time in UTC, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def month_of(moment: datetime) -> str:
    """The calendar month in UTC, `2026-11`."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def _expiry() -> int:
    """When the table may forget an item (TTL, epoch seconds)."""
    return int(datetime.now(UTC).timestamp() + KEEP_DAYS * 86_400)
