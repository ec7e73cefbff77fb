"""Tickets into the ticket table, each asking for an answer."""

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import batched
from time import sleep
from typing import Any

from tools.desk.files.tickets import Ticket
from tools.desk.load.loading import spelled

ITEMS_PER_WRITE = 25  # BatchWriteItem takes no more, nor more than 16 MB (2026-11)
WRITERS = 4


def load(dynamodb: Any, table: str, tickets: Iterable[Ticket]) -> int:
    """Write tickets as pending and return how many."""
    loaded, writing = 0, set()
    with ThreadPoolExecutor(WRITERS) as pool:
        for group in batched(tickets, ITEMS_PER_WRITE, strict=False):
            writing.add(pool.submit(_write, dynamodb, table, group))
            loaded += len(group)
            if len(writing) > WRITERS:
                done, writing = wait(writing, return_when=FIRST_COMPLETED)
                for write in done:
                    write.result()
        for write in writing:
            write.result()
    return loaded


def _write(dynamodb: Any, table: str, tickets: Iterable[Ticket]) -> None:
    items = [{**ticket, "classification_status": "pending"} for ticket in tickets]
    left: Any = {table: [_put(item) for item in items]}
    while left:
        left = dynamodb.batch_write_item(RequestItems=left).get("UnprocessedItems")
        if left:
            sleep(0.1)


def _put(item: Ticket) -> dict[str, Any]:
    return {"PutRequest": {"Item": {name: spelled(value) for name, value in item.items()}}}
