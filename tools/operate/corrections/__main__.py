"""Corrections as examples for the task file: `python -m tools.operate.corrections --stack NAME`.

Only the TOML goes to standard output. Exit codes: 0 done, 1 some corrections are no examples, 2 it
cannot be done, 130 stopped.
"""

import argparse
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from nightshift.dry_run.forecast import plain_tokens
from nightshift.errors import NightshiftError
from nightshift.task.task import Task
from nightshift.tickets.table import TicketTable
from tools.operate.corrections.examples import Example, chosen, examples, spelled
from tools.operate.quality.reading import read
from tools.operate.stack import Stack, Unusable, explained, find
from tools.options import add_stack_and_task, positive
from tools.words import count

DONE, LOOK, UNUSABLE, STOPPED = 0, 1, 2, 130
EXAMPLES = 20
HEAD = """\
# {examples} that people corrected in {stack}, the most frequent changes first.
# This is your customers' text. It leaves the table here: into this file, into whatever keeps the
# file's versions, and with every request to Claude. Take out names and numbers, or write such
# tickets anew, and keep the few that teach most.
# About {tokens:,} more tokens in each request: see the cost with `make cost TASK=...`.

"""


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False, stderr=True)
    try:
        with explained():
            return show(find(options.stack), console, options)
    except KeyboardInterrupt:
        console.print(" Stopped.", style="yellow")
        return STOPPED
    except (Unusable, NightshiftError) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE


def show(stack: Stack, console: Console, options: argparse.Namespace) -> int:
    """Print up to so many examples; say how many corrections are none."""
    figures = read(stack, console, options.task).figures
    table = TicketTable(stack.dynamodb, stack.ticket_table)
    found = examples(table, figures.task, chosen(figures.confusions()))
    taken, left_out = _first(found, options.n)
    if taken:
        sys.stdout.write(_toml(taken, figures.task, stack))
    else:
        console.print(f" No correction in {stack.name} can be an example yet.", style="yellow")
    if left_out:
        said = count(left_out, "corrected ticket")
        console.print(
            f" {said} left out: they are gone, ask again, or hold what the task does not allow.",
            style="yellow",
        )
    return LOOK if left_out else DONE


def _first(found: Iterable[Example | None], most: int) -> tuple[list[Example], int]:
    """The first examples, at most so many; and how many corrected tickets before them are none."""
    taken: list[Example] = []
    left_out = 0
    for each in found:
        if each is None:
            left_out += 1
            continue
        taken.append(each)
        if len(taken) == most:
            break
    return taken, left_out


def _toml(taken: list[Example], task: Task, stack: Stack) -> str:
    longer = task.model_copy(update={"examples": (*task.examples, *taken)})
    tokens = plain_tokens(longer.system_prompt) - plain_tokens(task.system_prompt)
    head = HEAD.format(
        examples=count(len(taken), *task.items).capitalize(), stack=stack.name, tokens=tokens
    )
    return head + spelled(taken)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make corrections", description="Corrected answers as examples for the task file."
    )
    add_stack_and_task(parser)
    parser.add_argument(
        "-n", type=positive("number of examples"), default=EXAMPLES, help=f"so many, {EXAMPLES}"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
