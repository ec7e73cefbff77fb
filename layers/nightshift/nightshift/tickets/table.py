"""The ticket table: the few calls by which tickets are found, read and changed."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import batched
from typing import TYPE_CHECKING, Any

from nightshift.aws import TRY_AGAIN, ClientError, error_code
from nightshift.errors import TableRefused
from nightshift.pace import Pace, pause
from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute
from nightshift.tickets.table_check import key_of
from nightshift.tickets.ticket import (
    EXPECTED,
    FAILED,
    GUARDED,
    PENDING,
    REVIEW,
    STATUS_INDEX,
    Change,
    Ticket,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# DynamoDB's limits for one call (docs.aws.amazon.com, 2026-11): keys read, PartiQL statements.
KEYS_PER_READ = 100
STATEMENTS_PER_WRITE = 25
# Bytes of JSON: a quarter of what DynamoDB takes in one call (16 MB, docs.aws.amazon.com, 2026-11).
_BYTES_PER_WRITE = 4_000_000
# Bytes around a statement and its parameters.
_FRAME = 64
_READS_AHEAD = 3
_CHANGED = "ConditionalCheckFailed"
# These writes are always well formed, so that a validation error means an item over 400 KB. The
# first name is that of a whole call, the second that of one PartiQL statement.
_INVALID = frozenset({"ValidationError", "Validation"})
# Types that `=` of PartiQL is documented to compare. For NULL, binary, sets, lists and maps only
# the `=` of a condition expression is documented (docs.aws.amazon.com, PartiQL operators, and
# ExpectedAttributeValue: EQ is supported for all data types, 2026-11).
_COMPARED_BY_PARTIQL = frozenset({"S", "N", "BOOL"})


type _Statement = tuple[Change, dict[str, Any]]
"""A change, and how PartiQL says it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Changes that were not made: the ticket has changed since it was read, has no room for the new
    attributes, or the table was throttled."""

    changed: list[Change] = field(default_factory=list)
    too_large: list[Change] = field(default_factory=list)
    throttled: list[Change] = field(default_factory=list)

    def take(self, change: Change, code: str) -> bool:
        """Sort a change by DynamoDB's error code; False for a code that is none of these."""
        if code == _CHANGED:
            self.changed.append(change)
        elif code in _INVALID:
            self.too_large.append(change)
        elif code in TRY_AGAIN:
            self.throttled.append(change)
        else:
            return False
        return True


_READ = (*GUARDED, "classification_attempts", "classification_error")


