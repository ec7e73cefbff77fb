"""The ticket table: what a ticket is, and the few ways in which Nightshift touches it."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any

from nightshift.errors import TableRefused
from nightshift.pace import Pace, pause

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PENDING, FAILED = "pending", "failed"
STATUS_INDEX = "by_classification_status"
# DynamoDB's limits for one call (docs.aws.amazon.com, 2026-11): keys read, PartiQL statements.
KEYS_PER_READ = 100
STATEMENTS_PER_WRITE = 25
_READS_AHEAD = 3
_CHANGED = "ConditionalCheckFailed"
# Our statements are always well formed: what is invalid is an item that would exceed 400 KB.
_INVALID = "ValidationError"
_THROTTLED = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)

type Attribute = dict[str, Any]
"""A value as DynamoDB's API spells it, `{"S": "text"}`: compared and sent back as it came."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it stands in the table. `guards` is what every write to it depends on."""

    ticket_id: str
    guards: dict[str, Attribute | None]
    attempts: int = 0
    failed_before: bool = False

    @property
    def status(self) -> str | None:
        return _string(self.guards["classification_status"])

    @property
    def batch_id(self) -> str | None:
        """The batch that last wrote this ticket."""
        return _string(self.guards["classification_batch_id"])

    @property
    def subject(self) -> str:
        return _string(self.guards["subject"]) or ""

    @property
    def body(self) -> str:
        return _string(self.guards["body"]) or ""


@dataclass(frozen=True, slots=True)
class Change:
    """Attributes to set and to remove on one ticket, if it still is what was read."""

    ticket: Ticket
    values: dict[str, Attribute]
    remove: tuple[str, ...] = ()


def no_room(ticket: Ticket) -> Change:
    """A ticket of nearly 400 KB takes no further attribute: it is given up, in fewer bytes."""
    return Change(ticket, {"classification_status": {"S": FAILED}})


@dataclass(frozen=True, slots=True)
class Refused:
    """Changes that were not made: the ticket is another one now, has no room left for them, or
    the table takes no more writes at this moment."""

    changed: list[Change] = field(default_factory=list)
    too_large: list[Change] = field(default_factory=list)
    throttled: list[Change] = field(default_factory=list)


# The attributes that decide: a ticket that differs in one of them is not the one we read.
GUARDED = ("classification_status", "classification_batch_id", "subject", "body")
_READ = (*GUARDED, "ticket_id", "classification_attempts", "classification_error")


