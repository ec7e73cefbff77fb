"""A deployed table as a file: `python -m tools.desk.export --stack NAME --out FILE`.

Exit codes: 0 done, 2 it cannot be done, 130 stopped: no file was written.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from nightshift.errors import NightshiftError
from nightshift.task.task import load
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import FAILED, PENDING, REVIEW
from tools.desk.export.rows import ANSWERED, columns_of, scan, writer
from tools.desk.files.problems import UnusableFile
from tools.desk.files.rows import SUFFIXES
from tools.operate.stack import Stack, Unusable, explained, find
from tools.options import add_stack_and_task
from tools.words import count

DONE, UNUSABLE, STOPPED = 0, 2, 130
_TELL_EVERY = 1_000


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    try:
        with explained():
            return _export(find(options.stack), console, options)
    except KeyboardInterrupt:
        console.print(" Stopped. No file was written.", style="yellow")
        return STOPPED
    except (Unusable, UnusableFile, NightshiftError) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE


def _export(stack: Stack, console: Console, options: argparse.Namespace) -> int:
    path: Path = options.out
    if not path.name.lower().endswith(SUFFIXES):
        raise UnusableFile(f"{path} is none of {', '.join(SUFFIXES)}: its name says what it is.")
    task = load(options.task or stack.parameters["Task"])
    table = TicketTable(stack.dynamodb, stack.ticket_table)
    columns = columns_of(table.key, task)
    written = 0
    try:
        with console.status(" Reading the table") as status, writer(path, columns) as write:
            for written, item in enumerate(scan(table, columns, options.status), start=1):
                write(item)
                if written % _TELL_EVERY == 0:
                    status.update(f" {written:,} {task.items[1]}")
    except OSError as error:
        raise UnusableFile(f"{path} cannot be written: {error.strerror or error}.") from None
    console.print(f" {count(written, *task.items)} of {stack.name} in {path}", style="green")
    return DONE


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make tickets-export", description="The tickets of a stack as a file."
    )
    add_stack_and_task(parser)
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help=f"{', '.join(SUFFIXES)}"
    )
    parser.add_argument(
        "--status", choices=(PENDING, FAILED, REVIEW, ANSWERED), help="only tickets of this status"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
