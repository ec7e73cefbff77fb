"""Failed tickets: `python -m tools.operate.failed_tickets {list,retry} --stack NAME`.

Exit codes: 0 done, 1 the person said no, 2 it cannot be done, 130 stopped.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nightshift.errors import TableRefused
from nightshift.tickets.table import TicketTable
from tools.local.night.screen import readable
from tools.operate.confirm import confirmed
from tools.operate.failed_tickets.table import (
    EMPTY,
    NO_REASON,
    FailedTicket,
    failed_tickets,
    retry,
)
from tools.operate.stack import Stack, Unusable, explained, find
from tools.options import add_stack
from tools.progress import bar
from tools.words import count

DONE, DECLINED, UNUSABLE, STOPPED = 0, 1, 2, 130
ROWS = 50
REASONLESS = "The ticket does not say why: there was no room left in it for a reason."


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    if isinstance(sys.stdout, type(sys.__stdout__)):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        with explained():
            stack = find(options.stack)
            if options.command == "list":
                return show(stack, console, options.reason, options.limit)
            return ask_again(stack, console, options)
    except KeyboardInterrupt:
        console.print(" Stopped. What was set back stays set back.", style="yellow")
        return STOPPED
    except (Unusable, TableRefused) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE


def show(stack: Stack, console: Console, reason: str | None, limit: int) -> int:
    """Print tickets as they are read, at most `limit` of them, then how many there are and why.

    Raises Unusable if there are failed tickets, but none for this reason.
    """
    counts: Counter[str] = Counter()
    sentences: dict[str, str] = {}
    shown = 0
    for ticket in failed_tickets(_table(stack)):
        counts[ticket.reason] += 1
        sentences.setdefault(ticket.reason, ticket.sentence or REASONLESS)
        if reason in (None, ticket.reason) and (shown < limit or not limit):
            shown += 1
            console.print(_row(ticket), soft_wrap=True)
    _must_be_known(reason, counts)
    wanted = counts[reason] if reason else counts.total()
    if wanted > shown:
        console.print(f" and {wanted - shown:,} more: LIMIT=0 lists all", style="dim")
    if counts:
        console.print(_summary(counts, sentences, stack))
    else:
        console.print(f" No ticket of {stack.name} is failed.", style="green")
    return DONE


def ask_again(stack: Stack, console: Console, options: argparse.Namespace) -> int:
    """Count, ask the person, set back.

    Raises Unusable if there are failed tickets, but none for this reason, or nobody to ask.
    """
    counts = Counter(t.reason for t in failed_tickets(_table(stack)))
    if not counts:
        console.print(f" No ticket of {stack.name} is failed: nothing to set back.")
        return DONE
    _must_be_known(options.reason, counts)
    reasons = [options.reason] if options.reason else sorted(counts.keys() - {EMPTY})
    if left := counts[EMPTY] if EMPTY not in reasons else 0:
        console.print(_left_out(left), style="dim")
    if not reasons:
        return DONE
    total = sum(counts[reason] for reason in reasons)
    what = count(total, "failed ticket")
    for reason in reasons:
        console.print(Text(f" {counts[reason]:>8,}  {readable(reason)}"))
    if options.dry_run:
        console.print(f" {what} of {stack.name} would ask again.")
        return DONE
    if not options.yes and not confirmed(console, f" Set {what} of {stack.name} to pending?"):
        console.print(" Nothing was changed.")
        return DECLINED
    _set_back(stack, console, reasons, total)
    return DONE


def _set_back(stack: Stack, console: Console, reasons: list[str], total: int) -> None:
    with bar(console, "Set back", total) as advance:
        done = retry(_table(stack), _chosen(stack, reasons), advance)
    asking = count(done.pending, "ticket asks", "tickets ask")
    console.print(f" {asking} again.", style="green")
    if done.changed:
        console.print(f" {done.changed:,} had changed meanwhile and were left as they are.")
    console.print(
        f" The next night takes them; to have it now: make start STACK={stack.name}",
        style="dim",
        soft_wrap=True,
    )


def _table(stack: Stack) -> TicketTable:
    return TicketTable(stack.dynamodb, stack.ticket_table)


def _chosen(stack: Stack, reasons: list[str]) -> Iterator[FailedTicket]:
    found = failed_tickets(_table(stack))
    return (ticket for ticket in found if ticket.reason in reasons)


def _left_out(empty: int) -> str:
    return (
        f" {count(empty, 'ticket has', 'tickets have')} no text and would be given up again: "
        f"left as failed. REASON={EMPTY} sets such tickets back."
    )


def _must_be_known(reason: str | None, counts: Counter[str]) -> None:
    if reason is None or reason in counts:
        return
    known = ", ".join(f"{readable(name)} ({tickets:,})" for name, tickets in counts.most_common())
    raise Unusable(
        f"No ticket is failed for the reason {reason!r}. "
        + (f"There are: {known}." if known else "No ticket is failed at all.")
    )


def _row(ticket: FailedTicket) -> Text:
    return Text.assemble(
        f" {readable(ticket.ticket_id):<20}  ",
        (readable(ticket.reason), "yellow"),
        (f"  {readable(ticket.sentence or REASONLESS)}", "dim"),
    )


def _summary(counts: Counter[str], sentences: dict[str, str], stack: Stack) -> Table:
    title = f"{counts.total():,} failed in {stack.name}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1))
    table.add_column("tickets", justify="right", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    table.add_column("for example", style="dim")
    for reason, tickets in counts.most_common():
        table.add_row(f"{tickets:,}", Text(readable(reason)), Text(readable(sentences[reason])))
    if counts.keys() - {EMPTY}:
        table.caption = f"To ask again: make tickets-retry STACK={stack.name} [REASON=...]"
    else:
        table.caption = "Without a text they would be given up again: sort them by hand."
    table.caption_justify = "left"
    return table


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tickets", description="The tickets of a stack that Nightshift gave up."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    lists = commands.add_parser("list", help="list failed tickets with their reasons")
    retries = commands.add_parser("retry", help="set failed tickets back to pending")
    for command in (lists, retries):
        add_stack(command)
        command.add_argument(
            "--reason",
            help=f"only these: the short name before the colon; {NO_REASON} for those without",
        )
    lists.add_argument(
        "--limit", type=_natural, default=ROWS, metavar="N", help=f"rows; 0: all; default {ROWS}"
    )
    retries.add_argument("--yes", action="store_true", help="do not ask")
    retries.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    return parser.parse_args(arguments)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
