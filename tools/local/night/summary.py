"""The end of the night, for a person to enjoy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tools.local.night import keep
from tools.local.night.keep import Tickets
from tools.local.night.screen import readable
from tools.local.night.tickets import Findings
from tools.words import count, share, usd

IDS_SHOWN = 3
ID_CELLS = 24
NOTHING_MISSING = ("complete", "nothing_to_do")
NIGHTS_A_YEAR = 365


@dataclass(frozen=True)
class Night:
    """All that a summary tells. `output` is the workflow's, with the contract's names."""

    output: dict[str, Any]
    tickets: Tickets
    findings: Findings
    model: str
    real: bool
    directory: Path

    def complaints(self) -> list[str]:
        """What kept it from being a good night; nothing, if it was one."""
        output = self.output
        found = []
        if output["status"] not in NOTHING_MISSING:
            why = output.get("reason", "no reason given")
            found.append(f"The run ended as {output['status']} ({why}).")
        accounted = (
            output["classified"] + output["superseded"] + output["requeued"]
            + output["failed"] - output["empty"]
        )  # fmt: skip
        if accounted != output["submitted"]:
            found.append(
                f"The books do not balance: {count(output['submitted'], 'request')}, "
                f"{count(accounted, 'end')}."
            )
        if output["pending"] or self.tickets.undecided:
            waiting = max(output["pending"], self.tickets.undecided)
            found.append(f"{count(waiting, 'ticket is', 'tickets are')} pending.")
        total = self.tickets.categories.total() + sum(map(len, self.tickets.failed.values()))
        if total + self.tickets.undecided != self.findings.tickets:
            found.append(f"{count(self.findings.tickets, 'ticket')} went in, {total:,} came out.")
        empty, classified = output["empty"], self.tickets.categories.total()
        if empty > classified:
            found.append(
                f"{count(empty, 'ticket has', 'tickets have')} no text in subject or body, more "
                "than have a category. Is the text in other columns of the file?"
            )
        given_up = sum(map(len, self.tickets.failed.values())) - empty
        if given_up > classified:
            found.append(
                f"{count(given_up, 'ticket was', 'tickets were')} given up, more than have a "
                "category: see the reasons below. If Claude's answers are no categories, look at "
                "the prompt, max_tokens and the model's settings in task.toml, and try again."
            )
        return found


def summary(night: Night) -> RenderableType:
    """The whole summary, for a console of 60 columns or more."""
    parts: list[RenderableType] = [_headline(night)]
    if night.tickets.categories:
        parts += [_title("Categories"), _categories(night)]
    if night.tickets.failed:
        parts += [_title("Failed"), _failed(night.tickets)]
    if night.findings.bad_lines or night.findings.cut:
        parts += [_title("The file"), Text("\n").join(_file(night.findings))]
    parts += [_title("Books"), _books(night.output), _title("Money"), _money(night)]
    parts += [_title("To look into"), _files(night.directory)]
    return Padding(Group(*parts), (1, 1, 0, 1))


def _headline(night: Night) -> RenderableType:
    complaints = night.complaints()
    if complaints:
        return Group(*(Text(f"✗ {complaint}", "bold red") for complaint in complaints))
    classified = night.tickets.categories.total()
    return Text(
        f"A good night: {classified:,} of {count(night.findings.tickets, 'ticket')} "
        f"{'has' if classified == 1 else 'have'} a category.",
        "bold green",
    )


def _title(text: str) -> RenderableType:
    return Padding(Rule(Text(text, "bold"), align="left", style="dim"), (1, 0, 0, 0))


def _categories(night: Night) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1)
    counts = night.tickets.categories
    largest, total = max(counts.values()), counts.total()
    for name, tickets in counts.most_common():
        bar = Bar(largest, 0, tickets, color="cyan")
        table.add_row(readable(name), f"{tickets:,}", share(tickets / total), bar)
    if night.real:
        return table
    note = "By keyword rules of the stand-in, not by Claude: the real one reads and understands."
    return Group(table, Text(note, "dim"))


def _failed(tickets: Tickets) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for reason, ids in sorted(tickets.failed.items(), key=lambda pair: -len(pair[1])):
        table.add_row(f"{len(ids):,}", Group(Text(readable(reason)), Text(_some(ids), "dim")))
    return table


def _file(findings: Findings) -> Iterator[Text]:
    if findings.bad_lines:
        several = count(len(findings.bad_lines), "line was", "lines were")
        yield Text(f"{several} left out: see {keep.BAD_LINES} below.")
    if findings.cut:
        yield Text(
            f"{len(findings.cut):,} too large for DynamoDB's 400 KB, body cut to 300 KB: "
            + _some(findings.cut)
        )


def _books(output: dict[str, Any]) -> RenderableType:
    names = (
        ("submitted", f"requests, in {count(output['batches'], 'batch', 'batches')}"),
        ("classified", "have a category"),
        ("failed", f"given up, {output['empty']:,} of them without any text"),
        ("requeued", "asked again in another round"),
        ("superseded", "edited, moved or deleted meanwhile"),
        ("pending", "still ask for a category"),
    )
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for name, meaning in names:
        table.add_row(name, f"{output[name]:,}", meaning)
    return table


def _money(night: Night) -> RenderableType:
    output = night.output
    saved = output["saved_usd"]
    rows = (
        ("tokens", f"{output['input_tokens']:,}", f"in, {output['output_tokens']:,} out"),
        ("cost", usd(output["cost_usd"]), f"for {night.model} in batches"),
        ("in real time", usd(output["realtime_cost_usd"]), "for the same tokens"),
        ("saved", usd(saved), "tonight"),
        ("a year", usd(saved * NIGHTS_A_YEAR), "saved, with a night of this size every day"),
    )
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for name, number, meaning in rows:
        table.add_row(name, Text(number, "bold green" if name == "a year" else ""), meaning)
    if night.real:
        return table
    note = "Nothing was charged: it is what Claude would cost for about these tokens."
    return Group(table, Text(note, "dim"))


def _files(directory: Path) -> RenderableType:
    files = (
        (keep.REPORT, "the night as a page: open it in a browser"),
        (keep.TICKETS, "every ticket with its category or failure; opens in a spreadsheet"),
        (keep.RUN, "the run table: the report, and each batch with its counts and cost"),
        (keep.FUNCTIONS_LOG, "what the functions and the workflow logged"),
        (keep.CLOUD_LOG, "what the local AWS logged"),
        (keep.BAD_LINES, "the lines of your file that were left out, and why"),
    )
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    for name, meaning in files:
        if (directory / name).exists():
            table.add_row(name, meaning)
    return Group(Text(f"in {_near(directory)}/", overflow="fold"), Padding(table, (0, 0, 0, 2)))


def _near(directory: Path) -> Path:
    here = Path.cwd()
    return directory.relative_to(here) if directory.is_relative_to(here) else directory


def _some(ids: list[str]) -> str:
    shown = [_short(ticket_id) for ticket_id in ids[:IDS_SHOWN]]
    more = len(ids) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _short(ticket_id: str) -> str:
    text = Text(readable(ticket_id))
    text.truncate(ID_CELLS, overflow="ellipsis")
    return text.plain