@dataclass(frozen=True)
class TicketTable:
    """The helpdesk's table, read consistently and written only under a condition."""

    dynamodb: "DynamoDBClient"
    name: str
    pace: Pace = field(default_factory=Pace)

    def pending_ids(self, after: str) -> Iterator[str]:
        """Ids that the index calls pending, in key order, after a given one. May lag behind."""
        condition = "classification_status = :pending"
        values: dict[str, Attribute] = {":pending": {"S": PENDING}}
        if after:
            condition += " AND ticket_id > :after"
            values[":after"] = {"S": after}
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=STATUS_INDEX,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ProjectionExpression="ticket_id",
            PaginationConfig={"PageSize": 1000},
        )
        for page in pages:
            for item in page["Items"]:
                yield item["ticket_id"]["S"]

    def walk(self, ids: Iterable[str]) -> Iterator[tuple[str, Ticket | None]]:
        """Read tickets in the order of their ids, a few calls ahead of whoever consumes them."""
        groups = iter(batched(ids, KEYS_PER_READ, strict=False))
        reads: deque[tuple[tuple[str, ...], Future[dict[str, Ticket]]]] = deque()
        with ThreadPoolExecutor(_READS_AHEAD) as pool:
            while True:
                while len(reads) < _READS_AHEAD and (group := next(groups, None)):
                    reads.append((group, pool.submit(self.read, group)))
                if not reads:
                    return
                group, read = reads.popleft()
                found = read.result()
                yield from ((ticket_id, found.get(ticket_id)) for ticket_id in group)

    def read(self, ids: Sequence[str]) -> dict[str, Ticket]:
        """Read at most 100 tickets as they are now; one that is gone is missing from the result."""
        wanted: Any = {
            self.name: {
                "Keys": [{"ticket_id": {"S": ticket_id}} for ticket_id in dict.fromkeys(ids)],
                "ConsistentRead": True,
                "ProjectionExpression": ", ".join(_READ),
            }
        }
        found: dict[str, Ticket] = {}
        in_vain = 0
        while wanted:
            answer = self.dynamodb.batch_get_item(RequestItems=wanted)
            for item in answer["Responses"].get(self.name, []):
                ticket = _ticket(item)
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

        What is throttled may be tried again at once: the pace has learned to wait.

        Raises:
            TableRefused: DynamoDB refuses a statement for a reason that waiting does not cure.
        """
        refused = Refused()
        for group in batched(changes, STATEMENTS_PER_WRITE, strict=False):
            halvings = self.pace.take(len(group))
            answer = self.dynamodb.batch_execute_statement(
                Statements=[self._statement(change) for change in group]  # type: ignore[misc]
            )
            before = len(refused.throttled)
            for change, response in zip(group, answer["Responses"], strict=True):
                code = response.get("Error", {}).get("Code")
                if code is None:
                    continue
                if code == _CHANGED:
                    refused.changed.append(change)
                elif code == _INVALID:
                    refused.too_large.append(change)
                elif code in _THROTTLED:
                    refused.throttled.append(change)
                else:
                    raise TableRefused(f"DynamoDB refused a write to {self.name}: {code}.")
            if len(refused.throttled) > before:
                self.pace.slow_down(halvings)
        return refused

    def any_pending(self, first: str, last: str) -> bool:
        """Whether a ticket of this range of keys is pending, as far as the index knows."""
        found = self.dynamodb.query(
            TableName=self.name,
            IndexName=STATUS_INDEX,
            KeyConditionExpression="classification_status = :pending "
            "AND ticket_id BETWEEN :first AND :last",
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
        """How many tickets ask for a category now, as far as the index knows."""
        return self._count(PENDING)

    def count_failed(self) -> int:
        """How many tickets are given up now, of all nights, as far as the index knows."""
        return self._count(FAILED)

    def _count(self, status: str) -> int:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=STATUS_INDEX,
            KeyConditionExpression="classification_status = :status",
            ExpressionAttributeValues={":status": {"S": status}},
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    def update_in_transaction(self, change: Change) -> dict[str, Any]:
        """The same conditional change as one element of a transaction."""
        names = {f"#{n}": name for n, name in enumerate((*change.values, *change.remove, *GUARDED))}
        short = {name: short for short, name in names.items()}
        values = {f":{n}": value for n, value in enumerate(change.values.values())}
        sets = ", ".join(
            f"{short[name]} = {value}" for name, value in zip(change.values, values, strict=True)
        )
        conditions = []
        for name, guard in change.ticket.guards.items():
            if guard is None:
                conditions.append(f"attribute_not_exists({short[name]})")
                continue
            values[f":was{len(values)}"] = guard
            conditions.append(f"{short[name]} = :was{len(values) - 1}")
        removes = ", ".join(short[name] for name in change.remove)
        return {
            "TableName": self.name,
            "Key": {"ticket_id": {"S": change.ticket.ticket_id}},
            "UpdateExpression": f"SET {sets}" + (f" REMOVE {removes}" if removes else ""),
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": {f: n for f, n in names.items() if f == short[n]},
            "ExpressionAttributeValues": values,
        }

    def _statement(self, change: Change) -> dict[str, Any]:
        clauses = [f'SET "{name}"=?' for name in change.values]
        clauses += [f'REMOVE "{name}"' for name in change.remove]
        conditions = ['"ticket_id"=?']
        parameters = [*change.values.values(), {"S": change.ticket.ticket_id}]
        for name, guard in change.ticket.guards.items():
            conditions.append(f'"{name}" IS MISSING' if guard is None else f'"{name}"=?')
            parameters += [] if guard is None else [guard]
        statement = f'UPDATE "{self.name}" {" ".join(clauses)} WHERE {" AND ".join(conditions)}'
        return {"Statement": statement, "Parameters": parameters}


def _ticket(item: Mapping[str, Any]) -> Ticket:
    return Ticket(
        ticket_id=item["ticket_id"]["S"],
        guards={name: item.get(name) for name in GUARDED},
        attempts=int(item.get("classification_attempts", {}).get("N", 0)),
        failed_before="classification_error" in item,
    )


def _string(attribute: Attribute | None) -> str | None:
    return None if attribute is None else attribute.get("S")