@dataclass(frozen=True)
class TicketTable:
    """The helpdesk's table, read consistently and written only under a condition."""

    dynamodb: "DynamoDBClient"
    name: str
    pace: Pace = field(default_factory=Pace)

    @property
    def key(self) -> str:
        """The name of the table's partition key.

        Raises:
            SettingsInvalid: the table cannot be used; the message says what to do.
        """
        return key_of(self.dynamodb, self.name)

    def pending_ids(self, after: str) -> Iterator[str]:
        """Ids of pending tickets in key order, after a given id. The index may lag behind."""
        return self._ids(PENDING, after)

    def failed_ids(self) -> Iterator[str]:
        """Ids of tickets that were given up, in key order. The index may lag behind."""
        return self._ids(FAILED)

    def review_ids(self) -> Iterator[str]:
        """Ids of tickets that wait for a person, in key order. The index may lag behind."""
        return self._ids(REVIEW)

    def _ids(self, status: str, after: str = "") -> Iterator[str]:
        condition = "classification_status = :status"
        values: dict[str, Attribute] = {":status": {"S": status}}
        if after:
            condition += " AND #key > :after"
            values[":after"] = {"S": after}
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=STATUS_INDEX,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ProjectionExpression="#key",
            ExpressionAttributeNames={"#key": self.key},
            PaginationConfig={"PageSize": 1000},
        )
        for page in pages:
            for item in page["Items"]:
                yield item[self.key]["S"]

    def walk(
        self, ids: Iterable[str], inputs: Sequence[str], marks: Sequence[str] = ()
    ) -> Iterator[tuple[str, Ticket | None]]:
        """Read tickets in the order of the ids given, a few calls ahead of the caller. None stands
        for a ticket that is gone."""
        groups = iter(batched(ids, KEYS_PER_READ, strict=False))
        reads: deque[tuple[tuple[str, ...], Future[dict[str, Ticket]]]] = deque()
        with ThreadPoolExecutor(_READS_AHEAD) as pool:
            while True:
                while len(reads) < _READS_AHEAD and (group := next(groups, None)):
                    reads.append((group, pool.submit(self.read, group, inputs, marks)))
                if not reads:
                    return
                group, read = reads.popleft()
                found = read.result()
                yield from ((ticket_id, found.get(ticket_id)) for ticket_id in group)

    def read(
        self,
        ids: Sequence[str],
        inputs: Sequence[str],
        marks: Sequence[str] = (),
        outputs: Sequence[str] = (),
    ) -> dict[str, Ticket]:
        """Read at most 100 tickets as they are now, with the attributes named as their inputs and
        as their marks, and with what is known beforehand of these outputs.

        A ticket that is gone is missing from the result.
        """
        key = self.key
        expected = [f"{EXPECTED}{name}" for name in outputs]
        every = dict.fromkeys((key, *_READ, *inputs, *marks, *expected))
        names = {f"#{n}": name for n, name in enumerate(every)}  # it may be a reserved word
        wanted: Any = {
            self.name: {
                "Keys": [{key: {"S": ticket_id}} for ticket_id in dict.fromkeys(ids)],
                "ConsistentRead": True,
                "ProjectionExpression": ", ".join(names),
                "ExpressionAttributeNames": names,
            }
        }
        found: dict[str, Ticket] = {}
        in_vain = 0
        while wanted:
            answer = self.dynamodb.batch_get_item(RequestItems=wanted)
            for item in answer["Responses"].get(self.name, []):
                ticket = _ticket(item, key, inputs, marks, outputs)
                found[ticket.ticket_id] = ticket
            left = answer.get("UnprocessedKeys", {})
            if left and len(left[self.name]["Keys"]) == len(wanted[self.name]["Keys"]):
                in_vain += 1  # throttled, not merely over 16 MB
                pause(in_vain)
            else:
                in_vain = 0
            wanted = left
        return found

    def write(self, changes: Sequence[Change]) -> Refused:
        """Apply changes, each only if its ticket is unchanged; returns those that were not made.

        Throttled changes may be tried again at once: the pace then waits long enough.

        Raises:
            TableRefused: DynamoDB refuses a write for a reason that waiting does not cure.
        """
        refused = Refused()
        together: list[Change] = []
        for change in changes:
            if _is_compared_by_partiql(change):
                together.append(change)
            else:
                self._write_alone(change, refused)
        for group in _groups((change, self._statement(change)) for change in together):
            self._write_together(group, refused)
        return refused

    def write_one(self, change: Change) -> Refused:
        """The same with a single change, which one conditional UpdateItem makes."""
        refused = Refused()
        self._write_alone(change, refused)
        return refused

    def _write_together(self, group: Sequence[_Statement], refused: Refused) -> None:
        halvings = self.pace.take(len(group))
        answer = self.dynamodb.batch_execute_statement(
            Statements=[statement for _, statement in group]  # type: ignore[misc]
        )
        before = len(refused.throttled)
        for (change, _), response in zip(group, answer["Responses"], strict=True):
            code = response.get("Error", {}).get("Code")
            if code is not None and not refused.take(change, code):
                raise TableRefused(f"DynamoDB refused a write to {self.name}: {code}.")
        if len(refused.throttled) > before:
            self.pace.slow_down(halvings)

    def _write_alone(self, change: Change, refused: Refused) -> None:
        halvings = self.pace.take(1)
        before = len(refused.throttled)
        try:
            self.dynamodb.update_item(**self.as_update(change))
        except ClientError as error:
            if not refused.take(change, error_code(error).removesuffix("Exception")):
                raise
        if len(refused.throttled) > before:
            self.pace.slow_down(halvings)

    def any_pending(self, first: str, last: str) -> bool:
        """Whether a ticket of this range of keys is pending, as far as the index knows."""
        found = self.dynamodb.query(
            TableName=self.name,
            IndexName=STATUS_INDEX,
            KeyConditionExpression="classification_status = :pending "
            "AND #key BETWEEN :first AND :last",
            ExpressionAttributeNames={"#key": self.key},
            ExpressionAttributeValues={
                ":pending": {"S": PENDING},
                ":first": {"S": first},
                ":last": {"S": last},
            },
            Select="COUNT",
            Limit=1,
        )
        return found["Count"] > 0

    def count_pending(self) -> int:
        """How many tickets are pending now, as far as the index knows."""
        return self._count(PENDING)

    def count_failed(self) -> int:
        """How many tickets are given up now, of all nights, as far as the index knows."""
        return self._count(FAILED)

    def count_waiting(self) -> int:
        """How many tickets wait for a person's decision now, of all nights, as far as the index
        knows."""
        return self._count(REVIEW)

    def _count(self, status: str) -> int:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=STATUS_INDEX,
            KeyConditionExpression="classification_status = :status",
            ExpressionAttributeValues={":status": {"S": status}},
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    def as_update(self, change: Change) -> dict[str, Any]:
        """The parameters of UpdateItem, or of a transaction's `Update`, for a change. The condition
        keeps a deleted ticket deleted."""
        ticket = change.ticket
        names = dict.fromkeys((*change.values, *change.remove, *ticket.as_read, self.key))
        short = {name: f"#{n}" for n, name in enumerate(names)}
        values = {f":{n}": value for n, value in enumerate(change.values.values())}
        sets = ", ".join(
            f"{short[name]} = {value}" for name, value in zip(change.values, values, strict=True)
        )
        conditions = [f"attribute_exists({short[self.key]})"]
        for name, was in ticket.as_read.items():
            if was is None:
                conditions.append(f"attribute_not_exists({short[name]})")
                continue
            conditions.append(f"{short[name]} = :was{len(values)}")
            values[f":was{len(values)}"] = was
        removes = ", ".join(short[name] for name in change.remove)
        return {
            "TableName": self.name,
            "Key": {self.key: {"S": ticket.ticket_id}},
            "UpdateExpression": " ".join(
                f"{verb} {what}" for verb, what in (("SET", sets), ("REMOVE", removes)) if what
            ),
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": {alias: name for name, alias in short.items()},
            "ExpressionAttributeValues": values,
        }

    def _statement(self, change: Change) -> dict[str, Any]:
        as_read = change.ticket.as_read
        there = [was for was in as_read.values() if was is not None]
        missing = frozenset(name for name, was in as_read.items() if was is None)
        where = (self.key, *as_read)
        text = _update(self.name, tuple(change.values), change.remove, where, missing)
        parameters = [*change.values.values(), {"S": change.ticket.ticket_id}, *there]
        return {"Statement": text, "Parameters": parameters}


