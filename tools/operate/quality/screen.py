"""The figures as a terminal shows them."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nightshift.ending import mail
from nightshift.ending.mail import percent
from tools.local.night.screen import readable
from tools.operate.quality.figures import Confusion, Figures, Rate
from tools.words import count

IDS = 5
CHANGES = 20
LEAST = "Only what somebody looks at is corrected: at least so many were wrong."


def shown(figures: Figures, stack: str) -> Group:
    """All of it, the shares first."""
    return Group(*_parts(figures, stack))


def headline(figures: Figures) -> str:
    """What it comes to, in a sentence."""
    one, many = figures.task.items
    if not figures.all.of:
        return f"No answer of this task was found in {count(figures.tickets, one, many)}."
    answered = count(figures.all.of, *figures.task.items)
    were = "was" if figures.all.changed == 1 else "were"
    return f"{figures.all.changed:,} of {answered} {were} corrected."


def interval(rate: Rate) -> str:
    """A share with the interval around it, as a sentence."""
    return f"That is {mail.with_interval(rate.changed, rate.of)}."


def left_to_people(figures: Figures) -> Iterator[str]:
    """What was decided for the outputs that Claude was not sure of, a sentence for each."""
    for output, words in figures.decided.items():
        said = ", ".join(f"{word} {number:,}" for word, number in words.most_common())
        yield f"{output}: {count(words.total(), 'decision')} by people: {said}."
    if figures.waiting:
        yield f"{count(figures.waiting, *figures.task.items)} to decide."


def _parts(figures: Figures, stack: str) -> Iterator[RenderableType]:
    yield Text(f" {headline(figures)}", "bold")
    if figures.all.of:
        yield Text(f" {interval(figures.all)}")
        yield Text(f" {LEAST} docs/quality.md says how to know it of all.\n", "dim")
    for output, rates in figures.by_class():
        yield _table(output, ((word, rate) for word, rate in rates))
    if len(figures.versions) > 1:
        named = ((" ".join(filter(None, pair)), rate) for pair, rate in figures.by_version())
        yield _table("version", named)
    if confusions := figures.confusions():
        yield _changes(figures, confusions)
    for sentence in left_to_people(figures):
        yield Text(f" Left to people: {readable(sentence)}")
    if figures.waiting:
        yield Text(f" make review STACK={stack}", "dim")


def _table(title: str, rates: Iterator[tuple[str, Rate]]) -> Table:
    table = Table(box=None, padding=(0, 1), title_justify="left")
    table.add_column(readable(title), style="bold", overflow="fold")
    for name in ("answered", "corrected", "share", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for word, rate in rates:
        low, high = map(percent, rate.interval)
        between = f"{low} to {high}"
        numbers = (f"{rate.of:,}", f"{rate.changed:,}", percent(rate.share), between)
        table.add_row(Text(readable(word)), *numbers)
    table.add_row()
    return table


def _changes(figures: Figures, confusions: list[Confusion]) -> Table:
    table = Table(box=None, padding=(0, 1))
    table.add_column("from", overflow="fold")
    table.add_column("to", overflow="fold")
    table.add_column("times", justify="right")
    table.add_column("tickets, newest first", style="dim", overflow="fold")
    for each in confusions[:CHANGES]:
        was, became = map(readable, each.pair)
        before = f"{each.output}: " if len(figures.task.output) > 1 else ""
        times = f"{len(each.corrections):,}"
        table.add_row(Text(before + was), Text(became), times, Text(_ids(each)))
    if len(confusions) > CHANGES:
        table.add_row(Text(f"and {len(confusions) - CHANGES:,} rarer changes: OUT= shows more"))
    table.add_row()
    return table


def _ids(confusion: Confusion) -> str:
    ids = [readable(each.ticket_id)[:40] for each in confusion.corrections[:IDS]]
    more = len(confusion.corrections) - len(ids)
    return ", ".join(ids) + (f" and {more:,} more" if more else "")
