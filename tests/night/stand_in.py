"""The stand-in for Claude as a process of its own, which ends with whoever started it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.claude_standin import Life, Settings, running
from tests.local_cloud.cloud import REPOSITORY

API_KEY = Settings().api_key
BATCH_SECONDS = 3.0
STOP_SECONDS = 5


class StandInFailed(Exception):
    """The stand-in did not start."""


@contextmanager
def stand_in() -> Iterator[str]:
    """Run the stand-in until the block is left; gives its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.night.stand_in"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,  # ends with this process, and with it the stand-in
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,  # a Ctrl-C in the terminal is for us alone
    )
    assert process.stdin
    assert process.stdout
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise StandInFailed("the stand-in for Claude did not start")
        yield url
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def main() -> None:
    with running(Settings(), Life(seconds=BATCH_SECONDS)) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
