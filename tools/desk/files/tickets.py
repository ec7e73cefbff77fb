"""Rows of a file -> valid items of the ticket table; what is wrong is named by its line."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from nightshift.task.task import Task
from nightshift.tickets.ticket import EXPECTED
from tools.desk.files.columns import KEY, Columns, parse_map
from tools.desk.files.expected import expected
from tools.desk.files.problems import BadLine, UnusableFile
from tools.desk.files.rows import check_name, columns_of, rows
from tools.desk.files.text import NAMES, UTF_8, encoding_of
from tools.local import sample
from tools.local.sample import shipped

type Ticket = dict[str, Any]

SHOWN = ("created_at", "updated_at")
"""Attributes that are loaded although no task reads them: people like to see them."""
SAMPLED = {"subject", "body"}
LONGEST_ID = 1_024  # bytes: DynamoDB's limit for a sort key, which the id is in the index
# DynamoDB takes 400 KB an item, names included (2026-11); 4 KB are for what the night adds.
LARGEST_ITEM = 396 * 1_024
CUT_TEXT = 300 * 1_024
# DynamoDB's limits for numbers and for maps in maps (docs.aws.amazon.com, 2026-11).
_MOST_DIGITS, _SMALLEST, _LARGEST, _DEEPEST = 38, 1e-130, 1e126, 32


@dataclass(frozen=True)
class Source:
    """Where tickets come from: a file, or the sample where `path` is None.

    `renamed` is what MAP says. `needs_ids`: where not, tickets of a file without ids are named by
    their lines. `key` is what the table calls the id.
    """

    path: Path | None
    task: Task
    renamed: Mapping[str, str] = field(default_factory=dict)
    needs_ids: bool = True
    key: str = KEY

    @property
    def is_invented(self) -> bool:
        """Whether the tickets are those of a sample of ours."""
        return self.path is None or shipped.is_invented(self.path)

    @property
    def columns(self) -> Columns:
        expecteds = [f"{EXPECTED}{name}" for name in self.task.output]
        return Columns(self.task.inputs, (*SHOWN, *expecteds), self.renamed, self.key)


@dataclass
class Findings:
    """What reading a file found. `encoding` is what people call it, where it is not UTF-8."""

    tickets: int = 0
    bad_lines: list[tuple[int, str]] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    """Ids of tickets whose longest text was too large to load whole."""
    encoding: str = ""


def add_tickets_options(parser: argparse.ArgumentParser) -> None:
    """Give a command `--tickets FILE` and `--map PAIRS`, for `source`."""
    parser.add_argument(
        "--tickets",
        type=Path,
        metavar="FILE",
        help="CSV or JSONL, or either as .gz, with ticket_id (or id) and the task's inputs; "
        "without it, the task's sample",
    )
    parser.add_argument(
        "--map",
        metavar="PAIRS",
        default="",
        help="where the file calls them otherwise: body=description,ticket_id=number",
    )


def source(options: argparse.Namespace, task: Task) -> Source:
    """What a command's `--tickets` and `--map` say.

    Raises UnusableFile.
    """
    renamed = parse_map(options.map)
    if renamed and options.tickets is None:
        raise UnusableFile("MAP speaks of the columns of a file: name the file with TICKETS=.")
    return Source(options.tickets or shipped.file_for(task), task, renamed)


def check(asked: Source) -> Findings:
    """Read everything once and keep nothing.

    Raises UnusableFile if there is not a single ticket to load.
    """
    findings = Findings()
    for _ in read(asked, findings):
        pass
    if findings.tickets:
        return findings
    if not findings.bad_lines:
        raise UnusableFile(f"{asked.path} holds no tickets.")
    line, reason = findings.bad_lines[0]
    others = len(findings.bad_lines) - 1
    raise UnusableFile(
        f"{asked.path} holds no ticket that can be loaded. Line {line}: {reason}"
        + (f" (and {others:,} more bad lines)." if others else ".")
    )


def read(asked: Source, findings: Findings) -> Iterator[Ticket]:
    """The tickets of a file, or of the sample, that can be loaded; the rest goes to `findings`.

    The columns of a JSON file are known at its end only: what its lines lack is raised there.

    Raises UnusableFile if it is no file of such tickets at all.
    """
    seen: dict[bytes, int] = {}
    columns = asked.columns
    for line, row in _rows(asked, columns, findings):
        try:
            ticket = _ticket(row, line, columns, asked)
            was_cut = _fit(ticket)
            _claim(ticket[KEY], line, seen)
        except BadLine as bad:
            findings.bad_lines.append((line, str(bad)))
            continue
        findings.tickets += 1
        if was_cut:
            findings.cut.append(ticket[KEY])
        yield ticket
    if asked.path is not None and findings.tickets:
        columns.check(asked.path.name, asked.needs_ids)


def _rows(asked: Source, columns: Columns, findings: Findings) -> Iterator[tuple[int, Any]]:
    path = asked.path
    if path is None:
        if not set(asked.task.inputs) & SAMPLED:
            raise UnusableFile("There is no sample for this task: name a file with TICKETS=.")
        yield from enumerate(sample.tickets(), start=1)
        return
    check_name(path)
    try:
        encoding = encoding_of(path)
        findings.encoding = "" if encoding == UTF_8 else NAMES[encoding]
        named = columns_of(path, encoding)
        if named:
            columns.learn(named)
            columns.check(path.name, asked.needs_ids)
        yield from rows(path, encoding)
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror or error}.") from None


def _ticket(row: Any, line: int, columns: Columns, asked: Source) -> Ticket:
    if isinstance(row, BadLine):
        raise row
    attributes = columns.attributes(row)
    numbered = None if asked.needs_ids or KEY in columns.of else line
    ticket = {KEY: _id(columns.key(row) if numbered is None else numbered)}
    for name, value in attributes.items():
        if name == KEY or value is None:
            continue
        output = asked.task.output.get(name.removeprefix(EXPECTED))
        found = value if output is None else expected(value, output)
        if found is not None:
            _check_value(found)
            ticket[name] = found
    return ticket


def _claim(ticket_id: str, line: int, seen: dict[bytes, int]) -> None:
    """Each id once. Sixteen bytes of an id stand for it, whatever its length."""
    first = seen.setdefault(blake2b(ticket_id.encode(), digest_size=16).digest(), line)
    if first != line:
        raise BadLine(f"the same id as line {first}")


def _id(value: Any) -> str:
    if value is None or value == "":
        raise BadLine("no ticket_id")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadLine("its id is neither a string nor a number")
    ticket_id = str(value)
    if _bytes(ticket_id) > LONGEST_ID:
        raise BadLine(f"its id is longer than {LONGEST_ID:,} bytes")
    return ticket_id


def _check_value(value: Any, depth: int = 0) -> None:
    """Check that DynamoDB takes a value.

    Raises BadLine.
    """
    if isinstance(value, str):
        _bytes(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value)
    elif isinstance(value, dict | list):
        if depth == _DEEPEST:
            raise BadLine(f"more than {_DEEPEST} maps or lists in one another")
        for each in value.values() if isinstance(value, dict) else value:
            _check_value(each, depth + 1)


def _check_number(number: float) -> None:
    if isinstance(number, int):
        if len(str(abs(number)).rstrip("0")) > _MOST_DIGITS or abs(number) >= _LARGEST:
            raise BadLine(f"a number of more than {_MOST_DIGITS} digits")
    elif not isfinite(number) or (number and not _SMALLEST <= abs(number) < _LARGEST):
        raise BadLine("a number that is too large or too small for DynamoDB")


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
