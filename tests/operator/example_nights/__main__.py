"""Writes the example nights: `python -m tests.operator.example_nights [--out DIR] [NAME ...]`.

For each, `report.html` and the items of both tables as they are in DynamoDB, `tables.json`.
"""

import argparse
import json
from pathlib import Path

from tests.operator.example_nights.play import NIGHTS, example, items, theatre
from tests.operator.night_report.page import page
from tests.operator.night_report.record import read


def main() -> None:
    parser = argparse.ArgumentParser(prog="example-nights", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NIGHTS)}; default: all"
    )
    parser.add_argument("--out", type=Path, default=Path(".build/example-nights"))
    options = parser.parse_args()
    if unknown := set(options.names) - NIGHTS.keys():
        parser.error(f"no such night: {', '.join(sorted(unknown))}")
    with theatre() as ours:
        for name in options.names or NIGHTS:
            night = example(ours, name)
            directory = options.out / name
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "report.html").write_text(page(read(night.stack, None)), encoding="utf-8")
            (directory / "tables.json").write_text(json.dumps(items(night), ensure_ascii=False))
            print(directory / "report.html")


if __name__ == "__main__":
    main()
