"""Measure Nightshift beside the plain way: tables here, numbers and plots in .build/bench/."""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench import (
    OUTPUT,
    bill,
    decode,
    document,
    growth,
    history,
    million,
    plot,
    runtime,
    start,
    volume,
    whole_stack,
)
from tests.bench.stage import write_tickets
from tests.bench.subject import Subject, show, show_targets

SIZES = (1_000, 10_000, 20_000, 100_000)
QUICK_SIZES = (1_000, 10_000)
# How many minutes each subject takes on two processors.
MINUTES = {
    "volume": 5.0,
    "growth": 2.0,
    "decode": 0.5,
    "start": 0.5,
    "history": 0.2,
    "bill": 0.8,
    "whole_stack": 1.0,
    "million": 15.0,
}
console = Console(highlight=False)

type Tell = Callable[[str], None]


def main() -> None:
    asked = arguments()
    wanted = asked.only or list(MINUTES)
    whole = not (asked.quick or asked.only)
    began = time.monotonic()
    minutes = sum(MINUTES[name] for name in wanted) / (10 if asked.quick else 1)
    console.print(f"{', '.join(wanted)}: about {max(1, round(minutes))} min on two processors")
    with console.status("tickets") as status:
        tickets, what = write_tickets((QUICK_SIZES if asked.quick else SIZES)[-1])
        status.update("sam build, where its sources have changed")
        runtime.built()
        console.print(f"{what}, repeated under new ids\n", style="dim")
        subjects = list(measure(wanted, tickets, asked.quick, status.update))
    show_targets(console, [target for subject in subjects for target in subject.targets])
    report = reported(subjects, what, (time.monotonic() - began) / 60)
    path = document.NUMBERS if whole else OUTPUT / "numbers-of-a-part.json"
    path.write_text(json.dumps(report, indent=2))
    if whole:
        plot.draw(report, OUTPUT / "plot.png")
        plot.draw_million(report["million"], OUTPUT / "million.png")
    if whole and asked.docs:
        document.write(report)
    console.print(f"\n{report['minutes']:.1f} minutes; the numbers are in {path}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to 10,000 tickets")
    parser.add_argument("--only", action="append", choices=MINUTES, help="leave out the others")
    parser.add_argument("--docs", action="store_true", help="write the figures of docs/scale.md")
    return parser.parse_args()


def measure(wanted: list[str], tickets: Path, quick: bool, tell: Tell) -> Iterator[Subject]:
    """Each subject is shown as soon as it is measured."""
    sizes = QUICK_SIZES if quick else SIZES
    most = sizes[-1]
    seconds: dict[str, float] = {}
    subjects: dict[str, Callable[[], list[Subject]]] = {
        "volume": lambda: volume.measure(tickets, sizes, tell),
        "growth": lambda: growth.measure(tickets, [most // 100, most // 10, most], tell),
        "decode": lambda: decode.measure(tickets, min(most, 20_000), tell),
        "start": lambda: start.measure(tell, seconds),
        "history": history.measure,
        "bill": lambda: bill.measure(tickets, most, seconds or started(tell), tell),
        "whole_stack": lambda: whole_stack.measure(tickets, most, tell),
        "million": lambda: million.measure(tickets, 10 * most, tell),
    }
    for name, of in subjects.items():
        if name not in wanted:
            continue
        tell(name)
        began = time.monotonic()
        for subject in of():
            show(console, subject)
            yield subject
        console.print(f"{name}: {(time.monotonic() - began) / 60:.1f} min\n", style="dim")


def started(tell: Tell) -> dict[str, float]:
    """How many seconds each function takes until it can work."""
    seconds: dict[str, float] = {}
    start.measure(tell, seconds)
    return seconds


def reported(subjects: list[Subject], tickets: str, minutes: float) -> dict[str, Any]:
    """What is kept of a run, as JSON has it."""
    numbers = {key: value for subject in subjects for key, value in subject.numbers.items()}
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "minutes": minutes,
        "machine": f"{cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "tickets": tickets,
        "targets": [vars(target) for subject in subjects for target in subject.targets],
        **numbers,
    }
    kept: dict[str, Any] = json.loads(json.dumps(report))
    return kept


if __name__ == "__main__":
    main()
