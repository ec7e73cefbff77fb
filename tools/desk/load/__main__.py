"""Tickets into a deployed table: `python -m tools.desk.load --stack NAME --tickets FILE`.

Exit codes: 0 done, 1 done, but look: something was left out, 2 it cannot be done, 130 stopped.
"""

import argparse
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nightshift.errors import NightshiftError
from nightshift.task.task import Task, load
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import EXPECTED
from tools.desk.files.columns import parse_map
from tools.desk.files.problems import UnusableFile
from tools.desk.files.tickets import Findings, Source, add_tickets_options, check, read
from tools.desk.load.loading import Loaded, Loader
from tools.operate.stack import Stack, Unusable, explained, find
from tools.options import add_stack_and_task
from tools.progress import bar
from tools.words import count

DONE, LOOK, UNUSABLE, STOPPED = 0, 1, 2, 130
LINES_SHOWN = 20


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    try:
        with explained():
            return _load(find(options.stack), console, options)
    except KeyboardInterrupt:
        console.print(
            " Stopped. What was loaded stays; the same command loads the rest.", style="yellow"
        )
        return STOPPED
    except (Unusable, UnusableFile, NightshiftError) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE


def _load(stack: Stack, console: Console, options: argparse.Namespace) -> int:
    """Read the whole file first: a wrong one changes nothing in the table."""
    task = load(options.task or stack.parameters["Task"])
    table = TicketTable(stack.dynamodb, stack.ticket_table)
    asked = Source(options.tickets, task, parse_map(options.map), key=table.key)
    with console.status(" Reading the file"):
        findings = check(asked)
    if findings.encoding:
        console.print(f" Read as {findings.encoding}.", style="dim")
    loader = Loader(table, task.inputs, [f"{EXPECTED}{name}" for name in task.output])
    with bar(console, "Loading", findings.tickets) as advance:
        loaded = loader.load(read(asked, Findings()), advance)
    console.print(_summary(loaded, findings, task))
    for line in _left_out(loaded, findings):
        console.print(Text(f" {line}", "yellow"), soft_wrap=True)
    return LOOK if findings.bad_lines or loaded.busy or loaded.too_large else DONE


def _summary(loaded: Loaded, findings: Findings, task: Task) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    left_out = len(findings.bad_lines) + loaded.busy + loaded.too_large
    rows = (
        (loaded.new, "new", "pending: the next night asks about them"),
        (loaded.changed, "changed", "their text has changed: pending again"),
        (loaded.noted, "noted", "the same text; a date or a right answer was added"),
        (loaded.unchanged, "unchanged", "nothing was written"),
        (left_out, "left out", "named below"),
    )
    for number, name, meaning in rows:
        if number or name in ("new", "changed", "unchanged"):
            table.add_row(f" {number:,}", name, meaning)
    table.title = f" {count(findings.tickets, *task.items)} in the file"
    table.title_justify = "left"
    return table


def _left_out(loaded: Loaded, findings: Findings) -> Iterator[str]:
    for line, reason in findings.bad_lines[:LINES_SHOWN]:
        yield f"line {line}: {reason}"
    if len(findings.bad_lines) > LINES_SHOWN:
        yield f"and {len(findings.bad_lines) - LINES_SHOWN:,} more lines"
    if loaded.busy:
        yield f"{loaded.busy:,} kept changing in the table: load the file again"
    if loaded.too_large:
        yield f"{loaded.too_large:,} would be larger than DynamoDB's 400 KB"
    if findings.cut:
        yield f"{len(findings.cut):,} were cut to fit into DynamoDB's 400 KB: {findings.cut[0]} ..."


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make tickets-load", description="Tickets of a file into the table of a stack."
    )
    add_stack_and_task(parser)
    add_tickets_options(parser)
    options = parser.parse_args(arguments)
    if options.tickets is None:
        parser.error("name the file: TICKETS=file (--tickets)")
    return options


if __name__ == "__main__":
    sys.exit(main())
