"""One function's process, which stays as a warm Lambda's does, on a clock of its own.

Run as `python -m tests.bench.function NAME`: each line in is a call as JSON, `event` and by how
many seconds the night is ahead of the clock on the wall; each line out is its `answer`, with the
time that it took and the peak memory of the process so far.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from nightshift.collect import collect
from nightshift.deployment import Deployment
from nightshift.events import CollectCall, StatusCall, SubmitCall
from nightshift.observability import metrics
from nightshift.status import status
from nightshift.submit import submit
from tests.bench import child, ours

CALLS: dict[str, Callable[[Any, Deployment], dict[str, Any]]] = {
    "submit": lambda event, stack: submit(SubmitCall.parse(event), stack, ours.lambda_seconds()),
    "status": lambda event, stack: status(StatusCall.parse(event), stack),
    "collect": lambda event, stack: collect(CollectCall.parse(event), stack, ours.lambda_seconds()),
}


class NightClock(datetime):
    """The time of the night."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + cls.ahead


def move_to_the_night() -> None:
    """Every module of the package reads the clock of the night."""
    for name, module in list(sys.modules.items()):
        if name.startswith("nightshift.") and getattr(module, "datetime", None) is datetime:
            module.datetime = NightClock  # type: ignore[attr-defined]


def main(function: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the package logs must not stand between the answers
    stack = replace(ours.connected(), now=lambda: NightClock.now(UTC))
    move_to_the_night()
    for line in sys.stdin:
        call = json.loads(line)
        NightClock.ahead = timedelta(seconds=call["ahead"])
        clock = child.Clock()
        with clock.running():
            answer = CALLS[function](call["event"], stack)
        metrics.clear_metrics()  # as after each call of a Lambda, which hands them on
        told = {"answer": answer, **vars(clock), "peak_mb": child.peak_mb()}
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
