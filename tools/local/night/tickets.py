"""Files of tickets -> valid items of the ticket table; what is wrong is named by its line."""

import argparse
import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tools.local import sample

type Ticket = dict[str, Any]

SUFFIXES = (".jsonl", ".jsonl.gz", ".csv")
SHOWN = "created_at"
"""An attribute that is loaded although no task reads it: people like to see it."""
SAMPLED = {"subject", "body"}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_ID = 1_024  # bytes: DynamoDB's limit for a sort key, which the id is in the index
# DynamoDB takes 400 KB an item, names included (2026-11); 4 KB are for what the night adds.
LARGEST_ITEM = 396 * 1_024
CUT_TEXT = 300 * 1_024


class UnusableFile(Exception):
    """There is nothing to run on; the message says why and what to do."""


class BadLine(Exception):
    """One ticket cannot be loaded; the message says why, without its text."""


@dataclass
class Findings:
    """What reading a file found."""

    tickets: int = 0
    bad_lines: list[tuple[int, str]] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    """Ids of tickets whose longest text was too large to load whole."""


def add_tickets_option(parser: argparse.ArgumentParser) -> None:
    """Give a command `--tickets FILE`: a Path that `read` takes, or None for the sample."""
    parser.add_argument(
        "--tickets",
        type=Path,
        metavar="FILE",
        help="JSONL, JSONL.gz or CSV with ticket_id (or id) and the task's inputs; "
        "without it, 3,000 invented tickets",
    )


def check(path: Path | None, inputs: Sequence[str]) -> Findings:
    """Read everything once and keep nothing. `inputs` are the attributes that the task reads.

    Raises UnusableFile if there is not a single ticket to load.
    """
    findings = Findings()
    for _ in read(path, findings, inputs):
        pass
    if findings.tickets:
        return findings
    if not findings.bad_lines:
        raise UnusableFile(f"{path} holds no tickets.")
    line, reason = findings.bad_lines[0]
    others = len(findings.bad_lines) - 1
    raise UnusableFile(
        f"{path} holds no ticket that can be loaded. Line {line}: {reason}"
        + (f" (and {others:,} more bad lines)." if others else ".")
    )


def read(path: Path | None, findings: Findings, inputs: Sequence[str]) -> Iterator[Ticket]:
    """The tickets of a file, or of the sample, that can be loaded; the rest goes to `findings`.

    Raises UnusableFile if it is no file of tickets at all.
    """
    if path is None and not set(inputs) & SAMPLED:
        raise UnusableFile("There is no sample for this task: name a file with TICKETS=.")
    seen: dict[str, int] = {}
    for line, fields in _lines(path):
        try:
            ticket = _ticket(fields, inputs)
            was_cut = _fit(ticket)
            _claim(ticket["ticket_id"], line, seen)
        except BadLine as bad:
            findings.bad_lines.append((line, str(bad)))
            continue
        findings.tickets += 1
        if was_cut:
            findings.cut.append(ticket["ticket_id"])
        yield ticket


def _lines(path: Path | None) -> Iterator[tuple[int, Any]]:
    if path is None:
        return enumerate(sample.tickets(), start=1)
    name = path.name.lower()
    if path.is_dir():
        raise UnusableFile(f"{path} is a directory, not a file of tickets.")
    if not name.endswith(SUFFIXES):
        raise UnusableFile(f"{path} is none of {', '.join(SUFFIXES)}: its name says what it is.")
    return _guarded(path, _csv if name.endswith(".csv") else _jsonl)


def _guarded(path: Path, parse: Any) -> Iterator[tuple[int, Any]]:
    """What the file system says becomes our own words."""
    try:
        yield from parse(path)
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror or error}.") from None


def _jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    zipped = path.name.lower().endswith(".gz")
    with gzip.open(path) if zipped else path.open("rb") as file:
        for number, line in _readable(file):
            if isinstance(line, BadLine):
                yield number, line
            elif content := line.removeprefix(BYTE_ORDER_MARK).strip():
                yield number, _json(content)


def _readable(file: Iterable[bytes]) -> Iterator[tuple[int, bytes | BadLine]]:
    """Numbered lines, up to where a compressed file is cut or damaged."""
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cut_off = isinstance(error, EOFError)
        what = "the gzip file is cut off here" if cut_off else "not gzip, or damaged here"
        yield number + 1, BadLine(f"{what}: nothing after it was read")


def _json(content: bytes) -> Any:
    try:
        content.decode()
    except UnicodeDecodeError:
        return BadLine("not UTF-8")
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return BadLine("not JSON")


def _csv(path: Path) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(1 << 30)
    # Bytes that are not UTF-8 spoil their own line only: _text finds them.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        header = file.readline()
        delimiter = max(",;\t", key=header.count)
        [titles] = csv.reader([header or "id"], delimiter=delimiter)
        names = [title.strip().lower() for title in titles]
        if not {"ticket_id", "id"} & set(names):
            raise UnusableFile(f"{path} has no column ticket_id or id in its first line.")
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            number = rows.line_num + 2  # where the next row starts, the header counted
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                last = rows.line_num + 1
                more = f", lost with all up to line {last}" if last > number else ""
                yield number, BadLine(f"not CSV ({error}){more}")
                continue
            if len(row) > len(names):
                yield number, BadLine(f"{len(row)} values for {len(names)} columns")
            elif row:
                # An empty cell is how CSV says that there is nothing.
                yield number, {name: cell for name, cell in zip(names, row, strict=False) if cell}


def _ticket(fields: Any, inputs: Sequence[str]) -> Ticket:
    if isinstance(fields, BadLine):
        raise fields
    if not isinstance(fields, dict):
        raise BadLine("not a JSON object")
    ticket = {"ticket_id": _id(fields)}
    for name in (*inputs, SHOWN):
        value = fields.get(name)
        if value is not None:
            _size_of(value)
            ticket[name] = value
    return ticket


def _claim(ticket_id: str, line: int, seen: dict[str, int]) -> None:
    first = seen.setdefault(ticket_id, line)
    if first != line:
        raise BadLine(f"the same id as line {first}")


def _id(fields: dict[str, Any]) -> str:
    value = fields.get("ticket_id")
    value = fields.get("id") if value is None else value
    if value is None or value == "":
        raise BadLine("no ticket_id")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadLine("its id is neither a string nor a number")
    ticket_id = str(value)
    if _bytes(ticket_id) > LONGEST_ID:
        raise BadLine(f"its id is longer than {LONGEST_ID:,} bytes")
    return ticket_id


def _fit(ticket: Ticket) -> bool:
    """Cut the longest text of a ticket that DynamoDB would refuse; True if it was cut."""
    if _size(ticket) <= LARGEST_ITEM:
        return False
    texts = [name for name, value in ticket.items() if isinstance(value, str)]
    longest = max(texts, key=lambda name: len(ticket[name]))
    text = ticket[longest].encode()[:CUT_TEXT].decode(errors="ignore")
    if _size({**ticket, longest: text}) > LARGEST_ITEM:
        raise BadLine("too large for DynamoDB even with its longest text cut")
    ticket[longest] = text
    return True


def _size(ticket: Ticket) -> int:
    """Bytes of an item, about as DynamoDB counts them."""
    return sum(_bytes(name) + _size_of(value) for name, value in ticket.items())


def _size_of(value: Any) -> int:
    return _bytes(value) if isinstance(value, str) else 2 * len(msgspec.json.encode(value))


def _bytes(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise BadLine("not UTF-8") from None