@lru_cache(maxsize=1024)
def _update(
    table: str,
    sets: tuple[str, ...],
    removes: tuple[str, ...],
    where: tuple[str, ...],
    missing: frozenset[str],
) -> str:
    """The text of a PartiQL update: most tickets of a batch share one, so texts are kept."""
    clauses = [f"SET {_quoted(name)}=?" for name in sets]
    clauses += [f"REMOVE {_quoted(name)}" for name in removes]
    conditions = [_quoted(name) + (" IS MISSING" if name in missing else "=?") for name in where]
    return f"UPDATE {_quoted(table)} {' '.join(clauses)} WHERE {' AND '.join(conditions)}"


def _is_compared_by_partiql(change: Change) -> bool:
    """Whether a PartiQL condition can compare every attribute that was read of the ticket."""
    read = change.ticket.as_read.values()
    return _COMPARED_BY_PARTIQL.issuperset(kind for was in read if was for kind in was)


def _groups(statements: Iterable[_Statement]) -> Iterator[list[_Statement]]:
    """Statements in groups that fit into one call, by number and by bytes."""
    group: list[_Statement] = []
    size = 0
    for change, statement in statements:
        sent: list[Attribute] = [{"S": statement["Statement"]}, *statement["Parameters"]]
        more = attribute.most_bytes(sent) + _FRAME
        if group and (len(group) == STATEMENTS_PER_WRITE or size + more > _BYTES_PER_WRITE):
            yield group
            group, size = [], 0
        group.append((change, statement))
        size += more
    if group:
        yield group


def _quoted(name: str) -> str:
    """A name as PartiQL spells it: any name may be an attribute's, reserved words too."""
    return '"' + name.replace('"', '""') + '"'


def _ticket(
    item: Mapping[str, Any],
    key: str,
    inputs: Sequence[str],
    marks: Sequence[str],
    outputs: Sequence[str],
) -> Ticket:
    known = {name: attribute.value(item.get(f"{EXPECTED}{name}")) for name in outputs}
    return Ticket(
        ticket_id=item[key]["S"],
        guards={name: item.get(name) for name in GUARDED},
        inputs={name: item.get(name) for name in inputs},
        attempts=int(Decimal(item.get("classification_attempts", {}).get("N", 0))),
        failed_before="classification_error" in item,
        marks={name: item.get(name) for name in marks},
        known={name: value for name, value in known.items() if value is not None},
    )
