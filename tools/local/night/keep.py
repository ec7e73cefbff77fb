"""What stays of a night whose cloud is gone: its page, the tables and the logs, as files."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from nightshift.task.task import Task
from tools.desk.files.cells import guarded
from tools.local.cloud.cloud import LocalCloud
from tools.operate.night_report import page as night_page
from tools.operate.night_report.record import read
from tools.operate.stack import Stack, Unusable

REPORT = "report.html"
TICKETS, RUN, BAD_LINES = "tickets.csv", "run.json", "bad-lines.txt"
FUNCTIONS_LOG, CLOUD_LOG, CLAUDE_LOG = "functions.log", "cloud/ministack.log", "stand-in.log"
FILES = (REPORT, TICKETS, RUN, BAD_LINES, FUNCTIONS_LOG, CLOUD_LOG, CLAUDE_LOG)
MARKS = (
    "classification_status",
    "classification_error",
    "classification_attempts",
    "classified_at",
    "classified_by",
    "classified_with",
    "created_at",
)
LONGEST_CELL = 500  # characters of an input
NOTEWORTHY = ('"level":"WARNING"', '"level":"ERROR"', '"level":"CRITICAL"', "[ERROR]", "timed out")


@dataclass
class Tickets:
    """What the ticket table shows after the night."""

    answers: dict[str, Counter[str]] = field(default_factory=dict)
    """What was answered, by output, as `task/outputs.py` counts."""
    answered: int = 0
    unsure: int = 0
    failed: dict[str, list[str]] = field(default_factory=dict)
    """Ids by reason."""
    undecided: int = 0


def keep_tickets(cloud: LocalCloud, table: str, task: Task, directory: Path) -> Tickets:
    """Every ticket as a line of CSV, with the starts of its inputs, and the sum of it."""
    found = Tickets(answers={name: Counter() for name in task.output})
    columns = ("ticket_id", *task.output, *MARKS, *task.input)
    with (directory / TICKETS).open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        for item in sorted(_scan(cloud, table, columns), key=lambda item: item["ticket_id"]):
            rows.writerow([_cell(item.get(name, "")) for name in columns])
            status = item.get("classification_status")
            if status is None and "classified_at" in item:
                found.answered += 1
                for name, output in task.output.items():
                    found.answers[name].update(output.count(_answer(item[name])))
            elif status == "review":
                found.unsure += 1
            elif status == "failed":
                reason = item.get("classification_error", "")
                found.failed.setdefault(reason, []).append(item["ticket_id"])
            else:
                found.undecided += 1
    return found


def keep_run(cloud: LocalCloud, table: str, directory: Path) -> None:
    """The run table as a list of its items."""
    items = sorted(_scan(cloud, table), key=lambda item: (item["run_id"], item["record"]))
    (directory / RUN).write_text(
        json.dumps(items, indent=2, ensure_ascii=False, default=_plain) + "\n"
    )


def keep_report(
    cloud: LocalCloud, stack: str, outputs: Mapping[str, str], directory: Path, note: str
) -> bool:
    """The page of the night; False where the record tells of no night at all."""
    dynamodb, states = cloud.client("dynamodb"), cloud.client("stepfunctions")
    try:
        record = read(Stack(stack, outputs, {}, dynamodb, states), None)
    except Unusable:
        return False
    (directory / REPORT).write_text(night_page.page(record, note), encoding="utf-8")
    return True


def keep_logs(cloud: LocalCloud, stack_name: str, directory: Path) -> list[str]:
    """What the functions and the workflow logged; returns the lines that tell of trouble."""
    logs, lines = cloud.client("logs"), []
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        if stack_name not in name:
            continue
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=name)
        short = name.rpartition("/")[2]
        lines += [(e["timestamp"], short, e["message"]) for page in pages for e in page["events"]]
    lines.sort(key=lambda line: line[0])
    text = [f"{name}: {message.rstrip()}" for _, name, message in lines]
    (directory / FUNCTIONS_LOG).write_text("\n".join(text) + "\n")
    return [line for line in text if any(mark in line for mark in NOTEWORTHY)]


def _scan(
    cloud: LocalCloud, table: str, attributes: tuple[str, ...] = ()
) -> Iterator[dict[str, Any]]:
    names = {f"#{n}": name for n, name in enumerate(attributes)}  # reserved words may be names
    wanted: dict[str, Any] = {}
    if names:
        wanted = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    scan = cloud.client("dynamodb").get_paginator("scan")
    pages = scan.paginate(TableName=table, ConsistentRead=True, **wanted)
    value = TypeDeserializer().deserialize
    for page in pages:
        for item in page["Items"]:
            yield {name: value(attribute) for name, attribute in item.items()}


def _answer(value: Any) -> Any:
    """An answer as the task's outputs know it: numbers are integers."""
    return int(value) if isinstance(value, Decimal) else value


def _cell(value: Any) -> str:
    if not isinstance(value, str):  # a number below zero is no formula
        return json.dumps(value, default=_plain)[:LONGEST_CELL]
    return guarded(value[:LONGEST_CELL])


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, set):
        return sorted(value)
    return f"{len(bytes(value))} bytes"  # a bitmap
