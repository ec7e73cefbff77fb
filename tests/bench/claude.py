"""The stand-in for Claude as the benchmark needs it. What Claude does is not measured.

Run as `python -m tests.bench.claude`: batches end at once, results wait ready made. The first look
at a batch answers it, and the first reading of its results keeps their lines, so both happen before
a clock runs (`ours._look`).

Run as `python -m tests.bench.claude SECONDS EXPIRING`: batches end after so many seconds of its own
clock, which a test moves (`Control.advance`); every EXPIRING-th one (0: none) is half done when it
expires after 24 hours. What was deleted is forgotten, so that a million requests fit into memory.
"""

import sys
from functools import cache
from itertools import count
from typing import Any

from tools.local.claude_standin import Life, Settings, StandIn, running

QUEUE_LIMIT = 10_000_000


def keep_results(server: StandIn) -> None:
    made_on_demand = server.batches.results
    server.batches.results = cache(lambda batch_id: list(made_on_demand(batch_id)))  # type: ignore[assignment,method-assign]


def expire_every(server: StandIn, which: int) -> None:
    create, numbers = server.batches.create, count(1)

    def create_or_expire(body: bytes, version: str, life: dict[str, Any]) -> Any:
        late = {"seconds": None, "done": 0.5} if next(numbers) % which == 0 else {}
        return create(body, version, life | late)

    server.batches.create = create_or_expire  # type: ignore[method-assign]


def forget_what_was_deleted(server: StandIn) -> None:
    delete = server.batches.delete

    def delete_and_forget(batch_id: str) -> None:
        delete(batch_id)
        batch = server.batches._batches[batch_id]
        batch.requests.clear()
        batch.answers.clear()

    server.batches.delete = delete_and_forget  # type: ignore[method-assign]


def main(seconds: float = 0, expiring: int = 0) -> None:
    with running(Settings(queue_limit=QUEUE_LIMIT), Life(seconds=seconds)) as server:
        if seconds:
            forget_what_was_deleted(server)
        else:
            keep_results(server)
        if expiring:
            expire_every(server, expiring)
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
