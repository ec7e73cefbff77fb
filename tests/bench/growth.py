"""How the time for each ticket grows with the night, from a thousand tickets to a hundred thousand.

A machine's mood lasts seconds to minutes and moves a run by a third. So all sizes are measured in
turn, the small ones more often, and their means compared: the least of short runs would be luck.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean

from nightshift.pace import FASTEST
from tests.bench.stage import stage
from tests.bench.subject import Subject, Target
from tests.bench.volume import ONE_BATCH

ROUNDS = 2
# Runs of each size in a round, the largest apart: its one run is long.
RUNS = 3
MOST_GROWTH = 1.2

type Runs = dict[int, list[float]]
"""Seconds of the whole work, run by run, by number of tickets."""


def measure(tickets: Path, sizes: Sequence[int], tell: Callable[[str], None]) -> list[Subject]:
    runs: dict[str, Runs] = {"submit": {}, "collect": {}}
    a_round = [size for size in sizes[:-1] for _ in range(RUNS)] + [sizes[-1]]
    for number, size in enumerate(a_round * ROUNDS):
        tell(f"{size:,} tickets: growth, round {number // len(a_round) + 1} of {ROUNDS}")
        with stage(tickets, size) as place:
            sent = place.run("ours.submit", requests_per_batch=ONE_BATCH)
            collected = place.run("ours.collect", writes_per_second=FASTEST)
        runs["submit"].setdefault(size, []).append(sent["seconds"])
        runs["collect"].setdefault(size, []).append(collected["seconds"])
    return [_grown(runs)]


def _grown(runs: dict[str, Runs]) -> Subject:
    rows, targets, numbers = [], [], {}
    sizes = sorted(runs["submit"])
    for verb, by_size in runs.items():
        seconds = {size: mean(by_size[size]) for size in sizes}
        each = [seconds[size] / size for size in sizes]
        # What a call costs in any case is apart, as it shrinks with size.
        further = [(seconds[b] - seconds[a]) / (b - a) for a, b in pairwise(sizes)]
        growth, average = further[-1] / further[0], each[-1] / each[0]
        rows.append([verb, *map(_us, each)])
        rows.append(["  each further ticket", "", *map(_us, further)])
        rows.append(["  single runs", *(_spread(by_size[size], size) for size in sizes)])
        numbers[verb] = {"seconds": by_size, "seconds_per_further_ticket": further}
        targets.append(
            Target(
                f"{verb}: time per ticket, {sizes[0]:,} to {sizes[-1]:,}",
                "at most 20 % more",
                f"{growth - 1:+.0%} per further ticket; {average - 1:+.0%} on average",
                max(growth, average) <= MOST_GROWTH,
            )
        )
    notes = [f"Means of {ROUNDS} rounds through all sizes; collect with an open pace."]
    columns = ["us per ticket", *(f"{size:,}" for size in sizes)]
    return Subject("Growth", columns, rows, notes, targets, {"growth": numbers})


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f}"


def _spread(runs: Sequence[float], size: int) -> str:
    return f"{_us(min(runs) / size)}-{_us(max(runs) / size)}"
