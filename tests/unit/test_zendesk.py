"""The functions of docs/zendesk: what asks, whose category stays, where the stream goes on."""

import base64
import hashlib
import hmac
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

FUNCTIONS = Path(__file__).parents[2] / "docs" / "zendesk" / "functions"
TEXT = {"subject": "Charged twice", "body": "My invoice"}
SORTED = TEXT | {
    "category": "billing", "classified_as": "billing", "classified_at": "2026-11-22T02:10:00Z",
    "zendesk_category": "billing", "zendesk_updated_at": "2026-11-21T10:00:00Z",
}  # fmt: skip
SECRET = "a signing secret"


@pytest.fixture
def tickets_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FUNCTIONS))
    return import_module("tickets_in")


@pytest.fixture
def category_out(tickets_in: Any) -> Any:
    return import_module("category_out")


def ticket(tickets_in: Any, **changes: str) -> Any:
    values = TEXT | {"created_at": "c", "updated_at": "u", "status": "open", "category": ""}
    return tickets_in.ZendeskTicket("1", **(values | changes))


def test_a_ticket_that_the_table_does_not_know_asks(tickets_in: Any) -> None:
    changes, removed = tickets_in.changes_to(None, ticket(tickets_in))

    assert changes == TEXT | {
        "created_at": "c", "updated_at": "u", "zendesk_updated_at": "u",
        "classification_status": "pending",
    }  # fmt: skip
    assert removed == []


@pytest.mark.parametrize(
    ("item", "now", "asks"),
    [
        (SORTED, {"category": "billing"}, None),
        (SORTED, {"category": "billing", "subject": "Again"}, True),
        (SORTED, {"category": "billing", "body": "Again"}, True),
        # Zendesk still shows the answer before, which it was told: no person chose that.
        (
            SORTED | {"category": "account", "classified_as": "account"},
            {"category": "billing"},
            None,
        ),
        # Told, but its note of that got lost.
        (SORTED | {"zendesk_category": "x"}, {"category": "billing"}, None),
        (TEXT | {"classification_status": "failed"}, {}, None),
        # A person chose: in Zendesk, before there was an answer, or in the table.
        (SORTED, {"category": "other"}, False),
        (None, {"category": "other"}, False),
        (SORTED | {"category": "other"}, {"category": "billing", "body": "Again"}, False),
        (TEXT | {"category": "other"}, {"body": "Again"}, False),
        # An answer from before `classified_as` was kept.
        (TEXT | {"category": "x", "classified_at": "2026"}, {"body": "Again"}, True),
        # A task of several outputs.
        (SORTED | {"classified_as": {"category": "billing"}}, {"body": "Again"}, True),
        (SORTED | {"classified_as": {"category": "other"}}, {"body": "Again"}, False),
    ],
)
def test_what_asks_and_whose_category_stays(
    tickets_in: Any, item: Any, now: dict[str, str], asks: bool | None
) -> None:
    """`asks` is None where nothing is written."""
    changes, removed = tickets_in.changes_to(item, ticket(tickets_in, **now))

    assert bool(changes) == (asks is not None)
    assert ("classification_status" in changes) == (asks is True)
    if "category" in changes:
        assert changes["category"] == now["category"] == "other"
        assert removed == ["classification_status"]


def signed(body: bytes, stamp: str = "2026-11-22T02:00:00Z") -> dict[str, str]:
    digest = hmac.new(SECRET.encode(), stamp.encode() + body, hashlib.sha256).digest()
    return {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": stamp,
    }


def test_only_what_the_webhook_signed_is_taken(tickets_in: Any) -> None:
    body = b'{"ticket_id": "1"}'
    good = signed(body)

    assert tickets_in.is_signed(good, body, SECRET)
    assert tickets_in.is_signed({k.title(): v for k, v in good.items()}, body, SECRET)
    assert not tickets_in.is_signed(good, body + b" ", SECRET)
    assert not tickets_in.is_signed(good, body, "another")
    later = good | {"x-zendesk-webhook-signature-timestamp": "2026-11-23T02:00:00Z"}
    assert not tickets_in.is_signed(later, body, SECRET)
    assert not tickets_in.is_signed({}, body, SECRET)
    odd = good | {"x-zendesk-webhook-signature": "ü"}
    assert not tickets_in.is_signed(odd, body, SECRET)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"ticket_id": "123"}', "123"),
        (b'{"ticket_id": 123}', "123"),
        (b'{"ticket_id": "../users/1"}', None),
        (b'{"ticket_id": "\xc2\xb2"}', None),
        (b'{"ticket_id": ""}', None),
        (b"{}", None),
        (b"[]", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_an_id_is_a_number(tickets_in: Any, body: bytes, found: str | None) -> None:
    assert tickets_in.ticket_id_of(body) == found


def test_an_unsigned_request_reads_nothing(
    tickets_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets_in.zendesk, "secret", lambda: {"signing_secret": SECRET})
    monkeypatch.setattr(tickets_in, "take", lambda ticket_id: f"took {ticket_id}")
    body = json.dumps({"ticket_id": "7"}).encode()
    encoded = {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}

    assert tickets_in.handler({"headers": {}, "body": body.decode()}, None)["statusCode"] == 401
    good = tickets_in.handler({"headers": signed(body)} | encoded, None)
    assert good == {"statusCode": 200, "body": "took 7"}


def records(*ids: str) -> dict[str, Any]:
    numbered = enumerate(ids, start=100)
    return {
        "Records": [
            {"dynamodb": {"Keys": {"ticket_id": {"S": each}}, "SequenceNumber": str(number)}}
            for number, each in numbered
        ]
    }


def test_the_stream_goes_on_from_the_ticket_that_failed(
    category_out: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def tell(ticket_id: str) -> None:
        if ticket_id == "2":
            raise ValueError("My invoice")
        told.append(ticket_id)

    monkeypatch.setattr(category_out, "tell", tell)

    answer = category_out.handler(records("1", "2", "3"), None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "101"}]}
    assert told == ["1"]
    assert "ValueError" in caplog.text
    assert "invoice" not in caplog.text
    assert category_out.handler(records("1", "3"), None) == {"batchItemFailures": []}


def test_tickets_of_others_in_the_same_table_are_left_alone(category_out: Any) -> None:
    assert category_out.tell("T-1001") == "none of Zendesk's"
