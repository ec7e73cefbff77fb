"""`python -m tools.desk.cost [--tickets FILE] [--map PAIRS] [--task TASK] [--model MODEL]`.

Exit codes: 0 a table, 1 a table, but lines were left out, 2 nothing to count, or a model without a
price, 130 stopped.
"""

import argparse
import sys

from rich.console import Console
from rich.text import Text

from nightshift.errors import PriceUnknown, SettingsInvalid
from nightshift.task.task import DEFAULT
from nightshift.task.task import load as load_task
from tools.desk import DEFAULT_MODEL
from tools.desk.cost.compare import load, offers
from tools.desk.cost.screen import comparison
from tools.desk.files.problems import UnusableFile
from tools.desk.files.tickets import add_tickets_options, source

GOOD, LOOK, UNUSABLE, STOPPED = 0, 1, 2, 130


def main() -> int:
    options = _options()
    console = Console(highlight=False)
    try:
        task = load_task(options.task)
        task.price_table.of(options.model)
        with console.status("Counting"):
            tickets = load(source(options, task))
    except KeyboardInterrupt:
        return STOPPED
    except (UnusableFile, PriceUnknown, SettingsInvalid) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE
    console.print(comparison(tickets, offers(tickets, task, options.model), task))
    return LOOK if tickets.left_out else GOOD


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make cost", description="What tickets would cost, without sending anything."
    )
    add_tickets_options(parser)
    parser.add_argument(
        "--task",
        default=DEFAULT,
        help="a name in tasks/, or the path of a TOML file (default: %(default)s)",
    )
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="the model to compare the others with (default: %(default)s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
