"""The end of the night, for a person to enjoy."""

from collections import Counter
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

from nightshift.ending import mail
from nightshift.task.task import Task
from tools.desk.files.tickets import Findings
from tools.local.night import keep
from tools.local.night.keep import Tickets
from tools.local.night.screen import readable
from tools.words import count, share, spoken, usd

_STAND_IN = "By the stand-in (keyword rules, else by chance),"
IDS_SHOWN = 3
LABELS_SHOWN = 12
ID_CELLS = 24
NOTHING_MISSING = ("complete", "nothing_to_do")
NIGHTS_A_YEAR = 365
BAD_LINES_SHOWN = 8


@dataclass(frozen=True)
class Night:
    """All that a summary tells. `output` is the workflow's, with the contract's names."""

    output: dict[str, Any]
    tickets: Tickets
    findings: Findings
    task: Task
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
            output["classified"] + output["unsure"] + output["superseded"]
            + output["requeued"] + output["failed"] - output["empty"]
        )  # fmt: skip
        if accounted != output["submitted"]:
            found.append(
                f"The books do not balance: {count(output['submitted'], 'request')}, "
                f"{count(accounted, 'end')}."
            )
        if output["pending"] or self.tickets.undecided:
            waiting = max(output["pending"], self.tickets.undecided)
            found.append(f"{self.items(waiting)} pending.")
        answered = self.tickets.answered + self.tickets.unsure
        failed = sum(map(len, self.tickets.failed.values()))
        if answered + failed + self.tickets.undecided != self.findings.tickets:
            found.append(f"{self.items(self.findings.tickets)} in, {answered + failed:,} out.")
        empty = output["empty"]
        if empty > answered:
            found.append(
                f"{self.items(empty)} without text in {' or '.join(self.task.inputs)}, more than "
                f"have {self.answer}. Is the text in other columns of the file?"
            )
        if failed - empty > answered:
            found.append(
                f"{self.items(failed - empty)} given up, more than have {self.answer}: see the "
                "reasons below. If Claude's answers are none that the task allows, look at the "
                "prompt, max_tokens and the model's settings in the task file, and try again."
            )
        return found

    @property
    def is_good(self) -> bool:
        """Whether nobody needs to look into anything."""
        return not self.complaints() and not self.findings.bad_lines

    def items(self, number: int) -> str:
        """A number of what is worked on, in the task's words."""
        return count(number, *self.task.items)

    @property
    def answer(self) -> str:
        """What an item has once it was answered."""
        lone = self.task.contract.lone_label
        return f"a {lone[0].replace('_', ' ')}" if lone else "an answer"


def summary(night: Night) -> RenderableType:
    """The whole summary, for a console of 60 columns or more."""
    parts: list[RenderableType] = [_headline(night)]
    if night.tickets.answered:
        parts += _answers(night)
    if night.output.get("gold"):
        parts += [_title("Right"), Text(_right(night.output))]
    if night.tickets.failed:
        parts += [_title("Failed"), _failed(night.tickets)]
    if night.findings.bad_lines or night.findings.cut:
        parts += [_title("The file"), Text("\n").join(_file(night.findings))]
    parts += [_title("Books"), _books(night), _title("Money"), _money(night)]
    parts += [_title("To look into"), _files(night.directory)]
    return Padding(Group(*parts), (1, 1, 0, 1))


def _headline(night: Night) -> RenderableType:
    complaints = night.complaints()
    if complaints:
        return Group(*(Text(f"✗ {complaint}", "bold red") for complaint in complaints))
    answered, unsure = night.tickets.answered, night.tickets.unsure
    waits = f", {unsure:,} {'waits' if unsure == 1 else 'wait'} for a person" if unsure else ""
    done = (
        f"{answered:,} of {night.items(night.findings.tickets)} "
        f"{'has' if answered == 1 else 'have'} {night.answer}{waits}."
    )
    if night.is_good:
        return Text(f"A good night: {done}", "bold green")
    lines = count(len(night.findings.bad_lines), "line of the file was", "lines of the file were")
    return Text(f"Look: {lines} left out. {done}", "bold yellow")


def _title(text: str) -> RenderableType:
    return Padding(Rule(Text(text, "bold"), align="left", style="dim"), (1, 0, 0, 0))


def _answers(night: Night) -> list[RenderableType]:
    """What was answered: the shares of labels as bars, the rest in a line each."""
    parts: list[RenderableType] = []
    lines = []
    for name, output in night.task.output.items():
        counts = night.tickets.answers[name]
        if output.type in ("label", "labels"):
            parts += [_title(spoken(name)), _bars(counts)]
        else:
            lines.append(f"{name}: {mail.said(output.type, counts)}")
    if lines:
        parts += [_title("The other answers"), Text("\n".join(lines))]
    if not night.real:
        parts.append(Text(f"{_STAND_IN} not by Claude: the real one reads and understands.", "dim"))
    return parts


def _bars(counts: Counter[str]) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1)
    largest, total = max(counts.values(), default=1), counts.total()
    for name, tickets in counts.most_common(LABELS_SHOWN):
        bar = Bar(largest, 0, tickets, color="cyan")
        table.add_row(readable(name), f"{tickets:,}", share(tickets / total), bar)
    if (more := len(counts) - LABELS_SHOWN) > 0:
        table.add_row(Text(f"and {more:,} others", "dim"))
    return table


def _right(output: dict[str, Any]) -> str:
    """How many answers are as the file had known beforehand."""
    correct, gold = output["correct"], output["gold"]
    return f"{correct:,} of {gold:,} known beforehand, {mail.with_interval(correct, gold)}"


def _failed(tickets: Tickets) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for reason, ids in sorted(tickets.failed.items(), key=lambda pair: -len(pair[1])):
        table.add_row(f"{len(ids):,}", Group(Text(readable(reason)), Text(_some(ids), "dim")))
    return table


def _file(findings: Findings) -> Iterator[Text]:
    for line, reason in findings.bad_lines[:BAD_LINES_SHOWN]:
        yield Text(f"line {line}: {reason}")
    if len(findings.bad_lines) > BAD_LINES_SHOWN:
        yield Text(f"and {len(findings.bad_lines) - BAD_LINES_SHOWN:,} more, in {keep.BAD_LINES}")
    if findings.cut:
        yield Text(
            f"{len(findings.cut):,} too large for DynamoDB's 400 KB, body cut to 300 KB: "
            + _some(findings.cut)
        )


def _books(night: Night) -> RenderableType:
    output = night.output
    names = (
        ("submitted", f"requests, in {count(output['batches'], 'batch', 'batches')}"),
        ("classified", f"have {night.answer}"),
        ("unsure", "are left to a person"),
        ("failed", f"given up, {output['empty']:,} of them without any text"),
        ("requeued", "asked again in another round"),
        ("superseded", "edited, moved or deleted meanwhile"),
        ("pending", "still ask"),
        ("unchanged", "not asked: their last answer still stands"),
    )
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for name, meaning in names:
        if output[name] or name not in ("unsure", "unchanged"):
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
        (keep.TICKETS, "every ticket with its answers or failure; opens in a spreadsheet"),
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
