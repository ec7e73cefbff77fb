"""Answered tickets: `python -m tools.desk.again --stack NAME`.

Exit codes: 0 done, 1 the person said no, 2 it cannot be done, 130 stopped.
"""

import argparse
import sys
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from nightshift.errors import NightshiftError
from nightshift.task.task import Task, load
from nightshift.tickets.table import TicketTable
from tools.desk.again.table import Found, Wanted, find, may_choose_by
from tools.desk.cost.compare import Tickets, offer
from tools.operate.confirm import confirmed
from tools.operate.pending import ask_again
from tools.operate.stack import Stack, Unusable, explained
from tools.operate.stack import find as find_stack
from tools.options import add_stack_and_task, positive
from tools.progress import bar
from tools.words import count

DONE, DECLINED, UNUSABLE, STOPPED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    try:
        with explained():
            stack = find_stack(options.stack)
            return again(stack, console, options)
    except KeyboardInterrupt:
        console.print(" Stopped. What was set to pending stays pending.", style="yellow")
        return STOPPED
    except (Unusable, NightshiftError) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE


def again(stack: Stack, console: Console, options: argparse.Namespace) -> int:
    """Count, say what it would cost, ask the person, set to pending.

    Raises Unusable if tickets are chosen by no output of the task, or nobody is there to ask.
    """
    task, model = load(options.task or stack.parameters["Task"]), stack.parameters["Model"]
    wanted = _wanted(options, task)
    table = TicketTable(stack.dynamodb, stack.ticket_table)
    with console.status(" Reading the table") as status:
        found = find(table, task, model, wanted, lambda n: status.update(f" {n:,} tickets read"))
    one, many = task.items
    if found.of_people:
        said = count(found.of_people, f"{one} was", f"{many} were")
        console.print(f" {said} corrected or decided by a person: left alone.", style="dim")
    if not found.tickets:
        console.print(f" No other {one} of {stack.name} is answered so: nothing to ask again.")
        return DONE
    what = count(len(found.tickets), *task.items)
    console.print(f" {what} of {stack.name}: about ${_cost(found, task, model):,.4f} in batches.")
    if not options.yes and not confirmed(console, f" Ask again about {what}?"):
        console.print(" Nothing was changed.")
        return DECLINED
    _ask(table, found, console, task)
    return DONE


def _ask(table: TicketTable, found: Found, console: Console, task: Task) -> None:
    changes = (ticket.asked_anew() for ticket in found.tickets)
    with bar(console, "Set to pending", len(found.tickets)) as advance:
        asked = ask_again(table, changes, advance)
    one, many = task.items
    said = count(asked.pending, f"{one} asks", f"{many} ask")
    console.print(f" {said} again: the next night takes them.", style="green")
    if asked.changed:
        console.print(f" {asked.changed:,} had changed meanwhile and were left as they are.")


def _cost(found: Found, task: Task, model: str) -> Decimal:
    """About what the tickets would cost in batches, in USD."""
    asked = Tickets("", len(found.tickets), empty=0, left_out=0, tokens=found.tokens)
    return offer(asked, task, model).batch


def _wanted(options: argparse.Namespace, task: Task) -> Wanted:
    name, equals, value = (options.where or "").partition("=")
    if options.where and (not equals or name not in may_choose_by(task)):
        known = ", ".join(f"{each}=..." for each in may_choose_by(task))
        raise Unusable(f"WHERE={options.where} chooses by nothing that is known: say {known}.")
    return Wanted(options.older, name, value, options.limit)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make tickets-again", description="Ask again about tickets that have an answer."
    )
    add_stack_and_task(parser)
    parser.add_argument(
        "--older",
        action="store_true",
        help="only those that another version of the task answered: another file, model or setting",
    )
    parser.add_argument("--where", metavar="NAME=VALUE", help="only those with this answer")
    parser.add_argument(
        "--limit", type=positive("number of tickets"), metavar="N", help="at most so many"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
