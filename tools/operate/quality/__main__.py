"""What people changed and decided: `python -m tools.operate.quality --stack NAME`.

Exit codes: 0 done, 2 it cannot be done, 130 stopped.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from nightshift.errors import NightshiftError
from tools.operate.quality.page import page
from tools.operate.quality.reading import read
from tools.operate.quality.screen import shown
from tools.operate.stack import Unusable, explained, find
from tools.options import add_stack_and_task

DONE, UNUSABLE, STOPPED = 0, 2, 130


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    try:
        with explained():
            stack = find(options.stack)
            scanned = read(stack, console, options.task)
        console.print(shown(scanned.figures, stack.name))
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(page(scanned, stack), encoding="utf-8")
            console.print(f" The page: {options.out.resolve().as_uri()}", soft_wrap=True)
    except KeyboardInterrupt:
        console.print(" Stopped.", style="yellow")
        return STOPPED
    except (Unusable, NightshiftError, OSError) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE
    return DONE


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make quality", description="What people changed of the answers, and decided."
    )
    add_stack_and_task(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it as a page too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
