"""Reading results: Nightshift's decoder beside the SDK's, and the JSON parsers to choose from."""

import subprocess
import sys
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench import OUTPUT
from tests.bench.stage import Stage, run_child, stage
from tests.bench.subject import Subject, Target
from tests.claude_standin import Control, Settings

PARSED = 5_000
# No dependency of ours: fetched for one table.
ORJSON = "orjson==3.13.0"
PARSER_COLUMNS = ["parser", "us/line", "lines/s", "KB for one platform"]


def measure(tickets: Path, size: int, tell: Callable[[str], None]) -> list[Subject]:
    tell(f"decoding {size:,} results")
    with stage(tickets, size) as place:
        place.run("ours.submit", requests_per_batch=size)
        ours, sdk = place.run("ours.decode"), place.run("plain.decode")
        lines = _some_lines(place)
    return [_decoders(ours, sdk), *_parsers(lines)]


def _decoders(ours: Any, sdk: Any) -> Subject:
    rate = {name: m["times"] / m["seconds"] for name, m in (("ours", ours), ("sdk", sdk))}
    ratio = rate["ours"] / rate["sdk"]
    rows = [
        [name, f"{m['times']:,}", f"{m['times'] / m['seconds']:,.0f}", f"{m['peak_mb']:.0f}"]
        for name, m in (("SDK: batches.results()", sdk), ("Nightshift", ours))
    ]
    target = Target("decoding results", ">= 8x the SDK's decoder", f"{ratio:.1f}x", ratio >= 8)
    notes = [
        "One stream of the stand-in, best of three; Nightshift's lines end as what `decide` needs."
    ]
    columns = ["decoder", "lines", "lines/s", "peak MB"]
    return Subject(
        "Decoding", columns, rows, notes, [target], {"decode": {"ours": ours, "sdk": sdk}}
    )


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
