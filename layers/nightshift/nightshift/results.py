"""One line of a batch's results: what it says, without believing more than that. Pure."""

from dataclasses import dataclass
from typing import Any, Literal

import orjson

from nightshift import custom_id
from nightshift.custom_id import CustomId
from nightshift.money import NOTHING, Usage

Kind = Literal["succeeded", "errored", "canceled", "expired"]
KINDS: tuple[Kind, ...] = ("succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True, slots=True)
class Line:
    """A result. `error` is the provider's error type, `message` its words; empty where none."""

    custom_id: CustomId
    kind: Kind
    answer: str = ""
    stop_reason: str = ""
    model: str = ""
    error: str = ""
    message: str = ""
    usage: Usage = NOTHING


def name_of(raw: bytes) -> str | None:
    """The custom_id of a line, whoever wrote it; None for a line that cannot be read."""
    try:
        return _string(orjson.loads(raw)["custom_id"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def read(raw: bytes) -> Line | None:
    """Read one line; None for anything that is not a result of a request of ours.

    Branches on the type strings only: an unknown type must not pass for a known one.
    """
    try:
        document = orjson.loads(raw)
        name = custom_id.parse(document["custom_id"])
        result = document["result"]
        kind = result["type"]
        if name is None or kind not in KINDS:
            return None
        if kind == "succeeded":
            return _succeeded(name, result["message"])
        if kind == "errored":
            error = result["error"]["error"]
            said = _string(error.get("message") or "")
            return Line(name, "errored", error=_string(error["type"]), message=said)
        return Line(name, kind)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
        return None


def _succeeded(name: CustomId, message: dict[str, Any]) -> Line:
    texts = [_string(block["text"]) for block in message["content"] if block["type"] == "text"]
    return Line(
        name,
        "succeeded",
        answer="".join(texts),
        stop_reason=_string(message["stop_reason"] or ""),
        model=_string(message["model"]),
        usage=_usage(message["usage"]),
    )


def _usage(usage: dict[str, Any]) -> Usage:
    written = _number(usage.get("cache_creation_input_tokens"))
    for_an_hour = _number((usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens"))
    return Usage(
        input_tokens=_number(usage["input_tokens"]),
        output_tokens=_number(usage["output_tokens"]),
        cache_write_5m=written - for_an_hour,
        cache_write_1h=for_an_hour,
        cache_read=_number(usage.get("cache_read_input_tokens")),
    )


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _number(value: object) -> int:
    """A count of tokens; absent or null counts as none."""
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(value)
    return value
