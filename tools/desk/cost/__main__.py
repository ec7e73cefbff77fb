"""`python -m tools.desk.cost [--tickets FILE] [--model MODEL]`.

Exit codes: 0 a table, 2 nothing to count, or a model without a price.
"""

import argparse
import sys

from rich.console import Console
from rich.text import Text

from nightshift.errors import PriceUnknown, SettingsInvalid
from nightshift.task.task import DEFAULT
from nightshift.task.task import load as load_task
from tools.desk.cost.compare import load, offers
from tools.desk.cost.screen import comparison
from tools.local.night.tickets import UnusableFile, add_tickets_option
from tools.local.sample import shipped

GOOD, UNUSABLE = 0, 2
DEFAULT_MODEL = "claude-haiku-4-5"  # as in template.yaml


def main() -> int:
    options = _options()
    console = Console(highlight=False)
    try:
        task = load_task(options.task)
        task.price_table.of(options.model)
        with console.status("Counting"):
            tickets = load(options.tickets or shipped.file_for(task), task)
    except (UnusableFile, PriceUnknown, SettingsInvalid) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE
    console.print(comparison(tickets, offers(tickets, task, options.model), task))
    return GOOD


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make cost", description="What tickets would cost, without sending anything."
    )
    add_tickets_option(parser)
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
