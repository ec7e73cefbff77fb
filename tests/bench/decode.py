"""Reading results: Nightshift's decoder beside the SDK's."""

from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

from tests.bench.stage import stage
from tests.bench.subject import Subject, Target

ROUNDS = 5
DECODERS = ("SDK: batches.results()", "Nightshift")


def measure(tickets: Path, size: int, tell: Callable[[str], None]) -> list[Subject]:
    tell(f"decoding {size:,} results")
    with stage(tickets, size) as place:
        place.run("ours.submit", requests_per_batch=size)
        runs = [(place.run("plain.decode"), place.run("ours.decode")) for _ in range(ROUNDS)]
    return [_decoders(dict(zip(DECODERS, zip(*runs, strict=True), strict=True)))]


def _decoders(runs: dict[str, Any]) -> Subject:
    rates = {name: [run["lines"] / run["seconds"] for run in each] for name, each in runs.items()}
    sdk, ours = (mean(rates[name]) for name in DECODERS)
    rows = [
        [
            name,
            f"{runs[name][0]['lines']:,}",
            f"{mean(rate):,.0f}",
            f"{min(rate):,.0f}-{max(rate):,.0f}",
            f"{max(run['peak_mb'] for run in runs[name]):.0f}",
        ]
        for name, rate in rates.items()
    ]
    target = Target(
        "decoding results", ">= 8x the SDK's decoder", f"{ours / sdk:.1f}x", ours / sdk >= 8
    )
    notes = [
        f"Streams of the stand-in, means of {ROUNDS} runs in turn; Nightshift's lines end as what "
        "`decide` needs."
    ]
    columns = ["decoder", "lines", "lines/s", "single runs", "peak MB"]
    return Subject("Decoding", columns, rows, notes, [target], {"decode": rates})
