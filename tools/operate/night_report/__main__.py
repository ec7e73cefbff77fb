"""One run of a stack as a page: `python -m tools.operate.night_report --stack NAME`.

Exit codes: 0 written, 2 it cannot be made, 130 stopped.
"""

import argparse
import re
import sys
from pathlib import Path

from tools.operate.night_report.page import page
from tools.operate.night_report.record import read
from tools.operate.stack import Unusable, explained, find
from tools.options import add_stack

DIRECTORY = Path(".build")


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        with explained():
            record = read(find(options.stack), options.run)
        run_id = record.run.run_id
        name = f"night-report-{options.stack}-{re.sub(r'[^A-Za-z0-9_.-]', '-', run_id)[:100]}.html"
        target = options.out or DIRECTORY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(record), encoding="utf-8")
    except KeyboardInterrupt:
        return 130
    except (Unusable, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Run {run_id!r} of {options.stack}: {target.resolve().as_uri()}")
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="night-report", description="A run of a deployed stack as one HTML page."
    )
    add_stack(parser)
    parser.add_argument(
        "--run", metavar="RUN_ID", help="the run, such as 2026-11-22; default: the last"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"default: in {DIRECTORY}/")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
