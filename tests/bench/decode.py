"""Reading results: Nightshift's decoder beside the SDK's, and the JSON parsers to choose from."""

import subprocess
import sys
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench import OUTPUT
from tests.bench.stage import Stage, run_child, stage
from tests.bench.subject import Subject, Target
from tools.local.claude_standin import Control, Settings

ROUNDS = 5
PARSED = 5_000
# No dependency of ours: fetched for one table.
ORJSON = "orjson==3.13.0"
DECODERS = ("SDK: batches.results()", "Nightshift")
PARSER_COLUMNS = ["parser", "us/line", "lines/s", "KB for one platform"]


def measure(tickets: Path, size: int, tell: Callable[[str], None]) -> list[Subject]:
    tell(f"decoding {size:,} results")
    with stage(tickets, size) as place:
        place.run("ours.submit", requests_per_batch=size)
        runs = [(place.run("plain.decode"), place.run("ours.decode")) for _ in range(ROUNDS)]
        lines = _some_lines(place)
    return [_decoders(dict(zip(DECODERS, zip(*runs, strict=True), strict=True))), *_parsers(lines)]


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


def _some_lines(place: Stage) -> Path:
    """The first results as they are sent."""
    [batch] = Control(place.claude).batches()
    headers = {"x-api-key": Settings().api_key, "anthropic-version": "2026-10-21"}
    request = urllib.request.Request(batch["results_url"], headers=headers)  # noqa: S310
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    path = OUTPUT / "results.jsonl"
    with direct.open(request, timeout=60) as answer, path.open("wb") as file:
        for line, _ in zip(answer, range(PARSED), strict=False):
            file.write(line)
    return path


def _parsers(lines: Path) -> list[Subject]:
    """The parsers to choose from, on the same lines."""
    with TemporaryDirectory() as packages:
        uv = Path(sys.executable).with_name("uv")
        fetched = subprocess.run(
            [uv, "pip", "install", "--quiet", "--target", packages, ORJSON],
            check=False,
            capture_output=True,
        )
        if fetched.returncode:
            missing = f"Left out: {ORJSON} could not be fetched."
            return [Subject("JSON parsers", PARSER_COLUMNS, [], [missing])]
        found = run_child("parsers.parse", {"PYTHONPATH": packages}, path=str(lines))
        sizes = {"orjson": _size(Path(packages, "orjson")), "msgspec": _size(_package("msgspec"))}
    found.pop("peak_mb")
    rows = [
        [name, f"{us:.2f}", f"{1e6 / us:,.0f}", _kb(sizes.get(name.partition(",")[0]))]
        for name, us in found.items()
    ]
    return [
        Subject("JSON parsers", PARSER_COLUMNS, rows, numbers={"parsers": found, "sizes": sizes})
    ]


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec and spec.origin
    return Path(spec.origin).parent


def _size(package: Path) -> int:
    return sum(
        p.stat().st_size for p in package.rglob("*") if "__pycache__" not in p.parts and p.is_file()
    )


def _kb(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e3:,.0f}"
