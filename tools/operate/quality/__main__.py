"""What people changed and decided: `python -m tools.operate.quality --stack NAME`.

Exit codes: 0 done, 2 it cannot be done, 130 stopped.
"""

import argparse
import sys
from math import ceil
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from nightshift.errors import NightshiftError
from nightshift.task.task import load
from nightshift.tickets.table import TicketTable
from tools.operate.quality.page import page
from tools.operate.quality.scan import Scan, scan, size
from tools.operate.quality.screen import shown
from tools.operate.stack import Stack, Unusable, explained, find
from tools.words import count

DONE, UNUSABLE, STOPPED = 0, 2, 130


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    try:
        with explained():
            stack = find(options.stack)
            scanned = read(stack, console, options.task)
        console.print(shown(scanned.figures, stack.name))
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(page(scanned, stack), encoding="utf-8")
            console.print(f" The page: {options.out.resolve().as_uri()}", soft_wrap=True)
    except KeyboardInterrupt:
        console.print(" Stopped.", style="yellow")
        return STOPPED
    except (Unusable, NightshiftError, OSError) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE
    return DONE


def read(stack: Stack, console: Console, task_name: str | None) -> Scan:
    """Read the whole table of a stack, and say what that costs."""
    task = load(task_name or stack.parameters["Task"])
    table = TicketTable(stack.dynamodb, stack.ticket_table)
    expected = size(table)
    console.print(
        f" Reads the whole table: about {count(expected.tickets, *task.items)}, "
        f"{count(ceil(expected.units), 'read unit')} (DynamoDB's figures of the last six hours).",
        style="dim",
    )
    columns = (
        TextColumn(" Read"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=expected.tickets or None)
        scanned = scan(table, task, lambda n: progress.advance(bar, n))
    said = count(scanned.figures.tickets, *task.items)
    console.print(f" Read {said}: {scanned.units:,.1f} read units.\n", style="dim")
    return scanned


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make quality", description="What people changed of the answers, and decided."
    )
    parser.add_argument("--stack", required=True, help="the name of the deployed stack")
    parser.add_argument(
        "--task", help="the stack's task as it stands here: a name in tasks/, or a TOML file"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it as a page too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
