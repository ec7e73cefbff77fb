"""Tickets as they stand in the table and result lines as the provider writes them."""

import json
from typing import Any

from nightshift.claude import custom_id
from nightshift.claude.custom_id import CustomId
from nightshift.tickets.attribute import Attribute
from nightshift.tickets.ticket import GUARDED, STATUS_INDEX, Ticket
from tests.tasks import task

TOKEN = "tok-en_1"

type Item = dict[str, Attribute]
"""An item as DynamoDB's API spells it."""


class Described:
    """A ticket table, as far as DynamoDB describes one that fits."""

    key = "ticket_id"

    def describe_table(self, TableName: str) -> Any:  # noqa: N803
        return {"Table": table_of(self.key, TableName)}


def table_of(key: str, name: str = "tickets") -> dict[str, Any]:
    """A table that fits, by DynamoDB's own description."""
    status = "classification_status"
    return {
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": each, "AttributeType": "S"} for each in (key, status)
        ],
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "GlobalSecondaryIndexes": [
            {
                "IndexName": STATUS_INDEX,
                "KeySchema": [
                    {"AttributeName": status, "KeyType": "HASH"},
                    {"AttributeName": key, "KeyType": "RANGE"},
                ],
            }
        ],
    }


def item(**attributes: str | int | Attribute | None) -> Item:
    """A pending ticket's item; an attribute that is None is not there, one of an odd type is given
    as DynamoDB spells it."""
    values = {
        "ticket_id": "T-1",
        "subject": "Refund",
        "body": "Where is my money?",
        "classification_status": "pending",
        **attributes,
    }
    return {name: _spelled(value) for name, value in values.items() if value is not None}


def _spelled(value: str | int | Attribute) -> Attribute:
    if isinstance(value, dict):
        return value
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def read(stored: Item) -> Ticket:
    """The ticket that an item is read as."""
    return Ticket(
        stored["ticket_id"]["S"],
        {name: stored.get(name) for name in GUARDED},
        {name: stored.get(name) for name in task().inputs},
        int(stored.get("classification_attempts", {}).get("N", 0)),
        "classification_error" in stored,
    )


def ticket(**attributes: str | int | Attribute | None) -> Ticket:
    return read(item(**attributes))


def name_of(asked: Ticket, ordinal: int = 0) -> CustomId:
    """The custom_id under which the default task asks about a ticket."""
    digest = asked.digest
    return CustomId(TOKEN, ordinal, digest, *custom_id.name_ticket(asked.ticket_id))


def succeeded(text: str = "billing", **message: Any) -> dict[str, Any]:
    """A `result` with an answer."""
    answered = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 16,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 5,
            "service_tier": "batch",
            "inference_geo": "not_available",
        },
    }
    return {"type": "succeeded", "message": {**answered, **message}}


def errored(kind: str, message: str = "model: claude-none") -> dict[str, Any]:
    """A `result` with an error, nested twice as the provider does."""
    error = {"details": {"error_visibility": "user_facing"}, "type": kind, "message": message}
    return {"type": "errored", "error": {"type": "error", "error": error, "request_id": None}}


def raw(name: object, result: object) -> bytes:
    """One line of a results file."""
    return json.dumps({"custom_id": name, "result": result}, ensure_ascii=False).encode()
