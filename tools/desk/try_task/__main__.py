"""`python -m tools.desk.try_task [--tickets FILE] [--count N] [--claude real]`: `make try`.

Exit codes: 0 every ticket has an answer that the task allows; 1 not every one, or lines of the file
were left out; 2 nothing to ask or nobody to answer; 130 Ctrl-C.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.text import Text

from nightshift.claude.client import Claude
from nightshift.errors import ClaudeRejected, ClaudeUnavailable, PriceUnknown, SettingsInvalid
from nightshift.task.request import template_for
from nightshift.task.task import DEFAULT, Task, check_room, load
from tools.desk import DEFAULT_MODEL
from tools.desk.files.problems import UnusableFile
from tools.desk.labelled import SAMPLE, Rows, read
from tools.desk.provider import REAL, STAND_IN, STAND_IN_SAYS, answering
from tools.desk.try_task import screen
from tools.desk.try_task.asking import Trial, ask_all
from tools.local.cloud.cloud import REPOSITORY
from tools.local.night.claude import ClaudeMissing
from tools.local.sample import shipped

DIRECTORY = REPOSITORY / ".build" / "try"
GOOD, LOOK, UNUSABLE, STOPPED = 0, 1, 2, 130
MOST = 100


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    try:
        task = load(options.task)
        check_room(task, options.model)
        template = template_for(task, options.model)
        price = template.expected(task.price_table.of(options.model))
        trial = Trial(task, options.model, template, price)
        file = options.tickets or shipped.file_for(task) or SAMPLE
        rows = read(file, task, options.map)
        with answering(options.claude, DIRECTORY) as claude:
            return _try(trial, rows, options, claude, console)
    except KeyboardInterrupt:
        console.print(" Stopped.", style="yellow")
        return STOPPED
    except (UnusableFile, ClaudeMissing, PriceUnknown, SettingsInvalid) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE
    except (ClaudeRejected, ClaudeUnavailable) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE


def _try(
    trial: Trial, rows: Rows, options: argparse.Namespace, claude: Claude, console: Console
) -> int:
    console.print(screen.prompt(trial))
    for tried in ask_all(rows.rows[: options.count], trial, claude):
        trial.tried.append(tried)
        console.print(screen.ticket(tried, trial))
    console.print(screen.summary(trial, _requests(trial.task, rows), len(rows.rows)))
    for line, why in islice(rows.left_out, 3):
        console.print(Text(f" Left out: line {line}: {why}", "yellow"))
    if options.claude != REAL:
        console.print(Text(f" {STAND_IN_SAYS} CLAUDE=real asks Claude.", "dim"))
    return LOOK if rows.left_out or any(each.problem for each in trial.tried) else GOOD


def _requests(task: Task, rows: Rows) -> int:
    return sum(task.message_for(row.shown) is not None for row in rows.rows)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make try", description="A few tickets, asked now, each beside its answer."
    )
    parser.add_argument("--tickets", type=Path, metavar="FILE", help="CSV, TSV or JSONL")
    parser.add_argument("--count", type=_count, default=10, help="how many (default: 10)")
    parser.add_argument("--task", default=DEFAULT, help="a name in tasks/, or a TOML file")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument(
        "--claude",
        choices=(STAND_IN, REAL),
        default=STAND_IN,
        help="real: Claude itself, with the key in ANTHROPIC_API_KEY; costs money",
    )
    parser.add_argument("--map", default="", metavar="body=text", help="attribute=column, ...")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST}")
    return number


if __name__ == "__main__":
    sys.exit(main())
