"""The stand-in for Claude as the benchmark needs it: batches end at once, results wait ready made.

Run as `python -m tests.bench.claude`. What Claude does is not measured: the first look at a batch
answers it, and the first reading of its results keeps their lines, so both happen before a clock
runs (`ours._look`).
"""

import sys
from functools import cache

from tools.local.claude_standin import Life, Settings, running

QUEUE_LIMIT = 10_000_000


def main() -> None:
    with running(Settings(queue_limit=QUEUE_LIMIT), Life(seconds=0)) as server:
        made_on_demand = server.batches.results
        server.batches.results = cache(lambda batch_id: list(made_on_demand(batch_id)))  # type: ignore[assignment,method-assign]
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
