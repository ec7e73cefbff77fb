"""The ticket table's stream -> Zendesk: a category that it has not been told yet."""

import logging
import os
from typing import Any

import boto3
import zendesk
from tickets_in import OUTPUT, SENT

_LOG = logging.getLogger(__name__)


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Tell Zendesk; the first ticket that fails is where the stream goes on from.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html (2026-11)
    """
    for record in event["Records"]:
        change = record["dynamodb"]
        try:
            tell(change["Keys"]["ticket_id"]["S"])
        except Exception as error:  # whatever it was, the tickets after it must not be lost
            # The error's name alone: a library's message might quote a request.
            said = error if isinstance(error, zendesk.ZendeskRefused) else type(error).__name__
            _LOG.error("Not told: %s", said)
            return {"batchItemFailures": [{"itemIdentifier": change["SequenceNumber"]}]}
    return {"batchItemFailures": []}


def tell(ticket_id: str) -> str:
    """Bring Zendesk up to date with one ticket, as the table has it now; returns what was done.

    Nothing is told twice, so a change that this function made itself ends here.
    """
    if not (ticket_id.isascii() and ticket_id.isdigit()):
        return "none of Zendesk's"
    table = boto3.resource("dynamodb").Table(os.environ["TICKET_TABLE"])
    item = table.get_item(Key={"ticket_id": ticket_id}, ConsistentRead=True).get("Item", {})
    category = item.get(OUTPUT)
    if not category or category == item.get(SENT):
        return "nothing new"
    ticket = zendesk.read(ticket_id)
    if ticket is None or ticket.status in zendesk.ENDED:
        return "gone"
    if ticket.category not in ("", item.get(SENT), category):
        return "a person's"  # the webhook brings it into the table
    if ticket.category != category:
        zendesk.write_category(ticket_id, category)
    _remember(table, ticket_id, category)
    return "told"


def _remember(table: Any, ticket_id: str, category: str) -> None:
    """Only where the ticket still exists: a deleted one stays deleted."""
    try:
        table.update_item(
            Key={"ticket_id": ticket_id},
            UpdateExpression="SET #sent = :category",
            ConditionExpression="attribute_exists(ticket_id)",
            ExpressionAttributeNames={"#sent": SENT},
            ExpressionAttributeValues={":category": category},
        )
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        return
