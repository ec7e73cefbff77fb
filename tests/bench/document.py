"""The figures of docs/scale.md, written by the run that measured them.

`python -m tests.bench --docs` measures everything and writes them, with both plots. `python -m
tests.bench.document` writes those of the last whole run again.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from statistics import mean
from typing import Any

from jinja2 import Environment, StrictUndefined

from tests.bench import OUTPUT, REPOSITORY, plot

PAGE = REPOSITORY / "docs" / "scale.md"
NUMBERS = OUTPUT / "numbers.json"
PARTS = ("machine", "figures", "million")

type Numbers = dict[str, Any]
"""A whole run's report, as JSON has it: sizes are text."""


def write(report: Numbers) -> None:
    """Put a whole run's figures and plots in the place of the last ones."""
    page = PAGE.read_text()
    for name, text in parts(report).items():
        page = with_part(page, name, text)
    PAGE.write_text(page)
    plot.draw(report, PAGE.with_name("measured.png"))
    plot.draw_million(report["million"], PAGE.with_name("million.png"))


def parts(report: Numbers) -> dict[str, str]:
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)  # noqa: S701
    environment.filters |= {
        "calls": lambda measured: sum(measured["calls"].values()),
        "day": lambda moment: f"{datetime.fromisoformat(moment):%d %B %Y}".lstrip("0"),
        "decimals": lambda value, places: f"{value:,.{places}f}",
        "mean": lambda values: mean(list(values)),
        "span": _span,
        "us": lambda seconds: f"{seconds * 1e6:,.{1 if seconds < 1e-5 else 0}f} µs",
    }
    template = environment.from_string(Path(__file__).with_name("document.md.j2").read_text())
    module = template.make_module({"r": report})
    return {name: str(getattr(module, name)()).strip() for name in PARTS}


def with_part(page: str, name: str, text: str) -> str:
    """The page with another text between the comments of this name; people write the rest."""
    begin, end = f"<!-- {name}: written by make bench -->\n", "\n<!-- end -->"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    assert begun and ended, f"{PAGE.name} has no place for {name}"
    return f"{before}{begin}{text}{end}{after}"


def _span(values: Iterable[float]) -> str:
    seconds = list(values)
    return f"{min(seconds):.1f} to {max(seconds):.1f}"


if __name__ == "__main__":
    write(json.loads(NUMBERS.read_text()))
