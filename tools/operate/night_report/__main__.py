"""One run of a stack as a page: `python -m tools.operate.night_report --stack NAME`.

Exit codes: 0 written, 2 it cannot be made.
"""

import argparse
import sys
from pathlib import Path

from tools.operate.night_report.page import page
from tools.operate.night_report.record import read
from tools.operate.stack import Unusable, explained, find

DIRECTORY = Path(".build")


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        with explained():
            record = read(find(options.stack), options.run)
        name = f"night-report-{options.stack}-{_plain(record.night.run_id)}.html"
        target = options.out or DIRECTORY / name
        _write(target, page(record))
    except Unusable as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Run {record.night.run_id!r} of {options.stack}: {target.resolve().as_uri()}")
    return 0


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Unusable(f"{target} cannot be written: {error.strerror or error}.") from None


def _plain(run_id: str) -> str:
    """A run's id as a part of a file's name."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in run_id)[:100]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="night-report", description="A run of a deployed stack as one HTML page."
    )
    parser.add_argument("--stack", required=True, help="the name of the deployed stack")
    parser.add_argument(
        "--run", metavar="RUN_ID", help="the run, such as 2026-11-22; default: the last"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"default: in {DIRECTORY}/")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
