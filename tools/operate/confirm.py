"""A question that only a person may answer."""

import sys

from rich.console import Console

from tools.operate.stack import Unusable


def confirmed(console: Console, question: str) -> bool:
    """Whether a person says yes.

    Raises Unusable if nobody is there to be asked.
    """
    if not sys.stdin.isatty():
        raise Unusable("Nobody is there to confirm it: say YES=1 (or --yes) to go on.")
    return console.input(f"{question} [bold]yes/no[/] ").strip().lower() in ("y", "yes")
