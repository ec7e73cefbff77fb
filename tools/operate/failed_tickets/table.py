"""The failed tickets of a table: read without their texts, and set back to pending."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from time import sleep
from typing import Any

from nightshift.tickets.attribute import Attribute
from nightshift.tickets.table import (
    KEYS_PER_READ,
    STATEMENTS_PER_WRITE,
    STATUS_INDEX,
    TicketTable,
)
from nightshift.tickets.ticket import FAILED, PENDING, Change, Ticket

NO_REASON = "no_reason"
"""A ticket that is failed and does not say why: it had no room left for it."""
EMPTY = "empty_ticket"
"""A ticket without any text: asked again, it would be given up again."""
_READ = (
    "ticket_id",
    "classification_status",
    "classification_error",
    "classification_batch_id",
    "classification_attempts",
)
# What a retry depends on: still failed, for the reason and by the batch that we have seen.
_GUARDS = ("classification_status", "classification_error", "classification_batch_id")
_THREADS = 4


@dataclass(frozen=True, slots=True)
class FailedTicket:
    """A ticket that was given up. `guards` is what setting it back depends on."""

    ticket_id: str
    error: str
    batch_id: str
    attempts: int
    guards: dict[str, Attribute | None]

    @property
    def reason(self) -> str:
        """The short name before the colon."""
        return self.error.partition(":")[0].strip() or NO_REASON

    @property
    def sentence(self) -> str:
        """What follows the colon, but for Claude's own words, which may quote the ticket."""
        if self.reason == "invalid_request":
            return "Claude refused it. Its words are in the ticket's classification_error."
        return self.error.partition(":")[2].strip()


def failed_tickets(dynamodb: Any, table: str) -> Iterator[FailedTicket]:
    """All failed tickets in the order of their ids, as they are now; a few reads ahead."""
    groups = iter(batched(_failed_ids(dynamodb, table), KEYS_PER_READ, strict=False))
    reads: deque[Future[list[FailedTicket]]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            while True:
                while len(reads) < _THREADS and (group := next(groups, None)):
                    reads.append(pool.submit(_read, dynamodb, table, group))
                if not reads:
                    return
                yield from reads.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Retried:
    """How many tickets ask again, and how many had changed since they were read."""

    pending: int = 0
    changed: int = 0


def retry(
    table: TicketTable, tickets: Iterable[FailedTicket], tell: Callable[[int], Any]
) -> Retried:
    """Set tickets back to pending, each only if it is still what was read.

    `tell` hears after each call how many more are done.
    Raises TableRefused if DynamoDB takes no writes.
    """
    groups = iter(batched(tickets, STATEMENTS_PER_WRITE, strict=False))
    writes: deque[tuple[int, Future[int]]] = deque()
    pending = changed = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        while True:
            while len(writes) < 2 * _THREADS and (group := next(groups, None)):
                writes.append((len(group), pool.submit(_set_back, table, group)))
            if not writes:
                return Retried(pending, changed)
            size, write = writes.popleft()
            refused = write.result()
            pending, changed = pending + size - refused, changed + refused
            tell(size)


def _set_back(table: TicketTable, tickets: Iterable[FailedTicket]) -> int:
    """Returns how many were not set back because they had changed.

    The reason stays on the ticket: it tells the night that attempts start from 0.
    """
    changes = [
        Change(Ticket(t.ticket_id, t.guards), {"classification_status": {"S": PENDING}})
        for t in tickets
    ]
    refused = table.write(changes)
    return len(refused.changed) + len(refused.too_large)


def _failed_ids(dynamodb: Any, table: str) -> Iterator[str]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName=STATUS_INDEX,
        KeyConditionExpression="classification_status = :failed",
        ExpressionAttributeValues={":failed": {"S": FAILED}},
    )
    for page in pages:
        for item in page["Items"]:
            yield item["ticket_id"]["S"]


def _read(dynamodb: Any, table: str, ids: Iterable[str]) -> list[FailedTicket]:
    """Those of them that are failed in the table itself: the index lags behind."""
    keys = [{"ticket_id": {"S": ticket_id}} for ticket_id in ids]
    order = {key["ticket_id"]["S"]: place for place, key in enumerate(keys)}
    wanted: Any = {table: {"Keys": keys, "ConsistentRead": True}}
    wanted[table]["ProjectionExpression"] = ", ".join(_READ)
    found: list[FailedTicket] = []
    while wanted:
        answer = dynamodb.batch_get_item(RequestItems=wanted)
        items = answer["Responses"].get(table, [])
        found += [_ticket(i) for i in items if i.get("classification_status") == {"S": FAILED}]
        left = answer.get("UnprocessedKeys", {})
        if left and not items:
            sleep(0.1)  # throttled
        wanted = left
    return sorted(found, key=lambda ticket: order[ticket.ticket_id])


def _ticket(item: dict[str, Attribute]) -> FailedTicket:
    return FailedTicket(
        item["ticket_id"]["S"],
        str(item.get("classification_error", {}).get("S", "")),
        str(item.get("classification_batch_id", {}).get("S", "")),
        int(item.get("classification_attempts", {}).get("N", 0)),
        {name: item.get(name) for name in _GUARDS},
    )
