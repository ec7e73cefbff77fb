"""What was tried, as a person reads it: the prompt to the letter, each ticket beside its answer."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from nightshift.claude.money import BATCH_FACTOR
from nightshift.quality.gold import UNKNOWN, classes_of
from nightshift.task import redaction
from tools.desk.try_task.asking import Trial, Tried
from tools.local.night.screen import readable
from tools.words import count

_PER = 1_000


def prompt(trial: Trial) -> RenderableType:
    """What all requests share."""
    settings = msgspec.json.encode(trial.params).decode()
    return Group(
        Panel(Text(visible(trial.task.system_prompt)), title="the system prompt, sent each time"),
        Text(f" and: {visible(settings)}\n", "dim"),
    )


def ticket(tried: Tried, trial: Trial) -> RenderableType:
    """One ticket: the message as it was sent beside what came back."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(ratio=3)
    table.add_column(ratio=2)
    sent = Text(visible(tried.message)) if tried.message else Text("nothing was sent", "dim")
    table.add_row(sent, Group(*_outcome(tried, trial)))
    return Panel(table, title=Text(readable(tried.row.ticket_id)[:60]), title_align="left")


def _outcome(tried: Tried, trial: Trial) -> Iterator[Text]:
    if tried.problem:
        yield Text(readable(tried.problem), "bold red")
    if tried.said and (tried.problem or trial.task.contract.schema is not None):
        yield Text(visible(tried.said))
    if tried.answer:
        for name, value in tried.answer.values.items():
            right = tried.row.expected.get(name)
            yield Text(f"{name}: {visible(_spelled(value))}", "bold green")
            if right is not None and right != classes_of(trial.task.output[name], value):
                known = "a value that the task does not have" if UNKNOWN in right else right
                yield Text(f"the file says: {_spelled(known)}", "yellow")
        for name in tried.answer.unsure:
            yield Text(f"{name}: left to a person", "yellow")
    yield from _notes(tried, trial)


def _notes(tried: Tried, trial: Trial) -> Iterator[Text]:
    for name, characters in tried.cut.items():
        yield Text(f"cut: {characters:,} characters of {name} were not sent", "yellow")
    if tried.redacted:
        yield Text(f"redacted: {redaction.said(tried.redacted)}", "yellow")
    if tried.usage.output_tokens:
        used, cost = tried.usage, trial.price.request_cost(tried.usage)
        tokens = f"{used.prompt_tokens:,} tokens in, {used.output_tokens:,} out"
        yield Text(f"{tokens}, {usd(cost)}", "dim")


def summary(trial: Trial, requests: int, total: int) -> RenderableType:
    """What it cost, and what a night of the file would. `requests` are the tickets of the file
    that would be sent, `total` all of them."""
    asked, answered = len(trial.tried), trial.answered
    lines = [
        Text.assemble(
            (f"{count(asked, *trial.task.items)} tried", "bold"),
            f" with {readable(trial.task.name)} and {readable(trial.model)}: "
            f"{len([t for t in answered if not t.problem])} answered as the task allows, "
            f"{usd(trial.cost)} in real time.",
        )
    ]
    if answered:
        each = trial.cost * BATCH_FACTOR / len(answered)
        used = trial.usage
        lines.append(
            Text(
                f"On average {used.prompt_tokens / len(answered):,.0f} tokens in and "
                f"{used.output_tokens / len(answered):,.1f} out. A night of the file "
                f"({count(total, *trial.task.items)}, {requests:,} to send), in batches, at that "
                f"average: {usd(each * requests)}; a thousand: {usd(each * _PER)}."
            )
        )
    return Padding(Group(*lines), (0, 1))


def visible(text: str) -> str:
    """A text to the letter, but with what would move the cursor spelled as an escape."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )


def usd(amount: Decimal) -> str:
    """To the cent from ten cents on; below, with two digits that say something."""
    return f"${amount:.2g}" if 0 < amount < Decimal("0.1") else f"${amount:,.2f}"


def _spelled(value: object) -> str:
    if isinstance(value, Mapping | list | tuple):
        return ", ".join(map(str, value))
    return str(value)
