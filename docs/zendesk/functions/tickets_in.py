"""Zendesk's webhook -> the ticket table: a ticket asks for a category when its text is new."""

import base64
import hashlib
import hmac
import json
import os
from typing import Any

import boto3
import zendesk
from zendesk import ZendeskTicket

OUTPUT = os.environ.get("OUTPUT", "category")
SENT = "zendesk_category"
"""What Zendesk was last told: so a value there that is neither this nor ours is a person's."""
STAMP = "zendesk_updated_at"


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    if not is_signed(event.get("headers", {}), raw, zendesk.secret()["signing_secret"]):
        return {"statusCode": 401, "body": "not signed by this webhook"}
    ticket_id = ticket_id_of(raw)
    if ticket_id is None:
        return {"statusCode": 400, "body": 'expected {"ticket_id": "123"}'}
    return {"statusCode": 200, "body": take(ticket_id)}


def is_signed(headers: dict[str, str], body: bytes, signing_secret: str) -> bool:
    """Whether a request comes from the webhook: base64(HMAC-SHA256(timestamp + body)).

    https://developer.zendesk.com/documentation/webhooks/verifying/ (2026-11). Its age is not
    looked at: a request that is sent again finds the ticket as it is then, and changes nothing.
    """
    names = {name.lower(): value for name, value in headers.items()}
    timestamp = names.get("x-zendesk-webhook-signature-timestamp", "")
    given = names.get("x-zendesk-webhook-signature", "")
    digest = hmac.new(signing_secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return hmac.compare_digest(base64.b64encode(digest), given.encode())


def ticket_id_of(body: bytes) -> str | None:
    """The id that the webhook names; None if it is no number, as Zendesk's are."""
    try:
        ticket_id = str(json.loads(body)["ticket_id"])
    except (ValueError, KeyError, TypeError):
        return None
    return ticket_id if ticket_id.isascii() and ticket_id.isdigit() else None


def take(ticket_id: str) -> str:
    """Bring the table up to date with one ticket; returns what was done."""
    ticket = zendesk.read(ticket_id)
    if ticket is None or ticket.status in zendesk.ENDED:
        return "gone"
    table = boto3.resource("dynamodb").Table(os.environ["TICKET_TABLE"])
    item = table.get_item(Key={"ticket_id": ticket_id}, ConsistentRead=True).get("Item")
    changes, removed = changes_to(item, ticket)
    if not changes:
        return "unchanged"
    try:
        table.update_item(Key={"ticket_id": ticket_id}, **_update(changes, removed))
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        return "older"  # another request has brought a later state of this ticket
    return "asked" if "classification_status" in changes else "written"


def changes_to(
    item: dict[str, Any] | None, ticket: ZendeskTicket
) -> tuple[dict[str, str], list[str]]:
    """Which attributes to set and which to remove, given what the table holds of a ticket.

    A ticket asks if its text differs from the table's. It never asks where a person chose its
    category: one chosen in Zendesk is taken over, and a question that was under way is withdrawn.
    """
    texts = {"subject": ticket.subject, "body": ticket.body}
    before = item or {}
    is_new_text = any(before.get(name) != text for name, text in texts.items())
    is_persons_now = ticket.category not in ("", before.get(SENT), before.get(OUTPUT))
    if not (is_new_text or is_persons_now):
        return {}, []
    stamps = {"created_at": ticket.created_at, "updated_at": ticket.updated_at}
    changes = texts | stamps | {STAMP: ticket.updated_at}
    if is_persons_now:
        return changes | {OUTPUT: ticket.category}, ["classification_status"]
    if is_persons(before):
        return changes, []
    return changes | {"classification_status": "pending"}, []


def is_persons(item: dict[str, Any]) -> bool:
    """Whether a person chose the category that the table holds: it is not what Nightshift wrote."""
    if OUTPUT not in item:
        return False
    written = item.get("classified_as")
    if isinstance(written, dict):  # a task of several outputs
        written = written.get(OUTPUT)
    # Before `classified_as` there was `classified_at` alone.
    return item[OUTPUT] != written if written else "classified_at" not in item


def _update(changes: dict[str, str], removed: list[str]) -> dict[str, Any]:
    """One write that no later state of the ticket is overwritten by."""
    named = {f"#{n}": name for n, name in enumerate([*changes, *removed])}
    keys = {name: key for key, name in named.items()}
    sets = ", ".join(f"{keys[name]} = :{keys[name][1:]}" for name in changes)
    removes = f" REMOVE {', '.join(keys[name] for name in removed)}" if removed else ""
    return {
        "UpdateExpression": f"SET {sets}{removes}",
        "ConditionExpression": f"attribute_not_exists({keys[STAMP]}) "
        f"OR {keys[STAMP]} <= :{keys[STAMP][1:]}",
        "ExpressionAttributeNames": named,
        "ExpressionAttributeValues": {f":{keys[n][1:]}": value for n, value in changes.items()},
    }
