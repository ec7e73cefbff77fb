"""What each operation of the API does."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tools.local.claude_standin.answers import message, prompt_tokens
from tools.local.claude_standin.batches import Batch, Batches, parse_json
from tools.local.claude_standin.errors import TYPES, ApiError, invalid, not_found
from tools.local.claude_standin.models import MODELS, find, info
from tools.local.claude_standin.params import (
    COUNTED,
    messages_error,
    template,
    user_text,
)

BATCHES = "/v1/messages/batches"
POLL_SECONDS = "10"  # the hint that the API gives while a batch runs (seen 2025-01 and 2026-09)


@dataclass
class Call:
    """One request: `object_id` is the batch or model in its path, `do` the fault scripted for it.

    `accepted` counts the requests that a create accepted.
    """

    operation: str
    object_id: str
    query: str = ""
    body: bytes = b""
    version: str = ""
    do: dict[str, Any] = field(default_factory=dict)
    accepted: int = 0

    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass
class Reply:
    body: Any = None  # what becomes JSON
    lines: Iterator[bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)


ROUTES = [
    ("POST", re.compile(f"{BATCHES}()"), "create"),
    ("GET", re.compile(f"{BATCHES}()"), "list"),
    ("GET", re.compile(f"{BATCHES}/([^/]+)"), "retrieve"),
    ("DELETE", re.compile(f"{BATCHES}/([^/]+)"), "delete"),
    ("POST", re.compile(f"{BATCHES}/([^/]+)/cancel"), "cancel"),
    ("GET", re.compile(f"{BATCHES}/([^/]+)/results"), "results"),
    ("POST", re.compile("/v1/oauth/token()"), "token"),
    ("POST", re.compile("/v1/messages()"), "messages"),
    ("POST", re.compile("/v1/messages/count_tokens()"), "count_tokens"),
    ("GET", re.compile("/v1/models()"), "models"),
    ("GET", re.compile("/v1/models/([^/]+)"), "models"),
]


def route(method: str, target: str) -> Call:
    path, _, query = target.partition("?")
    for verb, pattern, operation in ROUTES:
        if verb == method and (match := pattern.fullmatch(path)):
            return Call(operation, match[1], query)
    return Call("unknown", "", query)


def perform(call: Call, batches: Batches) -> Reply:
    """Do it; raises ApiError."""
    if call.operation not in PERFORM:
        raise ApiError(404, "Not found")
    return PERFORM[call.operation](call, batches)


def _create(call: Call, batches: Batches) -> Reply:
    batch = batches.create(call.body, call.version, call.do.get("life", {}))
    call.object_id, call.accepted = batch.id, len(batch.requests)
    return Reply(batches.show(batch, batch.created_at))


def _list(call: Call, batches: Batches) -> Reply:
    return Reply(batches.page(call.params()))


def _retrieve(call: Call, batches: Batches) -> Reply:
    return _batch(batches.retrieve(call.object_id), batches)


def _cancel(call: Call, batches: Batches) -> Reply:
    return _batch(batches.cancel(call.object_id), batches)


def _delete(call: Call, batches: Batches) -> Reply:
    batches.delete(call.object_id)
    return Reply({"id": call.object_id, "type": "message_batch_deleted"})


def _results(call: Call, batches: Batches) -> Reply:
    return Reply(lines=batches.results(call.object_id))


def _messages(call: Call, batches: Batches) -> Reply:
    params = _object(call.body)
    if params.get("stream"):
        raise invalid("stream: this stand-in does not stream")
    messages = params.pop("messages", None)
    judged = template(params, call.version, batch=False)
    if error := judged.error or messages_error(messages, judged):
        raise error
    row = batches.answer("", judged, messages)
    if row.type != "succeeded":
        said = row.error or {"type": "api_error", "message": f"scripted: {row.type}"}
        statuses = {kind: status for status, kind in reversed(TYPES.items())}
        raise ApiError(statuses.get(said["type"], 500), said["message"], said["type"])
    said = message(row, f"{batches.now()}", "standard")
    batches.note_synchronous(params | {"messages": messages}, said)
    return Reply(said)


def _count_tokens(call: Call, batches: Batches) -> Reply:
    params = _object(call.body)
    for name in params.keys() - COUNTED:
        raise invalid(f"{name}: Extra inputs are not permitted")
    messages = params.pop("messages", None)
    judged = template({"max_tokens": 1} | params, call.version, batch=False)
    if error := judged.error or messages_error(messages, judged):
        raise error
    return Reply({"input_tokens": prompt_tokens(judged, user_text(messages))})


def _models(call: Call, batches: Batches) -> Reply:
    if call.object_id:
        model = find(call.object_id)
        if model is None:
            raise not_found(f"model: {call.object_id}")
        return Reply(info(model))
    data = [info(model) for model in MODELS.values()]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
    return Reply({"data": data, "has_more": False} | ends)


def _batch(batch: Batch, batches: Batches) -> Reply:
    shown = batches.show(batch)
    ended = shown["processing_status"] == "ended"
    return Reply(shown, headers={} if ended else {"retry-after": POLL_SECONDS})


def _object(body: bytes) -> dict[str, Any]:
    params = parse_json(body)
    if not isinstance(params, dict):
        raise invalid("Input should be a valid dictionary")
    return params


PERFORM: dict[str, Callable[[Call, Batches], Reply]] = {
    "create": _create,
    "list": _list,
    "retrieve": _retrieve,
    "cancel": _cancel,
    "delete": _delete,
    "results": _results,
    "messages": _messages,
    "count_tokens": _count_tokens,
    "models": _models,
}
