"""Tickets of a file beside their right answers: what `try` and `evaluate` read.

A right answer stands in a column `expected_<output>`, or in one that is called like the output.
Tickets of a file without ids are named by their lines.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nightshift.quality.gold import classes_of, is_comparable
from nightshift.quality.statistics import Classes
from nightshift.task.task import Shown, Task
from nightshift.tickets.ticket import EXPECTED
from tools.desk.files.columns import KEY, parse_map
from tools.desk.files.problems import UnusableFile
from tools.desk.files.rows import check_name, columns_of, rows
from tools.desk.files.text import encoding_of
from tools.desk.files.tickets import Findings, Source
from tools.desk.files.tickets import read as read_tickets
from tools.local.sample import shipped

SAMPLE = Path(shipped.__file__).with_name("labelled.csv")
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket of a file: its id, its inputs as a task shows them, and its right answers by
    output, where the file has them."""

    ticket_id: str
    shown: list[Shown]
    expected: Mapping[str, Classes]


@dataclass(frozen=True)
class Rows:
    """The tickets of a file. `left_out` are the numbers of lines that hold none, and why."""

    rows: list[Row]
    left_out: list[tuple[int, str]]


def read(path: Path, task: Task, columns: str) -> Rows:
    """All tickets of a file for one task. `columns` is what MAP says.

    Raises UnusableFile if the file has no ticket, or not the columns that the task reads.
    """
    findings = Findings()
    renamed = _answers_of(path, task) | parse_map(columns)
    asked = Source(path, task, renamed, needs_ids=False)
    found = [_row(ticket, task) for ticket in read_tickets(asked, findings)]
    if not found:
        raise UnusableFile(f"{path} holds no tickets.")
    return Rows(found, findings.bad_lines)


def _answers_of(path: Path, task: Task) -> dict[str, str]:
    """The columns that hold right answers under the name of the output itself."""
    there = _columns(path)
    return {
        f"{EXPECTED}{name}": name
        for name in task.output
        if name in there and f"{EXPECTED}{name}" not in there
    }


def _columns(path: Path) -> set[str]:
    """The columns of a CSV file, or the keys of the first row of a JSON file."""
    check_name(path)
    try:
        encoding = encoding_of(path)
        named = columns_of(path, encoding)
        if named is not None:
            return set(named)
        return next((set(row) for _, row in rows(path, encoding) if isinstance(row, dict)), set())
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror or error}.") from None


def _row(ticket: Mapping[str, Any], task: Task) -> Row:
    expected = {
        name: classes_of(output, ticket[f"{EXPECTED}{name}"])
        for name, output in task.output.items()
        if f"{EXPECTED}{name}" in ticket and is_comparable(output)
    }
    return Row(ticket[KEY], [shown(ticket.get(name)) for name in task.inputs], expected)


def shown(value: object) -> Shown:
    """A value of a file as a reader sees it: strings as they are, the rest as compact JSON."""
    if value is None or isinstance(value, str):
        return value or "", True
    return _encode(value).decode(), False
