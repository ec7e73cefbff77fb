"""A walk through a whole ticket table, with what it costs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nightshift.task.task import Task
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import marks_of
from tools.operate.quality.compare import Item
from tools.operate.quality.figures import Figures

_STATUS, _MARKS = "classification_status", ("classified_at", "classified_by")
# Bytes that half a read unit pays for, read with eventual consistency (docs.aws.amazon.com,
# DynamoDB read consistency and capacity, 2026-11).
_BYTES_A_UNIT = 8192


@dataclass(frozen=True, slots=True)
class Size:
    """How large a table is, as DynamoDB knows it: its figures are up to six hours old."""

    tickets: int
    units: float
    """Read units that reading all of it takes."""


@dataclass
class Scan:
    """The sums, and how many read units were used; 0 where DynamoDB does not say."""

    figures: Figures
    units: float = 0.0


def size(table: TicketTable) -> Size:
    """How large a table is."""
    described = table.dynamodb.describe_table(TableName=table.name)["Table"]
    return Size(described.get("ItemCount", 0), described.get("TableSizeBytes", 0) / _BYTES_A_UNIT)


def scan(table: TicketTable, task: Task, tell: Callable[[int], Any]) -> Scan:
    """Read every ticket once, without its texts. `tell` hears how many more were read."""
    scanned = Scan(Figures(task))
    key = table.key
    for page in _pages(table, (key, _STATUS, *_MARKS, *marks_of(task.output))):
        items: Sequence[Item] = page["Items"]
        for item in items:
            scanned.figures.add(item, key)
        scanned.units += page.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
        tell(len(items))
    return scanned


def _pages(table: TicketTable, wanted: Sequence[str]) -> Iterator[Any]:
    names = {f"#{n}": name for n, name in enumerate(dict.fromkeys(wanted))}
    yield from table.dynamodb.get_paginator("scan").paginate(
        TableName=table.name,
        ProjectionExpression=", ".join(names),
        ExpressionAttributeNames=names,
        ReturnConsumedCapacity="TOTAL",
    )
