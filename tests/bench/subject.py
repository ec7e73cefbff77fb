"""What one part of the benchmark found: a table, the targets it decides, the numbers behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Target:
    """A target of the project, and what was measured for it."""

    what: str
    target: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class Subject:
    """One table. The first column of a row names it; the others are read as numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    targets: Sequence[Target] = ()
    numbers: Any = field(default_factory=dict)


def show(console: Console, subject: Subject) -> None:
    table = Table(title=subject.title, title_justify="left", title_style="bold", box=None)
    for position, name in enumerate(subject.columns):
        table.add_column(name, justify="right" if position else "left", header_style="dim")
    for row in subject.rows:
        table.add_row(*row)
    notes = [Text(note, style="dim") for note in subject.notes]
    console.print(Group(table, *notes), "")


def show_targets(console: Console, targets: Sequence[Target]) -> None:
    table = Table(title="Targets", title_justify="left", title_style="bold", box=None)
    for name in ("what", "target", "measured", ""):
        table.add_column(name, header_style="dim")
    for target in targets:
        verdict = Text("holds", "green") if target.holds else Text("does not hold", "bold red")
        table.add_row(target.what, target.target, target.measured, verdict)
    console.print(table)
