"""Run the stand-in: `python -m tools.local.claude_standin --port 8700`."""

import argparse
import signal
import threading

from tools.local.claude_standin.batches import Life
from tools.local.claude_standin.server import DEFAULT_API_KEY, Settings, running


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="claude_standin", description="A stand-in for Claude's Message Batches API."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--api-key", default=DEFAULT_API_KEY, help="the only key it accepts")
    parser.add_argument("--batch-seconds", type=float, default=1.0, help="how long a batch takes")
    parser.add_argument("--seed", default=None, help="makes ids and the order of results repeat")
    options = parser.parse_args()

    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    settings = Settings(api_key=options.api_key, port=options.port, seed=options.seed)
    with running(settings, Life(seconds=options.batch_seconds)) as stand_in:
        print(f"claude-stand-in (keyword rules, not Claude) is ready at {stand_in.url}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
