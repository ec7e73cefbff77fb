"""Zendesk's REST API, as far as these two functions need it."""

import json
import os
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import boto3
import urllib3

# "If the rate limit is exceeded, the API responds with a 429 [...] a Retry-After header that tells
# you how many seconds to wait" (developer.zendesk.com, api-reference/introduction/rate-limits,
# 2026-11). urllib3 waits so long, by itself.
_WAIT_AND_TRY_AGAIN = urllib3.Retry(
    total=6,
    backoff_factor=1,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=("GET", "PUT"),
    raise_on_status=False,
)
_HTTP = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=20))
# Tickets that take no change any more.
ENDED = ("closed", "deleted")


class ZendeskRefused(Exception):
    """Zendesk did not do what it was asked; holds no word of a ticket."""


@dataclass(frozen=True)
class ZendeskTicket:
    """What is read of a ticket. `category` is the value of the one custom field, "" for none."""

    ticket_id: str
    subject: str
    body: str
    created_at: str
    updated_at: str
    status: str
    category: str


def read(ticket_id: str) -> ZendeskTicket | None:
    """A ticket as it is now; None if there is none."""
    response = _call("GET", ticket_id)
    if response.status == 404:
        return None
    ticket = _must_be_good(response, ticket_id).json()["ticket"]
    field = int(os.environ["FIELD_ID"])
    values = {each["id"]: each["value"] for each in ticket.get("custom_fields", [])}
    return ZendeskTicket(
        ticket_id=str(ticket["id"]),
        subject=ticket.get("subject") or "",
        body=ticket.get("description") or "",
        created_at=ticket.get("created_at") or "",
        updated_at=ticket.get("updated_at") or "",
        status=ticket.get("status") or "",
        category=values.get(field) or "",
    )


def write_category(ticket_id: str, category: str) -> None:
    """Set the custom field of a ticket. Setting it twice is as good as once."""
    field = {"id": int(os.environ["FIELD_ID"]), "value": category}
    response = _call("PUT", ticket_id, {"ticket": {"custom_fields": [field]}})
    _must_be_good(response, ticket_id)


def secret() -> dict[str, str]:
    """`signing_secret` of the webhook, `email` and `api_token` of whoever updates tickets.

    A new one is seen within five minutes.
    """
    return _secret_of(int(time.time() // 300))


@lru_cache(maxsize=1)
def _secret_of(_five_minutes: int) -> dict[str, str]:
    client = boto3.client("secretsmanager")
    held: dict[str, str] = json.loads(
        client.get_secret_value(SecretId=os.environ["SECRET"])["SecretString"]
    )
    return held


def _call(method: str, ticket_id: str, body: Any = None) -> urllib3.BaseHTTPResponse:
    held = secret()
    auth = urllib3.make_headers(basic_auth=f"{held['email']}/token:{held['api_token']}")
    url = f"{os.environ['ZENDESK_URL'].rstrip('/')}/api/v2/tickets/{ticket_id}.json"
    return _HTTP.request(method, url, json=body, headers=auth, retries=_WAIT_AND_TRY_AGAIN)


def _must_be_good(response: urllib3.BaseHTTPResponse, ticket_id: str) -> urllib3.BaseHTTPResponse:
    if response.status >= 300:
        raise ZendeskRefused(f"Zendesk answered {response.status} about ticket {ticket_id}.")
    return response
