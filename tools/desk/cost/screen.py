"""The comparison as a person reads it."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nightshift.claude.money import CACHE_HITS
from nightshift.task.task import Task
from tools.desk.cost.compare import Offer, Tickets
from tools.local.night.screen import readable
from tools.words import count

NIGHTS_A_YEAR = 365


def comparison(tickets: Tickets, offers: Sequence[Offer], task: Task) -> RenderableType:
    left_out = f"; lines left out: {tickets.left_out:,}" if tickets.left_out else ""
    title = Text.assemble(
        (count(tickets.count, *task.items), "bold"),
        f" in {readable(tickets.name)}, {tickets.empty:,} of them without any text{left_out}. ",
        "Taken as what comes in for one night.",
    )
    thousand, notes = _a_thousand(tickets, offers[0], task), _notes(offers, task)
    return Padding(Group(title, *thousand, _table(offers), *notes), (1, 1))


def _a_thousand(tickets: Tickets, offer: Offer, task: Task) -> Iterator[Text]:
    """What the model asked for takes for a thousand; nothing where there is no request."""
    if tickets.requests:
        thousand = _usd(offer.batch * 1_000 / tickets.requests)
        yield Text(f"A thousand such {task.items[1]} in batches of {offer.model}: {thousand}.")


def _table(offers: Sequence[Offer]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False, collapse_padding=True)
    table.add_column("\nmodel", no_wrap=True)
    for title in ("tokens\nin", "tokens\nout"):
        table.add_column(title, justify="right", no_wrap=True)
    for span in ("a night", "a year"):
        for way in ("real time", "batches"):
            table.add_column(f"{span}\n{way}", justify="right", no_wrap=True)
    for offer in offers:
        table.add_row(
            offer.model + "*" * offer.thinks + "+" * offer.caches,
            _tokens(offer.usage.prompt_tokens),
            _tokens(offer.usage.output_tokens),
            _usd(offer.realtime),
            _usd(offer.batch),
            _usd(offer.realtime * NIGHTS_A_YEAR),
            _usd(offer.batch * NIGHTS_A_YEAR),
            style="bold green" if offer.asked else "",
            end_section=offer.asked,
        )
    return table


def _notes(offers: Sequence[Offer], task: Task) -> Iterator[Text]:
    yield Text(
        f"A year is {NIGHTS_A_YEAR} nights like this one. If the file is a month's export, read "
        "a night as that month: a year then costs twelve times as much.",
        "dim",
    )
    yield Text(
        "Tokens by characters: four ASCII characters each, or one other; from generation 4.7 on "
        f"30 % more. {_answer(task)} What Claude counts itself: a dry run.",
        "dim",
    )
    if any(offer.thinks for offer in offers):
        yield Text("* always thinks first: the task's max_tokens is shown, it needs more.", "dim")
    if any(offer.caches for offer in offers):
        hits = f"{CACHE_HITS:.0%} of the requests are assumed to find it there"
        yield Text(f"+ the system prompt is long enough to be cached: {hits}.", "dim")


def _answer(task: Task) -> str:
    """What is taken for an answer, and what of a request is left out."""
    if task.contract.schema is None:
        return "An answer is a label."
    return (
        "Of a text in an answer half of what is asked for is reckoned. What Claude adds to the "
        "prompt for an answer in JSON is not."
    )


def _tokens(tokens: int) -> str:
    """In thousands, but where these would say little or nothing."""
    return f"{tokens:,}" if tokens < 10_000 else f"{tokens / 1e3:,.0f} k"


def _usd(amount: Decimal) -> str:
    """To the cent, but never a cost as nothing and no cents on thousands."""
    if 0 < amount < Decimal("0.0001"):
        return "<$0.0001"
    digits = 4 if amount < Decimal("0.1") else 2 if amount < 1_000 else 0
    return f"${amount:,.{digits}f}"
