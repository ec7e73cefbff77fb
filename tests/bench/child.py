"""What every measured process shares: the clock, its memory, and how it hands over its result.

A job is a function of `ours`, `plain` or `parsers`, run as `python -m MODULE JOB ARGUMENTS`. The
last line it prints is its result as JSON: `seconds` and `cpu_seconds` of what it measures, with
clients made and connected before, and `peak_mb` of its whole process.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Clock:
    """Seconds that passed and seconds of processor time, of all that was timed with it."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    times: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu
        self.times += 1


def second_time(read: Callable[[], int]) -> dict[str, float]:
    """Seconds in which so many lines are read, once the stand-in has them ready."""
    read()
    clock = Clock()
    with clock.running():
        lines = read()
    return {"seconds": clock.seconds, "lines": lines}


def peak_mb() -> float:
    """The largest resident size of this process so far, in 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage would count the process that started this one too
        [peak] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(peak.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def run(*jobs: Callable[..., Any]) -> None:
    """Do the job that the command line names."""
    _, name, arguments = sys.argv
    result = {job.__name__: job for job in jobs}[name](**json.loads(arguments))
    result = vars(result) if isinstance(result, Clock) else result
    print(json.dumps(result | {"peak_mb": peak_mb()}))
