"""A whole night on this machine: `python -m tools.local.night --help`.

Exit codes: 0 a good night, 1 not a good night, or lines of the file were left out, 2 nothing to
start with, 130 stopped. Ctrl-C is how a cloud that is kept up ends: it leaves the night's code.
"""

import argparse
import fcntl
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from nightshift.errors import PriceUnknown, SettingsInvalid
from nightshift.task.task import DEFAULT, Task, check_room, load
from tools.desk.files.problems import UnusableFile
from tools.desk.files.tickets import add_tickets_options, source
from tools.local.cloud.cloud import REPOSITORY, LocalCloudFailed
from tools.local.night.claude import ClaudeMissing, real_claude
from tools.local.night.night import Asked, run

DIRECTORY = REPOSITORY / ".build" / "night"
GOOD, BAD, UNUSABLE, STOPPED = 0, 1, 2, 130
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")  # the template's, for the parameter Task
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Busy(Exception):
    """Another night runs in the same directory."""


def main() -> int:
    options = _options()
    console = Console(highlight=False)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    for number in STOPS:
        signal.signal(number, _stop)
    try:
        task = load(options.task)
        task_file = _own_file(options.task, task)
        if options.model:
            task.price_table.of(options.model)
            check_room(task, options.model)
        real = real_claude() if options.claude == "real" else None
        if real and options.keep:
            raise ClaudeMissing(
                "KEEP=1 is for the stand-in: a night that is started by hand in a cloud that you "
                "then end would leave batches at the real Claude, paid and never collected."
            )
        with _alone():
            tickets = source(options, task)
            through_aws = options.claude == "aws"
            asked = Asked(tickets, task_file, options.model, real, options.keep, through_aws)
            good = run(asked, DIRECTORY, console)
    except KeyboardInterrupt:
        console.print("\n Stopped. Everything that was started here has ended.", style="yellow")
        return STOPPED
    except (UnusableFile, ClaudeMissing, Busy, PriceUnknown, SettingsInvalid) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE
    except (LocalCloudFailed, ClientError, BotoCoreError) as error:
        console.print(Text(f" {error}", "red"))
        return BAD
    return GOOD if good else BAD


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make run", description="A whole night on this machine, with a local AWS."
    )
    add_tickets_options(parser)
    parser.add_argument(
        "--claude",
        choices=("stand-in", "real", "aws"),
        default="stand-in",
        help="real: Claude itself, with the key in ANTHROPIC_API_KEY; costs money. aws: the "
        "stand-in, reached as Claude Platform on AWS; asks nobody",
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the local cloud up until Ctrl-C: STACK=local"
    )
    parser.add_argument(
        "--task",
        default=DEFAULT,
        help="a name in tasks/, or the path of a TOML file (default: %(default)s)",
    )
    parser.add_argument("--model", help="the stack's Model; without it, the template's default")
    return parser.parse_args()


def _own_file(named: str, task: Task) -> Path | None:
    """The file of a task that is no part of the package; None for a name in `tasks/`.

    Raises SettingsInvalid if no stack could be told its name.
    """
    if not named.endswith(".toml"):
        return None
    if not NAME.fullmatch(task.name):
        raise SettingsInvalid(
            f"Task file {task.name}.toml: a stack takes names of lowercase letters, digits and -. "
            "Rename the file."
        )
    return Path(named)


@contextmanager
def _alone() -> Iterator[None]:
    """Two nights in one directory would end each other."""
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (DIRECTORY / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("Another `make run` is at work here: wait for it, or stop it.") from None
        yield


def _stop(*_: object) -> NoReturn:
    for number in STOPS:  # a second Ctrl-C would only leave something behind
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
