"""Files of tickets that may hold the right answers: what `try` and `evaluate` read.

A right answer stands in a column `expected_<output>`, or in one that is called like the output.
A ticket without an id is called by its row: `row 1` is the first ticket of the file.
"""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nightshift.task.outputs import (
    Boolean,
    Integer,
    Labels,
    NotAllowed,
    Output,
    Text,
    Texts,
    Unsure,
)
from nightshift.task.task import Shown, Task
from tools.local.night.tickets import UnusableFile
from tools.local.sample import shipped

SAMPLE = Path(shipped.__file__).with_name("labelled.csv")
UNKNOWN = ":unknown"
"""The class of an expected value that the task does not have; no label may hold a colon."""
_IDS = ("ticket_id", "id")
_LARGEST_CELL = 1 << 30
_encode = msgspec.json.Encoder(order="deterministic").encode

type Classes = tuple[str, ...]
"""What is compared of one value: the label, or each label of a list, sorted."""


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket of a file: its id, its inputs as a task shows them, and its right answers by
    output, where the file has them."""

    ticket_id: str
    shown: list[Shown]
    expected: Mapping[str, Classes]


@dataclass(frozen=True)
class Rows:
    """The tickets of a file. `left_out` names lines that hold none."""

    name: str
    rows: list[Row]
    left_out: list[str]


def mapping(text: str) -> dict[str, str]:
    """`MAP`: `attribute=column`, separated by commas.

    Raises UnusableFile for anything else.
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and equals and column.strip() for name, equals, column in pairs):
        raise UnusableFile(f"MAP={text!r} is not attribute=column, separated by commas.")
    return {name.strip(): column.strip() for name, _, column in pairs}


def read(path: Path, task: Task, columns: Mapping[str, str]) -> Rows:
    """All tickets of a file for one task. `columns` says which column an attribute is read from.

    Raises UnusableFile if the file has no ticket, or no column that the task reads.
    """
    rows: list[Row] = []
    left_out: list[str] = []
    seen: set[str] = set()
    names: set[str] = set()
    for number, fields in enumerate(_records(path), start=1):
        if not isinstance(fields, dict):
            left_out.append(f"row {number}: {fields}")
            continue
        names |= fields.keys()
        row = _row(number, {**fields, **_mapped(fields, columns)}, task)
        if row.ticket_id in seen:
            left_out.append(f"row {number}: an id that an earlier row has")
            continue
        seen.add(row.ticket_id)
        rows.append(row)
    _check(path, rows, names, task, columns)
    return Rows(path.name, rows, left_out)


def _mapped(fields: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    return {name: fields[column] for name, column in columns.items() if column in fields}


def _row(number: int, fields: Mapping[str, Any], task: Task) -> Row:
    given = [str(fields[name]) for name in _IDS if fields.get(name) not in (None, "")]
    expected: dict[str, Classes] = {}
    for name, output in task.output.items():
        value = fields.get(f"expected_{name}", fields.get(name))
        if value not in (None, "") and is_compared(output):
            expected[name] = _expected(output, value)
    return Row(
        given[0] if given else f"row {number}",
        [shown(fields.get(name)) for name in task.inputs],
        expected,
    )


def _check(
    path: Path, rows: list[Row], names: set[str], task: Task, columns: Mapping[str, str]
) -> None:
    if not rows:
        raise UnusableFile(f"{path} holds no tickets.")
    there = names | columns.keys()
    missing = [column for column in columns.values() if column not in names]
    if missing or not there & set(task.inputs):
        wanted = ", ".join(task.inputs)
        raise UnusableFile(
            f"{path} has the columns {', '.join(sorted(names))}. The task {task.name} reads "
            f'{wanted}: say which is which, such as MAP="{task.inputs[-1]}=COLUMN".'
        )


def shown(value: object) -> Shown:
    """A value of a file as a reader sees it: strings as they are, the rest as compact JSON."""
    if value is None or isinstance(value, str):
        return value or "", True
    return _encode(value).decode(), False


def is_compared(output: Output) -> bool:
    """Whether an answer can be right or wrong: texts are never compared."""
    return not isinstance(output, Text | Texts)


def classes_of(value: object) -> Classes:
    """What is compared of an answer."""
    if isinstance(value, list):
        return tuple(sorted(map(str, value)))
    return (("yes" if value else "no") if isinstance(value, bool) else str(value),)


def _expected(output: Output, value: object) -> Classes:
    try:
        return classes_of(output.read(_typed(output, value)))
    except (NotAllowed, Unsure):
        return (UNKNOWN,)


def _typed(output: Output, value: object) -> object:
    """A cell of a CSV file as the type that the output has; other values as they are."""
    if not isinstance(value, str):
        return value
    match output:
        case Labels():
            return [part.strip() for part in value.replace(";", ",").split(",") if part.strip()]
        case Integer():
            return int(value) if value.strip().lstrip("+-").isdecimal() else value
        case Boolean():
            words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            return words.get(value.strip().lower(), value)
        case _:
            return value


# The file itself.


def _records(path: Path) -> Iterator[dict[str, Any] | str]:
    """Each ticket as it stands in the file, or why a line holds none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    kind = suffixes[-2:-1] if zipped else suffixes[-1:]
    if kind not in ([".jsonl"], [".csv"], [".tsv"]):
        raise UnusableFile(f"{path} is neither .csv, .tsv nor .jsonl: its name says what it is.")
    try:
        opened = gzip.open(path, "rb") if zipped else path.open("rb")
        with opened as file:
            text = file.read().decode("utf-8-sig")
    except (OSError, EOFError) as error:
        raise UnusableFile(f"{path} cannot be read: {error}.") from None
    except UnicodeDecodeError:
        raise UnusableFile(f"{path} is not in UTF-8.") from None
    return _jsonl(text.split("\n")) if kind == [".jsonl"] else _csv(text)


def _jsonl(lines: Iterable[str]) -> Iterator[dict[str, Any] | str]:
    for line in lines:
        if not line.strip():
            continue
        try:
            found = msgspec.json.decode(line)
        except msgspec.DecodeError:
            found = None
        yield found if isinstance(found, dict) else "not a JSON object"


def _csv(text: str) -> Iterator[dict[str, Any] | str]:
    csv.field_size_limit(_LARGEST_CELL)
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    for fields in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter):
        if None in fields:
            yield "more values than columns"
        else:
            yield {name.strip(): cell for name, cell in fields.items() if cell not in (None, "")}
