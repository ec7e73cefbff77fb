"""After the night: the local cloud stays up, and what can be tried on it is printed."""

import signal
from contextlib import suppress

from rich.console import Console
from rich.text import Text

from tools.local.cloud.cloud import LocalCloud
from tools.local.cloud.kept import LOCAL, kept_up

COMMANDS = (
    ("the night as a page", "make night-report STACK={stack}"),
    ("tickets that were given up", "make tickets-failed STACK={stack}"),
    ("ask these again", "make tickets-retry STACK={stack} YES=1"),
    ("decide what Claude left to people", "make review STACK={stack}"),
    ("what people corrected", "make quality STACK={stack}"),
    ("the same as examples for the task", "make corrections STACK={stack}"),
    ("ask answered ones again", "make tickets-again STACK={stack} LIMIT=10 YES=1"),
    ("the tickets as a file", "make tickets-export STACK={stack} OUT=.build/tickets.csv"),
    ("a file into the table", "make tickets-load STACK={stack} TICKETS=.build/tickets.csv"),
    ("count, and estimate the cost", "make start STACK={stack} INPUT='{{\"dry_run\": true}}'"),
    ("a small night", "make start STACK={stack} INPUT='{{\"limit\": 100}}'"),
    ("a whole one", "make start STACK={stack}"),
)
"""What every command for a deployed stack does, and the line to paste, in an order that works."""


def lines(stack: str = LOCAL) -> list[tuple[str, str]]:
    """What each command does, and the command itself."""
    return [(what, command.format(stack=stack)) for what, command in COMMANDS]


def stay_up(cloud: LocalCloud, stack: str, console: Console) -> None:
    """Keep the cloud where other processes find it, say what to try, and wait for Ctrl-C."""
    with kept_up(cloud, stack):
        console.print(" The local cloud stays up. In another terminal, in this directory:\n")
        widest = max(len(command) for _, command in lines())
        for what, command in lines():
            line = Text.assemble("   ", f"{command:{widest}}", (f"  # {what}", "dim"))
            console.print(line, soft_wrap=True)
        console.print("\n Ctrl-C ends it, with all that it holds.", style="yellow")
        with suppress(KeyboardInterrupt):
            signal.pause()
    console.print(" The local cloud has ended.", style="yellow")
