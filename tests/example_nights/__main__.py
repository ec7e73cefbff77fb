"""`make nights`: five nights as pages, such as an operator meets: `python -m tests.example_nights`.

They are played with the clock of a proof, so a day's wait takes no time; nothing is asked anywhere.
"""

import argparse
import sys
from datetime import datetime
from pathlib import Path

from tests.example_nights.play import BEFORE, LAST, NIGHTS, play, theatre
from tools import browser
from tools.operate.night_report.page import page
from tools.operate.night_report.record import Record, read
from tools.operate.night_report.verdict import verdict

DIRECTORY = Path(".build/example-nights")


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    shown = True
    with theatre() as ours:
        for name in options.names or NIGHTS:
            stack, breakfast = play(ours, [*BEFORE, (LAST, NIGHTS[name])])
            record = read(stack, None)
            target = _write(name, record, breakfast)
            print(f"{name}: {verdict(record).title}\n  {target.resolve().as_uri()}", flush=True)
            shown = not options.no_open and browser.show(target) and shown
    if not shown:
        print("No page was opened: open the files above in a browser.")
    return 0


def _write(name: str, record: Record, breakfast: datetime) -> Path:
    target = DIRECTORY / name / "report.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(record, now=breakfast), encoding="utf-8")
    return target


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make nights", description="Example nights as pages.")
    parser.add_argument("names", nargs="*", choices=[[], *NIGHTS], default=[], metavar="NAME")
    parser.add_argument("--no-open", action="store_true", help="print the paths, open no browser")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
