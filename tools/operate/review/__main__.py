"""The page of what waits for a person: `python -m tools.operate.review --stack NAME`.

Exit codes: 0 ended (Ctrl-C is how it ends) or nothing waits, 1 what waits cannot be decided here,
2 it cannot be shown.
"""

import argparse
import sys

from rich.console import Console
from rich.text import Text

from nightshift.errors import NightshiftError
from nightshift.task.task import load
from nightshift.tickets.table import TicketTable
from tools import browser
from tools.operate.review.server import listening
from tools.operate.review.sitting import Sitting
from tools.operate.stack import Stack, Unusable, explained, find
from tools.options import add_stack_and_task
from tools.words import count

DONE, LOOK, UNUSABLE = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    try:
        with explained():
            stack = find(options.stack)
            task = load(options.task or stack.parameters["Task"])
            sitting = Sitting(TicketTable(stack.dynamodb, stack.ticket_table), task)
            if sitting.current() is None:
                console.print(_nothing(sitting, stack))
                return LOOK if sitting.undecidable else DONE
        serve(sitting, stack, console, not options.no_open)
    except KeyboardInterrupt:
        return DONE
    except (Unusable, NightshiftError) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE
    decided = count(sitting.done, *task.items)
    console.print(f"\n Ended. You have decided {decided}; {sitting.waits:,} to go.", style="yellow")
    return DONE


def serve(sitting: Sitting, stack: Stack, console: Console, opens: bool) -> None:
    """Show the page to whoever has its address, until Ctrl-C."""
    with listening(sitting, stack.name) as (address, server):
        waiting = count(sitting.waits, *sitting.task.items)
        console.print(f" {waiting} of {stack.name} to decide. The page, for one browser:\n")
        console.print(Text(f"   {address}\n"), soft_wrap=True)
        console.print(" Ctrl-C ends it.", style="yellow")
        if opens:
            browser.visit(address)
        server.serve_forever()  # until Ctrl-C, which it takes as its end


def _nothing(sitting: Sitting, stack: Stack) -> Text:
    one, many = sitting.task.items
    if sitting.undecidable:
        said = count(len(sitting.undecidable), f"{one} has", f"{many} have")
        return Text(
            f" {said} the status review, but nothing of it is open by today's task "
            f"{sitting.task.name}: decide by hand, or ask again (docs/operate.md, How to).",
            "yellow",
        )
    return Text(
        f" No {one} of {stack.name} waits for a person. The key unsure of a task file leaves "
        f"{many} to people (docs/tasks.md).",
        "green",
    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make review", description="Decide what Claude has left to a person."
    )
    add_stack_and_task(parser)
    parser.add_argument("--no-open", action="store_true", help="only say where the page is")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
