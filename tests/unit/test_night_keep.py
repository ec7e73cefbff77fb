"""Tickets go into the local table as DynamoDB spells them, and come out as a file and its sums."""

import csv
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from boto3.dynamodb.types import TypeSerializer

from nightshift.task.task import Task
from tests.tasks import reviewed, reviews, task
from tools.local.night.keep import Tickets, keep_tickets
from tools.local.night.load import load

spelled = TypeSerializer().serialize


class Table:
    """BatchWriteItem and Scan over a table in memory, which takes nothing of the first call."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = list(items)
        self.calls = 0

    def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803
        self.calls += 1
        if self.calls == 1:
            return {"UnprocessedItems": RequestItems}
        [(_, puts)] = RequestItems.items()
        self.items += [put["PutRequest"]["Item"] for put in puts]
        return {}

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=self._scan)

    def _scan(self, **asked: Any) -> Any:
        shown = set(asked["ExpressionAttributeNames"].values())
        yield {"Items": [{n: v for n, v in item.items() if n in shown} for item in self.items]}


def test_values_of_every_type_are_loaded_as_dynamodb_spells_them() -> None:
    table = Table()
    ticket = {
        "ticket_id": "P-1",
        "price": 9.5,
        "stock": 0,
        "new": False,
        "tags": ["a", 1.25, None],
        "maker": {"name": "B"},
        "title": "Lamp",
    }

    assert load(table, "tickets", [ticket, {"ticket_id": "P-2"}]) == 2

    first, second = sorted(table.items, key=lambda item: item["ticket_id"]["S"])
    assert first == {
        "ticket_id": {"S": "P-1"},
        "price": {"N": "9.5"},
        "stock": {"N": "0"},
        "new": {"BOOL": False},
        "tags": {"L": [{"S": "a"}, {"N": "1.25"}, {"NULL": True}]},
        "maker": {"M": {"name": {"S": "B"}}},
        "title": {"S": "Lamp"},
        "classification_status": {"S": "pending"},
    }
    assert second == {"ticket_id": {"S": "P-2"}, "classification_status": {"S": "pending"}}
    assert table.calls == 2


def kept(directory: Path, asked: Task, *items: dict[str, Any]) -> tuple[Tickets, list[list[str]]]:
    table = Table(*({name: spelled(value) for name, value in item.items()} for item in items))
    cloud = SimpleNamespace(client=lambda _: table)
    found = keep_tickets(cast(Any, cloud), "tickets", asked, directory)
    with (directory / "tickets.csv").open(encoding="utf-8-sig", newline="") as file:
        return found, list(csv.reader(file))


def test_what_was_answered_is_counted_as_the_report_counts(tmp_path: Path) -> None:
    done = {"classified_at": "2026-11-22T04:00:00+00:00"}
    some = {name: value for name, value in reviewed().items() if name != "status"}
    found, [titles, *rows] = kept(
        tmp_path,
        reviews(),
        {"ticket_id": "2", **done, **reviewed(size=5, spam=True, topics=["look"])},
        {"ticket_id": "1", **done, **reviewed(), "subject": "=1+1"},
        {"ticket_id": "3", **done, **some, "classification_status": "review"},
        {"ticket_id": "4", "classification_status": "failed", "classification_error": "a: b"},
        {"ticket_id": "5", "classification_status": "pending"},
        {"ticket_id": "6"},
    )

    assert (found.answered, found.unsure, found.undecided) == (2, 1, 2)
    assert found.failed == {"a: b": ["4"]}
    assert found.answers["size"] == Counter(numbers=2, sum=2)
    assert found.answers["spam"] == Counter(yes=1, no=1)
    assert found.answers["topics"] == Counter(look=1, price=1, taste=1)
    assert [row[0] for row in rows] == list("123456")
    first = dict(zip(titles, rows[0], strict=True))
    assert (first["size"], first["spam"], first["topics"]) == ("-3", "false", '["price", "taste"]')
    assert first["subject"] == "'=1+1"  # no formula


def test_the_columns_are_the_tasks_own(tmp_path: Path) -> None:
    _, [titles] = kept(tmp_path, task())

    assert titles[:2] == ["ticket_id", "category"]
    assert titles[-2:] == ["subject", "body"]
