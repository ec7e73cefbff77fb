"""A whole table read for its figures, with progress and what it costs, as a command tells it."""

from math import ceil

from rich.console import Console

from nightshift.task.task import load
from nightshift.tickets.table import TicketTable
from tools.operate.quality.scan import Scan, scan, size
from tools.operate.stack import Stack
from tools.progress import bar
from tools.words import count


def read(stack: Stack, console: Console, task_name: str | None) -> Scan:
    """Read the ticket table of a stack by its task, or by the one that is named."""
    task = load(task_name or stack.parameters["Task"])
    table = TicketTable(stack.dynamodb, stack.ticket_table)
    expected = size(table)
    console.print(
        f" Reads the whole table: about {count(expected.tickets, *task.items)}, "
        f"{count(ceil(expected.units), 'read unit')} (DynamoDB's figures of the last six hours).",
        style="dim",
    )
    with bar(console, "Read", expected.tickets or None) as advance:
        scanned = scan(table, task, advance)
    said = count(scanned.figures.tickets, *task.items)
    console.print(f" Read {said}: {scanned.units:,.1f} read units.\n", style="dim")
    return scanned
