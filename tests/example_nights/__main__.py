"""Writes the example nights: `python -m tests.example_nights [--out DIR] [NAME ...]`.

For each, `report.html` and the items of both tables as they are in DynamoDB, `tables.json`.
With `--into STACK`, one night replaces all that a stack of a local cloud holds.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.example_nights.play import NIGHTS, example, items, theatre
from tools.operate.night_report import page as night_page
from tools.operate.night_report.record import read
from tools.operate.stack import Stack, find

KEYS = {"tickets": ("ticket_id",), "runs": ("run_id", "record")}


def main() -> None:
    options = _options()
    # The theatre changes the environment: whoever is outside of it is looked for before.
    stack = find(options.into) if options.into else None
    with theatre() as ours:
        for name in options.names or NIGHTS:
            night = example(ours, name)
            tables = items(night)
            directory = options.out / name
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "report.html").write_text(
                night_page.page(read(night.stack, None), now=night.breakfast), encoding="utf-8"
            )
            (directory / "tables.json").write_text(json.dumps(tables, ensure_ascii=False))
            print(directory / "report.html")
    if stack:
        _replace(stack, tables)
        print(f"{stack.name} now holds this night.")


def _replace(stack: Stack, tables: dict[str, list[dict[str, Any]]]) -> None:
    for table, name in (("tickets", stack.ticket_table), ("runs", stack.run_table)):
        pages = stack.dynamodb.get_paginator("scan").paginate(TableName=name)
        for item in [item for page in pages for item in page["Items"]]:
            key = {attribute: item[attribute] for attribute in KEYS[table]}
            stack.dynamodb.delete_item(TableName=name, Key=key)
        for item in tables[table]:
            stack.dynamodb.put_item(TableName=name, Item=item)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="example-nights", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NIGHTS)}; default: all"
    )
    parser.add_argument("--out", type=Path, default=Path(".build/example-nights"))
    parser.add_argument("--into", metavar="STACK", help="needs AWS_ENDPOINT_URL and one NAME")
    options = parser.parse_args()
    if unknown := set(options.names) - NIGHTS.keys():
        parser.error(f"no such night: {', '.join(sorted(unknown))}")
    if options.into and (len(options.names) != 1 or not _is_local()):
        parser.error("--into takes one night, and a local cloud: AWS_ENDPOINT_URL on 127.0.0.1")
    return options


def _is_local() -> bool:
    return urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname in ("127.0.0.1", "localhost")


if __name__ == "__main__":
    main()
