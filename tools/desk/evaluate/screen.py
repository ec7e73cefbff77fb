"""The figures as a person reads them in a terminal."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nightshift.ending import mail
from tools.desk.evaluate.judging import Card, Flips
from tools.desk.try_task.screen import usd
from tools.local.night.screen import readable
from tools.words import duration

_IDS = 8
PRECISE = 0.05
"""Below it, a difference is called unlikely to be chance."""


def comparison(cards: Sequence[Card], changes: Sequence[Flips]) -> RenderableType:
    return Padding(Group(_table(cards), *map(_change, changes), *_notes(cards)), (1, 1))


def _table(cards: Sequence[Card]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False, collapse_padding=True)
    table.add_column("\ntask, model")
    for title in ("\nright", "95 %\ninterval", "of\n", "un-\nusable", "a thou-\nsand", "\ntook"):
        table.add_column(title, justify="right", no_wrap=True)
    for card in cards:
        low, high = card.interval
        table.add_row(
            readable(card.name),
            percent(card.accuracy),
            f"{100 * low:.0f} to {100 * high:.0f}",
            f"{len(card.rows):,}",
            f"{card.unusable:,}",
            usd(card.thousand),
            duration(card.took),
        )
    return table


def _change(change: Flips) -> Text:
    said = Text.assemble(
        f"From {readable(change.before)} to {readable(change.after)}: ",
        (f"{len(change.better):,} become right", "green"),
        ", ",
        (f"{len(change.worse):,} wrong", "red"),
        f", of {change.both:,}. {verdict(change)}",
    )
    for title, ids in (("right", change.better), ("wrong", change.worse)):
        if ids:
            more = f" and {len(ids) - _IDS:,} more" if len(ids) > _IDS else ""
            said.append(f"\n  {title}: {', '.join(map(readable, ids[:_IDS]))}{more}", "dim")
    return said


def verdict(change: Flips) -> str:
    """The sign test in a sentence."""
    if not (change.better or change.worse):
        return "No answer becomes right or wrong."
    if change.chance >= PRECISE:
        return f"That may be chance (sign test, p = {change.chance:.2g})."
    return f"Chance alone is unlikely to do that (sign test, p = {change.chance:.2g})."


def _notes(cards: Sequence[Card]) -> Iterator[Text]:
    for card in cards:
        for number, what in notes(card):
            yield Text(f"{readable(card.name)}: {number:,} {what}.", "dim")


def notes(card: Card) -> Iterator[tuple[int, str]]:
    """What of a series is not as one would wish, with how many rows."""
    found = [
        (card.unusable, "answers are none that the task allows; they count as wrong"),
        (card.unsure, "answers leave something to a person; these tickets are not compared"),
        (card.unanswered, "requests have no answer (expired, or refused one by one)"),
        (card.unlabelled, "tickets have no right answer in the file; they are asked, not compared"),
        (card.unknown, "tickets expect a value that the task does not have; every answer is wrong"),
        (card.empty, "tickets have no text and are not sent"),
    ]
    return ((number, what) for number, what in found if number)


def percent(part: float | None) -> str:
    return "-" if part is None else mail.percent(part)
