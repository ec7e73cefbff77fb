"""Starting a function: from the built layers, read-only, with their bytecode and without it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench import REPOSITORY, runtime
from tests.bench.stage import function_settings
from tests.bench.subject import Subject

TIMES = 3

START = """
import json, sys, time
*paths, repository = sys.argv[1:]
sys.path[:] = [*paths, *sys.path]
began = time.perf_counter()
import app
imported = time.perf_counter()
from nightshift.deployment import deployment
deployment()
connected = time.perf_counter()
sys.path.append(repository)
from tests.bench.child import peak_mb
found = {"import": imported - began, "clients": connected - imported, "peak_mb": peak_mb()}
json.dump(found, sys.stdout)
"""


def measure(tell: Callable[[str], None], seconds: dict[str, float]) -> list[Subject]:
    """The table; `seconds` learns how long each function takes until it can work."""
    with TemporaryDirectory() as directory:
        places = {
            "with": _copy(Path(directory, "with")),
            "without": _copy(Path(directory, "without"), "__pycache__"),
        }
        found: dict[str, dict[str, Any]] = {}
        for function in runtime.FUNCTIONS:
            tell(f"starting {function}")
            found[function] = {way: _start(place, function) for way, place in places.items()}
        for place in places.values():
            _set_mode(place, 0o700)
    rows = [
        [
            function,
            f"{ways['with']['import']:.2f}",
            f"{ways['without']['import']:.2f}",
            f"{ways['with']['clients']:.2f}",
            f"{ways['with']['peak_mb']:.0f}",
        ]
        for function, ways in found.items()
    ]
    columns = ["function", "import, s", "without bytecode, s", "clients, s", "peak MB"]
    notes = [
        f"A fresh interpreter on a read-only copy of what sam built, median of {TIMES}, files "
        "cached, a whole processor. The AWS SDK has its bytecode either way, as on Lambda.",
    ]
    subject = Subject("Cold start", columns, rows, notes, numbers={"start": found})
    seconds |= {
        name: ways["with"]["import"] + ways["with"]["clients"] for name, ways in found.items()
    }
    return [subject]


def _copy(target: Path, *without: str) -> Path:
    for part in (*runtime.LAYERS, *runtime.FUNCTIONS.values()):
        ignored = shutil.ignore_patterns(*without)
        shutil.copytree(runtime.built() / part, target / part, ignore=ignored)
    _set_mode(target, 0o500)
    return target


def _set_mode(place: Path, mode: int) -> None:
    for folder, _, _ in os.walk(place):
        Path(folder).chmod(mode)


def _start(place: Path, function: str) -> dict[str, float]:
    layers = [place / layer / "python" for layer in runtime.LAYERS]
    paths = [place / runtime.FUNCTIONS[function], *layers, runtime.aws_sdk(), REPOSITORY]
    environment = function_settings() | {
        "AWS_DEFAULT_REGION": "us-east-1",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    }
    runs = [
        subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", START, *map(str, paths)],
            check=True,
            env=environment,
            capture_output=True,
            text=True,
        ).stdout
        for _ in range(TIMES)
    ]
    found = [json.loads(run) for run in runs]
    return {what: median(run[what] for run in found) for what in found[0]}
