"""Measure Nightshift beside the plain way: tables here, numbers and a plot in .build/bench/."""

import argparse
import json
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from os import cpu_count

from rich.console import Console

from tests.bench import OUTPUT, bill, decode, growth, history, million, plot, runtime, start, volume
from tests.bench.stage import write_tickets
from tests.bench.subject import Subject, show, show_targets

SIZES = (1_000, 10_000, 20_000, 100_000)
QUICK_SIZES = (1_000, 10_000)
SUBJECTS = ("volume", "growth", "decode", "start", "history", "bill", "million")
console = Console(highlight=False)


def main() -> None:
    asked = arguments()
    sizes = QUICK_SIZES if asked.quick else SIZES
    began = time.monotonic()
    with console.status("tickets") as status:
        subjects = list(measure(asked.only or SUBJECTS, sizes, status.update))
    numbers = {key: value for subject in subjects for key, value in subject.numbers.items()}
    targets = [target for subject in subjects for target in subject.targets]
    show_targets(console, targets)
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {cpu_count()} cores, Python {platform.python_version()}",
        "targets": [vars(target) for target in targets],
        **numbers,
    }
    whole = not (asked.quick or asked.only)
    written = ["numbers.json" if whole else "numbers-of-a-part.json"]
    (OUTPUT / written[0]).write_text(json.dumps(report, indent=2))
    if whole:
        plot.draw(numbers, OUTPUT / "plot.png")
        written.append("plot.png")
    minutes = (time.monotonic() - began) / 60
    console.print(f"\n{minutes:.1f} minutes; {' and '.join(written)} in {OUTPUT}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to 10,000 tickets")
    parser.add_argument("--only", action="append", choices=SUBJECTS, help="leave out the others")
    return parser.parse_args()


def measure(
    wanted: tuple[str, ...], sizes: tuple[int, ...], tell: Callable[[str], None]
) -> list[Subject]:
    """Each subject is shown as soon as it is measured."""
    tickets, what = write_tickets(sizes[-1])
    tell("sam build, where its sources have changed")
    runtime.built()
    tell("measuring")
    console.print(f"{sizes[-1]:,} tickets: {what}, repeated under new ids\n", style="dim")
    found: list[Subject] = []

    def keep(subjects: list[Subject]) -> None:
        found.extend(subjects)
        for subject in subjects:
            show(console, subject)

    if "volume" in wanted:
        keep(volume.measure(tickets, sizes, tell))
    if "growth" in wanted:
        keep(growth.measure(tickets, [sizes[-1] // 100, sizes[-1] // 10, sizes[-1]], tell))
    if "decode" in wanted:
        keep(decode.measure(tickets, min(sizes[-1], 20_000), tell))
    seconds: dict[str, float] = {}
    if "start" in wanted or "bill" in wanted:
        subjects, seconds = start.measure(tell)
        keep(subjects)
    if "history" in wanted:
        tell("playing nights of 24 hours")
        keep(history.measure())
    if "bill" in wanted:
        keep(bill.measure(tickets, sizes[-1], seconds, tell))
    if "million" in wanted:
        keep(million.measure(tickets, 10 * sizes[-1], tell))
    return found


if __name__ == "__main__":
    main()
