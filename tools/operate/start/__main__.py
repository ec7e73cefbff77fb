"""A night by hand: `python -m tools.operate.start --stack NAME [--input JSON]`.

Exit codes: 0 done, 1 done, but look: a red night, or tickets left that were to be taken, 2 it
cannot be started, 130 no longer watched: the night goes on.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Any

from rich.console import Console
from rich.text import Text

from nightshift.errors import InvalidInput
from nightshift.events import SubmitCall
from tools.local.night.screen import readable
from tools.operate.stack import Stack, Unusable, explained, find
from tools.operate.start.ending import Ending, shown
from tools.options import add_stack

DONE, LOOK, UNUSABLE, STOPPED = 0, 1, 2, 130
# Seconds between two looks: at once for a night of the local cloud, rarely for one of hours.
SHORTEST_LOOK, LONGEST_LOOK = 0.25, 15.0


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    if isinstance(sys.stdout, type(sys.__stdout__)):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        asked = read_input(options.input)
        with explained():
            stack = find(options.stack)
            execution = _start(stack, asked)
            console.print(f" Started: {execution}", style="dim", soft_wrap=True)
            ending = _follow(stack, execution, console)
    except KeyboardInterrupt:
        console.print(
            f" No longer watched. The night goes on: make night-report STACK={options.stack}",
            style="yellow",
        )
        return STOPPED
    except Unusable as error:
        console.print(Text(f" {readable(str(error))}", "red"), soft_wrap=True)
        return UNUSABLE
    console.print(shown(ending, stack.name), soft_wrap=True)
    return DONE if ending.is_good else LOOK


def read_input(text: str) -> str:
    """The workflow's input, checked as the workflow does, from JSON or `file://` and a path.

    Raises Unusable, with the key that is wrong.
    """
    try:
        if text.startswith("file://"):
            text = Path(text.removeprefix("file://")).read_text(encoding="utf-8")
        asked = json.loads(text)
        if not isinstance(asked, dict):
            raise Unusable(f'INPUT must be a JSON object, such as {{"limit": 100}}: {text[:80]}')
        _check(asked)
    except (OSError, ValueError) as error:
        raise Unusable(
            f"INPUT is no JSON ({error}). Quote it for the shell: INPUT='{{\"limit\": 100}}'"
        ) from None
    except InvalidInput as error:
        raise Unusable(str(error)) from None
    return json.dumps(asked)


def _check(asked: dict[str, Any]) -> None:
    """Raises InvalidInput as the workflow's first call would."""
    SubmitCall.parse({"execution": "by hand", "started_at": datetime.now(UTC), "input": asked})


def _start(stack: Stack, asked: str) -> str:
    started = stack.states.start_execution(
        stateMachineArn=stack.outputs["WorkflowArn"], input=asked
    )
    return str(started["executionArn"])


def _follow(stack: Stack, execution: str, console: Console) -> Ending:
    look = SHORTEST_LOOK
    with console.status(f" A night of {stack.name} [dim]Ctrl-C leaves it running[/]"):
        while True:
            found: dict[str, Any] = stack.states.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return Ending.of(found)
            sleep(look)
            look = min(LONGEST_LOOK, look * 1.1)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="start", description="Start a night of a deployed stack and follow it to its end."
    )
    add_stack(parser)
    parser.add_argument(
        "--input", default="{}", metavar="JSON", help='such as {"limit": 100}; or file://PATH'
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
