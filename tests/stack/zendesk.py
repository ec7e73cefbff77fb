"""A Zendesk on 127.0.0.1: tickets with one custom field, and a webhook that signs as Zendesk does.

Written after developer.zendesk.com (2026-11): the Tickets API's *Show Ticket* and *Update Ticket*,
webhooks/verifying, and rate limits.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import urllib3

FIELD = 360_001
SECRET = {"signing_secret": "dGhpcyBzZWNyZXQ=", "email": "night@example.com", "api_token": "t0ken"}
_START = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Zendesk:
    """Tickets by id, and every call to the API."""

    url: str = ""
    webhook: str = ""
    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    busy: int = 0
    """So many of the next updates are refused with 429."""
    ticks: int = 0

    def change(self, ticket_id: str, **changes: Any) -> None:
        """What a person does: a new ticket, another subject, a category by hand ..."""
        self.ticks += 1
        category = changes.pop("category", None)
        now = f"{_START + timedelta(seconds=self.ticks):%Y-%m-%dT%H:%M:%SZ}"
        new = {
            "id": int(ticket_id), "subject": "", "description": "", "status": "open",
            "created_at": now, "custom_fields": [{"id": FIELD, "value": None}],
        }  # fmt: skip
        ticket = self.tickets.setdefault(ticket_id, new)
        ticket |= changes | {"updated_at": now}
        if category is not None:
            ticket["custom_fields"] = [{"id": FIELD, "value": category}]

    def category(self, ticket_id: str) -> str | None:
        [only] = self.tickets[ticket_id]["custom_fields"]
        return only["value"]

    def updates(self) -> list[str]:
        """The ids of tickets that were updated by the API, in order."""
        return [path for method, path, status in self.calls if (method, status) == ("PUT", 200)]

    def fire(self, ticket_id: str, *, secret: str = SECRET["signing_secret"]) -> tuple[int, str]:
        """The trigger, which runs whenever a ticket is created or updated."""
        body = json.dumps({"ticket_id": ticket_id}).encode()
        stamp = "2026-11-22T02:00:00Z"
        digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
        headers = {
            "Content-Type": "application/json",
            "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
            "X-Zendesk-Webhook-Signature-Timestamp": stamp,
        }
        answer = urllib3.request("POST", self.webhook, body=body, headers=headers, timeout=30)
        return answer.status, answer.data.decode()

    def answer(self, method: str, path: str, auth: str, body: bytes) -> tuple[int, Any]:
        expected = base64.b64encode(f"{SECRET['email']}/token:{SECRET['api_token']}".encode())
        if auth != f"Basic {expected.decode()}":
            return 401, {"error": "Couldn't authenticate you"}
        ticket_id = path.removeprefix("/api/v2/tickets/").removesuffix(".json")
        if ticket_id not in self.tickets:
            return 404, {"error": "RecordNotFound"}
        if method == "PUT":
            if self.busy:
                self.busy -= 1
                return 429, {"error": "TooManyRequests"}
            [asked] = json.loads(body)["ticket"]["custom_fields"]
            assert asked["id"] == FIELD
            self.change(ticket_id, category=asked["value"])
        return 200, {"ticket": self.tickets[ticket_id]}


@contextmanager
def zendesk() -> Iterator[Zendesk]:
    """Run it until the block is left."""
    ours = Zendesk()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            auth = self.headers.get("Authorization", "")
            status, said = ours.answer(self.command, self.path, auth, body)
            ticket_id = self.path.rpartition("/")[2].removesuffix(".json")
            ours.calls.append((self.command, ticket_id, status))
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        ours.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield ours
        finally:
            server.shutdown()
