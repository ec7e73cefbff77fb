"""A file of tickets as numbered rows: CSV, or a JSON object a line."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import msgspec

from tools.desk.files.cells import unguarded
from tools.desk.files.problems import BadLine, UnusableFile
from tools.desk.files.text import DAMAGED, NAMES, opened

type Row = dict[str, Any]
type Parse = Callable[[TextIO, str], Iterator[tuple[int, Row | BadLine]]]

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz")
# Characters of a cell: more than a ticket may have.
_LONGEST_CELL = 1 << 30
_BYTE_ORDER_MARK = "\ufeff"


def check_name(path: Path) -> None:
    """Check that a file's name says what is in it.

    Raises UnusableFile.
    """
    if path.is_dir():
        raise UnusableFile(f"{path} is a directory, not a file of tickets.")
    if not path.name.lower().endswith(SUFFIXES):
        raise UnusableFile(f"{path} is none of {', '.join(SUFFIXES)}: its name says what it is.")


def columns_of(path: Path, encoding: str) -> list[str] | None:
    """The columns that the first line of a CSV file names; None for JSON, whose lines differ."""
    if not _is_csv(path):
        return None
    with opened(path, encoding) as file:
        return _header(file)[0]


def rows(path: Path, encoding: str) -> Iterator[tuple[int, Row | BadLine]]:
    """The rows of a file with their line numbers, up to where a compressed file is damaged."""
    parse: Parse = _csv if _is_csv(path) else _jsonl
    number = 0
    with opened(path, encoding) as file:
        try:
            for number, row in parse(file, encoding):
                yield number, row
        except DAMAGED as error:
            cut_off = isinstance(error, EOFError)
            what = "the gzip file is cut off here" if cut_off else "not gzip, or damaged here"
            yield number + 1, BadLine(f"{what}: nothing after it was read")


def _is_csv(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))


def _jsonl(file: TextIO, encoding: str) -> Iterator[tuple[int, Row | BadLine]]:
    for number, line in enumerate(file, start=1):
        if content := line.removeprefix(_BYTE_ORDER_MARK).strip():
            yield number, _json(content, encoding)


def _json(content: str, encoding: str) -> Row | BadLine:
    try:
        found = msgspec.json.decode(content)
    except UnicodeEncodeError:
        return BadLine(f"not {NAMES[encoding]}")
    except msgspec.DecodeError:
        return BadLine("not JSON")
    return found if isinstance(found, dict) else BadLine("not a JSON object")


def _csv(file: TextIO, encoding: str) -> Iterator[tuple[int, Row | BadLine]]:
    csv.field_size_limit(_LONGEST_CELL)
    names, delimiter = _header(file)
    cells = csv.reader(file, delimiter=delimiter, strict=True)
    while True:
        number = cells.line_num + 2  # where the next row starts, the header counted
        try:
            row = next(cells)
        except StopIteration:
            return
        except csv.Error as error:
            last = cells.line_num + 1
            more = f", lost with all up to line {last}" if last > number else ""
            yield number, BadLine(f"not CSV ({error}){more}")
            continue
        if len(row) > len(names):
            yield number, BadLine(f"{len(row)} values for {len(names)} columns")
        elif row:
            # An empty cell is how CSV says that there is nothing.
            filled = {name: cell for name, cell in zip(names, row, strict=False) if cell}
            yield number, {name: unguarded(cell) for name, cell in filled.items()}


def _header(file: TextIO) -> tuple[list[str], str]:
    """The titles of the columns, and what stands between them."""
    line = file.readline()
    delimiter = max(",;\t", key=line.count)
    titles = next(csv.reader([line], delimiter=delimiter), [])
    return [title.strip() for title in titles], delimiter
