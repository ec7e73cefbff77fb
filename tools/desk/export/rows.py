"""Tickets of a table as rows of a file that `make tickets-load` takes."""

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, cast

import msgspec
from boto3.dynamodb.types import TypeDeserializer

from nightshift.task.task import Task
from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import EXPECTED
from tools.desk.files.cells import guarded
from tools.desk.files.tickets import SHOWN

ANSWERED = "answered"
"""What people call tickets that have an answer and ask for none."""
_STATUS = "classification_status"
_MARKS = (
    _STATUS,
    "classification_error",
    "classification_attempts",
    "classified_at",
    "classified_by",
    "classified_with",
)
_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode
_plain: Callable[[Any], Any] = TypeDeserializer().deserialize

type Item = Mapping[str, Attribute]


def columns_of(key: str, task: Task) -> tuple[str, ...]:
    """The columns of an export: who, the answers, how they came about, and what was read."""
    expecteds = [f"{EXPECTED}{name}" for name in task.output]
    every = (key, *task.output, *expecteds, *_MARKS, *SHOWN, *task.inputs)
    return tuple(dict.fromkeys(every))


def scan(table: TicketTable, columns: Sequence[str], status: str | None) -> Iterator[Item]:
    """The tickets of a table, page by page, or those of a status."""
    names = {f"#{n}": name for n, name in enumerate(columns)}
    pages = table.dynamodb.get_paginator("scan").paginate(
        TableName=table.name,
        ProjectionExpression=", ".join(names),
        ExpressionAttributeNames=names,
    )
    for page in pages:
        for item in cast(list[Item], page["Items"]):
            if status is None or status == _status(item):
                yield item


def _status(item: Item) -> str:
    if _STATUS in item:
        return attribute.text(item[_STATUS])
    return ANSWERED if "classified_at" in item else ""


@contextmanager
def writer(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Item], None]]:
    """Give a function that writes a ticket as a row: CSV or JSONL, as the file's name says.

    The file appears when all is written.
    """
    name = path.name.lower()
    part = path.with_name(f"{path.name}.part")
    is_csv = name.removesuffix(".gz").endswith(".csv")
    try:
        with _opened(part, name.endswith(".gz"), "utf-8-sig" if is_csv else "utf-8") as file:
            yield _csv(file, columns) if is_csv else _jsonl(file, columns)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _opened(path: Path, compressed: bool, encoding: str) -> TextIO:
    file = gzip.open(path, "wb") if compressed else path.open("wb")
    return TextIOWrapper(file, encoding=encoding, newline="")


def _csv(file: TextIO, columns: Sequence[str]) -> Callable[[Item], None]:
    rows = csv.writer(file)
    rows.writerow(columns)
    return lambda item: cast(None, rows.writerow([_cell(item.get(name)) for name in columns]))


def _jsonl(file: TextIO, columns: Sequence[str]) -> Callable[[Item], None]:
    def write(item: Item) -> None:
        row = {name: _json(item[name]) for name in columns if name in item}
        file.write(_encode(row).decode() + "\n")

    return write


def _cell(value: Attribute | None) -> str:
    text = attribute.text(value)
    return text if value is not None and "N" in value else guarded(text)


def _json(value: Attribute) -> Any:
    """A value as JSON has it; binary as base64, sets as lists."""
    if value.keys() & {"B", "BS"}:
        return attribute.text(value)
    found = _plain(value)
    return sorted(found) if isinstance(found, set) else found
