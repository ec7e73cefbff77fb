"""The record of runs: one item a batch, each number written once, each step one conditional write.

    creating -> open -> closed -> deleted at the provider        creating -> void
       ^         |
       +---------+  an adopted batch that proves to be somebody else's

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
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import batched
from typing import TYPE_CHECKING, Any

from nightshift.aws import CONDITION_FAILED, TRY_AGAIN, ClientError, error_code, from_item, to_item
from nightshift.events import MONTH_PREFIX, TASK_PREFIX
from nightshift.pace import pause
from nightshift.runs import lock
from nightshift.runs.records import Batch, Canary, Empty, Night, Round, State, Version, number_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


KEEP_DAYS = 90
_ITEMS_PER_WRITE = 25
# Why transactions are canceled (docs.aws.amazon.com, TransactWriteItems, 2026-11). Ours are well
# formed: what is invalid is an item that would exceed 400 KB.
_LOST_RACE = "ConditionalCheckFailed"
_TOO_LARGE = frozenset({"ItemCollectionSizeLimitExceeded", "ValidationError"})
_TRIES = 9
# What decides: all but the bitmaps.
_READ = sorted(
    {f.name for kind in (Batch, Canary) for f in fields(kind)} - {"seen"}
    | {"walked", "begun_at", "tickets", "of_batches"}
)


class Stale(Exception):
    """A conditional write came too late: somebody else has moved the item on."""


class NoRoom(Exception):
    """A transaction would make an item larger than DynamoDB takes."""


@dataclass(frozen=True)
class Ledger:
    """The run table."""

    dynamodb: "DynamoDBClient"
    name: str

    def night(self, run_id: str) -> Night:
        """All records of a run but the bitmaps and long ids, consistently read."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            ConsistentRead=True,
            KeyConditionExpression="run_id = :run AND #record BETWEEN :first AND :last",
            ProjectionExpression=", ".join(f"#{name}" for name in _READ),
            ExpressionAttributeNames={f"#{name}": name for name in _READ},
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
        return Night(
            run_id,
            tuple(map(Batch.from_item, records["batch"])),
            tuple(map(Round.from_item, records["round"])),
            tuple(map(Empty.from_item, records["empty"])),
            tuple(map(Canary.from_item, records["canary"])),
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
            Stale: the table has forgotten it.
        """
        item = self._get({"run_id": run_id, "record": record})
        if item is None:
            raise Stale(f"{record} of run {run_id} is no longer in the table")
        return Batch.from_item(item)

    # The steps of a batch's life, in order.

    def intend(self, batch: Batch, last_intent: str | None) -> None:
        """Write an intent, in one transaction with the lock, which learns of it.

        `last_intent` is the token that the lock had when the records were read: of two calls
        that read the same records, one writes.

        Raises:
            Stale: the lock is not (or no longer) held by this execution, it was told to stop, or
                another call has written an intent since.
        """
        item = {
            **batch.key,
            "token": batch.token,
            "state": batch.state,
            "round": batch.round,
            "execution": batch.execution,
            "model": batch.model,
            "version": batch.version,
            "inputs": batch.inputs,
            "first": batch.first,
            "last": batch.last,
            "requests": batch.requests,
            "bound": batch.bound,
            "largest": batch.largest,
            "fixed_tokens": batch.fixed_tokens,
            "intent_at": batch.intent_at.isoformat(),
            "expires_at": _expiry(),
        }
        told = lock.learn_of_intent(
            self.name, batch.execution, batch.run_id, batch.token, last_intent
        )
        mark = self._mark_month(batch.run_id, batch.intent_at)
        self._transact([told, self.put_once(item), mark])

    def open(self, batch: Batch, batch_id: str, created_at: datetime, proved: bool) -> None:
        """The provider accepted it: `proved` if it told us so, else found in its list."""
        self._move(
            batch,
            "creating",
            {
                "state": "open",
                "batch_id": batch_id,
                "created_at": created_at.isoformat(),
                "proved": proved,
                "looks": 0,
            },
        )

    def void(self, batch: Batch, refusal: str) -> None:
        """Nothing was created, and nothing will be."""
        self._move(batch, "creating", {"state": "void", "refusal": refusal})

    def prove(self, batch: Batch) -> None:
        """Its first result carries our token."""
        self._move(batch, "open", {"proved": True})

    def disown(self, batch: Batch) -> None:
        """It was somebody else's: look for ours again, and never at that one."""
        self._move(
            batch,
            "open",
            {"state": "creating", "foreign": {*batch.foreign, str(batch.batch_id)}, "looks": 0},
            remove=("batch_id", "created_at", "aside_by"),
        )

    def look(self, batch: Batch) -> None:
        """One more turn in which the provider did not show it."""
        self._move(batch, batch.state, {"looks": batch.looks + 1}, remove=("turned_by",))

    def turn(self, batch: Batch, execution: str) -> None:
        """This execution has waited a turn for it."""
        self._move(batch, "creating", {"turned_by": execution})

    def checkpoint(self, batch: Batch) -> None:
        """How far the results are in the ticket table."""
        self._move(
            batch,
            "open",
            {
                "seen": batch.seen,
                "tally": batch.tally.as_item(),
                "readings": batch.readings,
                "rejection": batch.rejection,
                "cost": batch.cost,
            },
        )

    def close(
        self,
        batch: Batch,
        execution: str,
        problem: str | None = None,
        learned: Version | None = None,
        last_closed: str | None = None,
    ) -> None:
        """All is accounted for; final. A disputed batch is kept at the provider.

        What was `learned` of the task version from this batch is kept in the same transaction.

        Raises:
            Stale: the batch has moved on, or a batch of the version was closed since `last_closed`.
        """
        noticed = {"problem": problem, "noticed_by": execution, "told": False} if problem else {}
        closed = self._moved(
            batch,
            "open",
            {
                "state": "closed",
                "tally": batch.tally.as_item(),
                "cost": batch.cost,
                "disputed": batch.disputed,
                "unread": batch.unread,
                "ended_at": batch.ended_at.isoformat() if batch.ended_at else None,
                "closed_at": _now(),
                "closed_by": execution,
                **noticed,
            },
            remove=("seen",),
        )
        learn = [self._learn(learned, last_closed)] if learned else []
        self._transact([{"Update": closed}, *learn])

    def mark_deleted(self, batch: Batch) -> None:
        self._move(batch, "closed", {"deleted": True})

    def mark_cancel_asked(self, batch: Batch) -> None:
        self._move(batch, "open", {"cancel_asked": True})

    def set_aside(self, batch: Batch, execution: str, problem: str, unknown: bool) -> None:
        """This execution goes on without it; only the first to meet the problem fails for it."""
        noticed = {} if batch.noticed_by else {"problem": problem, "noticed_by": execution}
        values = {"aside_by": execution, "unknown": unknown, "looks": 0, **noticed}
        self._move(batch, "closed" if batch.state == "closed" else "open", values)

    def mark_told(self, batch: Batch) -> None:
        """Somebody was told of its problem: no later execution fails for it."""
        self._move(batch, batch.state, {"told": True})

    def take_over(self, batch: Batch, execution: str) -> None:
        """This execution tells of the problem that an earlier one has met and told nobody of."""
        self._move(batch, batch.state, {"noticed_by": execution})

    def take_back(self, batch: Batch) -> None:
        """The provider knows it after all: wait for it as for any other."""
        self._move(batch, "open", {"looks": 0, "unknown": False}, remove=("aside_by",))

    # Task versions, and the model.

    def version(self, name: str) -> Version:
        """What is known of a task version, consistently read."""
        item = self._get({"run_id": f"{TASK_PREFIX}{name}", "record": "version"})
        return Version(name) if item is None else Version.from_item(name, item)

    def _learn(self, version: Version, last_closed: str | None) -> dict[str, Any]:
        """The element of a transaction that keeps what is known of a version now, if nothing was
        learned of it since the batch `last_closed`."""
        passed_at = version.passed_at
        values = {
            "execution": version.execution,
            "answers": version.answers,
            "unusable": dict(version.unusable),
            "failed": version.failed,
            "last_closed": version.last_closed,
            "passed_at": passed_at.isoformat(timespec="seconds") if passed_at else None,
            "fixed_tokens": version.fixed_tokens,
            "expires_at": _expiry(),
        }
        key = {"run_id": f"{TASK_PREFIX}{version.name}", "record": "version"}
        condition, seen = "attribute_not_exists(#last_closed)", {}
        if last_closed is not None:
            condition, seen = "#last_closed = :since", {":since": last_closed}
        unset = [name for name, value in values.items() if value is None]
        return {"Update": self._update(key, values, unset, condition, seen)}

    def note_model(self, run_id: str, execution: str, notice: str) -> None:
        """This execution has looked at the model's lifecycle."""
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
        """The element of a transaction that lets a month know of a run: no sum, only a name."""
        item = {
            "run_id": f"{MONTH_PREFIX}{month_of(intent_at)}",
            "record": run_id,
            "intent_at": intent_at.isoformat(),
            "expires_at": _expiry(),
        }
        return {"Put": {"TableName": self.name, "Item": to_item(item)}}

    # Rounds, tickets without text, long ids, the report.

    def begin_round(self, run_id: str, round_: Round) -> None:
        record = {"run_id": run_id, "record": f"round#{round_.number:03}"}
        began = round_.begun_at.isoformat() if round_.begun_at else None
        values = {"execution": round_.execution, "walked": False, "begun_at": began}
        item = {**record, **values, "expires_at": _expiry()}
        self.transact([self.put_once(item)], round_.execution)

    def end_walk(self, run_id: str, number: int) -> None:
        """The round has reached the end of the index.

        Raises:
            Stale: the table has forgotten the round.
        """
        try:
            self.dynamodb.update_item(
                TableName=self.name,
                Key=to_item({"run_id": run_id, "record": f"round#{number:03}"}),
                UpdateExpression="SET walked = :yes",
                ConditionExpression="attribute_exists(run_id)",
                ExpressionAttributeValues=to_item({":yes": True}),
            )
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                raise Stale(f"round {number} of run {run_id} is no longer in the table") from error
            raise

    def empty_group(self, run_id: str, record: str, execution: str, tickets: int) -> dict[str, Any]:
        """The element of a transaction that counts tickets without text."""
        key = {"run_id": run_id, "record": record, "execution": execution}
        return self.put_once({**key, "tickets": tickets, "expires_at": _expiry()})

    def remember_ids(self, run_id: str, ids: Mapping[str, str]) -> None:
        """Keep ticket ids that are too long for a custom_id, by their hash."""
        for group in batched(ids.items(), _ITEMS_PER_WRITE, strict=False):
            puts: Any = [
                {"PutRequest": {"Item": to_item(_long_id(run_id, name, ticket_id))}}
                for name, ticket_id in group
            ]
            left = {self.name: puts}
            tries = 0
            while left := self.dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]:
                tries += 1
                pause(tries)

    def recall_ids(self, run_id: str, names: Iterable[str]) -> dict[str, str]:
        """The ids behind hashes."""
        found = {}
        for name in names:
            key = to_item({"run_id": run_id, "record": f"ticket#{name}"})
            item = self.dynamodb.get_item(TableName=self.name, Key=key, ConsistentRead=True)
            if "Item" in item:
                found[name] = item["Item"]["ticket_id"]["S"]
        return found

    def save_report(self, run_id: str, report: Mapping[str, Any]) -> None:
        """Keep what was reported, on the run's own item."""
        money = {k: Decimal(str(v)) if isinstance(v, float) else v for k, v in report.items()}
        when = {"reported_at": _now(), "expires_at": _expiry()}
        item = {**money, "run_id": run_id, "record": "run", **when}
        self.dynamodb.put_item(TableName=self.name, Item=to_item(item))

    def report(self, run_id: str) -> dict[str, Any] | None:
        """What was reported of a run last."""
        return self._get({"run_id": run_id, "record": "run"})

    def reports_before(self, run_id: str, most: int) -> list[dict[str, Any]]:
        """The reports of other runs that paid last, in this month and the one before."""
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

        What passes is paused for and tried again, nine times at most, for about 16 s.

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
        """One conditional write: only the state it was in, and only the same batch, moves on."""
        try:
            self.dynamodb.update_item(**self._moved(batch, was, values, remove))
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                raise Stale(f"{batch.record} is no longer {was}") from error
            raise

    def _moved(
        self, batch: Batch, was: State, values: Mapping[str, Any], remove: Sequence[str] = ()
    ) -> Any:
        """The parameters of this write. Values that are None stay as they are."""
        same = "#batch_id = :same_batch" if batch.batch_id else "attribute_not_exists(#batch_id)"
        condition = f"#state = :was AND #token = :same_token AND {same}"
        found = {":was": was, ":same_token": batch.token, ":same_batch": batch.batch_id}
        return self._update(batch.key, values, remove, condition, found)

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


def _cancellation_reasons(error: ClientError) -> set[str]:
    """Why DynamoDB canceled a transaction: one word for each element, "None" for the innocent."""
    reasons: Iterable[Mapping[str, Any]] = error.response.get("CancellationReasons", ())
    return {reason.get("Code", "") for reason in reasons}


def _long_id(run_id: str, name: str, ticket_id: str) -> dict[str, Any]:
    key = {"run_id": run_id, "record": f"ticket#{name}"}
    return {**key, "ticket_id": ticket_id, "expires_at": _expiry()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def month_of(moment: datetime) -> str:
    """The calendar month in UTC, `2026-11`."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def _expiry() -> int:
    """When the table may forget an item (TTL, epoch seconds)."""
    return int(datetime.now(UTC).timestamp() + KEEP_DAYS * 86_400)
