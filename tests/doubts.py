"""Tickets that a night has left to a person, in a table of moto's."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from nightshift.aws import from_item, to_item
from nightshift.task.task import Task
from nightshift.tickets.table import TicketTable
from tests.moto.scene import client, table
from tests.tasks import changed
from tools.operate.review.server import listening
from tools.operate.review.sitting import Sitting

TABLE = "TicketTable"
VALUES = {
    "billing": "money: prices, charges, invoices, refunds, payment methods, subscriptions",
    "technical": "something does not work, or how to do something",
    "account": "login, password, two-factor codes, e-mail address, profile",
    "feedback": "praise, complaint or a wish, without a fault to fix",
    "other": "spam, nonsense, or anything else",
}


def sorting() -> Task:
    """The task of the tests, which leaves what it is not sure of to a person."""
    return changed(output={"category": {"type": "label", "values": VALUES, "unsure": "unsure"}})


def tickets() -> TicketTable:
    return TicketTable(client("dynamodb"), TABLE)


def put(*ids: str, **other: Any) -> None:
    """Tickets for which Claude was unsure; None leaves an attribute out."""
    for ticket_id in ids:
        item = {
            "ticket_id": ticket_id,
            "subject": f"Subject of {ticket_id}",
            "body": f"Body of {ticket_id}.",
            "classification_status": "review",
            "classification_batch_id": "msgbatch_1",
            "classified_at": "2026-11-22T02:10:00+00:00",
            "classified_by": "claude-haiku-4-5",
            "classified_with": "sorting@00000000",
        } | other
        kept = {name: value for name, value in item.items() if value is not None}
        client("dynamodb").put_item(TableName=TABLE, Item=to_item(kept))


def item(ticket_id: str) -> dict[str, Any]:
    return dict(table(TABLE).get_item(Key={"ticket_id": ticket_id}, ConsistentRead=True)["Item"])


def items() -> dict[str, dict[str, Any]]:
    found = client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)["Items"]
    return {each["ticket_id"]: each for each in map(from_item, found)}


def change(ticket_id: str, **values: str) -> None:
    """As the helpdesk does, whatever stands there."""
    put(ticket_id, **(item(ticket_id) | values))


def sitting(task: Task | None = None) -> Sitting:
    """One person's, from the first ticket on."""
    return Sitting(tickets(), task or sorting(), start=lambda _: 0)


@contextmanager
def served(ours: Sitting) -> Iterator[str]:
    """The page of a sitting, served on 127.0.0.1: the address that opens it."""
    with listening(ours, "helpdesk") as (address, server):
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield address
        finally:
            server.shutdown()
            thread.join()
