"""What Step Functions keeps of an execution, and bills.

It keeps at most 25,000 events of an execution and 256 KiB of a state's data, and bills each state
that is entered (docs.aws.amazon.com, Step Functions quotas and pricing, 2026-11).
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.definitions import EVENTS, ITERATION, events

MOST_BYTES = 256 * 1024
# What each call of a function leads through, and the end of a good night.
PATHS = {
    "submit": ("Submit batches", "What comes next?"),
    "status": ("Wait for batches", "Check status", "Has a batch ended?"),
    "collect": ("Collect batch", "Is all collected?", "Batch collected"),
}
END = ("Report the night", "Was it a good night?", "Good night")
STARTED_AND_ENDED = 2


@dataclass
class Story:
    """The calls of one execution."""

    called: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When each function was called, in seconds of the night."""
    maps: int = 0
    largest: int = 0
    """Bytes of the largest state."""

    def note(self, function: str, called_at: float, answer: dict[str, Any]) -> None:
        self.called[function].append(called_at)
        self._weigh(answer)
        if answer["next"] == "collect":
            self.maps += 1
            given = {"run_id": answer["run_id"], "next": "done"}
            self._weigh([{**given, "record": record} for record in answer["ended"]])

    def _weigh(self, state: Any) -> None:
        self.largest = max(self.largest, len(json.dumps(state)))

    @property
    def transitions(self) -> int:
        calls = sum(len(PATHS[name]) * len(times) for name, times in self.called.items())
        return calls + self.maps + len(END)

    @property
    def events(self) -> int:
        calls = sum(events(*PATHS[name]) * len(times) for name, times in self.called.items())
        maps = EVENTS["Map"] * self.maps + ITERATION * len(self.called["collect"])
        return STARTED_AND_ENDED + calls + maps + events(*END)
