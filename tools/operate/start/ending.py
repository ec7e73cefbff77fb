"""How an execution of the workflow ended, for a person to read."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tools.local.night.screen import readable
from tools.words import count, duration, usd

GOOD = ("complete", "nothing_to_do", "dry_run", "canceled")
ASKED_FOR = "limit"
"""The reason of a partial night that did what its input asked for."""
IN_HEADLINE = ("run_id", "status", "reason")
LABELS = {"duration_seconds": "for this execution", "cost_usd": "cost of the whole run"}


@dataclass(frozen=True)
class Ending:
    """Its status at Step Functions; the workflow's output, or its error and the cause."""

    status: str
    output: dict[str, Any]
    error: str = ""
    cause: str = ""

    @classmethod
    def of(cls, described: dict[str, Any]) -> Self:
        """From the answer of DescribeExecution."""
        output = json.loads(described.get("output") or "{}")
        cause = described.get("cause", "")
        return cls(described["status"], output, described.get("error", ""), cause)

    @property
    def is_good(self) -> bool:
        """Whether it did all that it was asked for."""
        if self.status != "SUCCEEDED":
            return False
        return self.output["status"] in GOOD or self.output.get("reason") == ASKED_FOR


def shown(ending: Ending, stack: str) -> RenderableType:
    """The output line by line, or what went wrong and where to look."""
    if ending.status != "SUCCEEDED":
        said = [f"✗ {ending.error or ending.status}", ending.cause]
        said.append(f"What happened, and what to do: make night-report STACK={stack}")
        return Text("\n".join(f" {readable(line)}" for line in said if line), "red")
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(style="dim")
    texts = []
    for name, value in ending.output.items():
        label = LABELS.get(name, name.removesuffix("_usd").replace("_", " "))
        if isinstance(value, str) and name not in IN_HEADLINE:
            texts.append(Text(f" {label}: {readable(value)}", "dim"))
        elif not isinstance(value, str):
            table.add_row(f"  {_number(name, value)}", label)
    return Group(_headline(ending), table, *texts)


def _headline(ending: Ending) -> Text:
    output = ending.output
    why = f" ({output['reason']})" if "reason" in output else ""
    pending = count(output["pending"], "ticket asks", "tickets ask")
    said = f" {output['status']}{why}: run {output['run_id']}. {pending} for an answer now."
    return Text(readable(said), "green" if ending.is_good else "yellow")


def _number(name: str, value: float) -> str:
    if name == "duration_seconds":
        return duration(timedelta(seconds=value))
    return usd(value) if name.endswith("_usd") else f"{value:,}"
