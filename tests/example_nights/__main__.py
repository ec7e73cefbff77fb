"""Writes the pages of the example nights: `python -m tests.example_nights [NAME ...]`."""

import sys
from pathlib import Path

from tests.example_nights.play import BEFORE, LAST, NIGHTS, play, theatre
from tools.operate.night_report.page import page
from tools.operate.night_report.record import read

DIRECTORY = Path(".build/example-nights")

with theatre() as ours:
    for name in sys.argv[1:] or NIGHTS:
        stack, breakfast = play(ours, [*BEFORE, (LAST, NIGHTS[name])])
        target = DIRECTORY / name / "report.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(read(stack, None), now=breakfast), encoding="utf-8")
        print(target)
