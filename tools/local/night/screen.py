"""What the person sees while it works: one line a step, and how long it took."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDEST = 100


def readable(text: str) -> str:
    """Text of strangers, such as a ticket's id, without what would move the cursor or the line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@dataclass
class Step:
    """What came of a step, to be filled in by whoever makes it."""

    result: str = ""
    good: bool = True


@contextmanager
def timed(console: Console, what: str) -> Iterator[Step]:
    """Say in one line what came of a step, and how long it took."""
    done = Step()
    started = monotonic()
    yield done
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(width=1)
    line.add_column(width=7)
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    seconds = Text(f"{monotonic() - started:.1f} s", "dim")
    mark = Text("✓", "green") if done.good else Text("✗", "bold red")
    line.add_row(mark, what, Text(done.result), seconds)
    console.print(Padding(line, (0, 1)), width=min(console.width, WIDEST))


@contextmanager
def step(console: Console, what: str, hint: str = "") -> Iterator[Step]:
    """The same, with something that moves meanwhile."""
    with timed(console, what) as done, console.status(f"{what} [dim]{hint}[/]"):
        yield done
