"""Options that several commands share."""

import argparse
from collections.abc import Callable


def add_stack(parser: argparse.ArgumentParser) -> None:
    """Give a command `--stack NAME`."""
    parser.add_argument("--stack", required=True, help="the name of the deployed stack")


def add_stack_and_task(parser: argparse.ArgumentParser) -> None:
    """Give a command `--stack NAME`, and `--task` where this machine has the stack's task in
    another place than `tasks/`."""
    add_stack(parser)
    parser.add_argument(
        "--task", help="the stack's task as it stands here: a name in tasks/, or a TOML file"
    )


def positive(what: str) -> Callable[[str], int]:
    """The type of an option that is a number from 1 on; `what` names it where it is none."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < 1:
            raise argparse.ArgumentTypeError(f"{text!r} is no {what}")
        return int(text)

    return read
