"""One line of a batch's results, decoded and validated. Pure.

The private types are the provider's documents, as far as Nightshift reads them. A line of another
shape is refused, so that it is no result (platform.claude.com, batch processing,
2026-09-26; SDK 2.13.0 types, 2026-11).
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from nightshift.claude import custom_id
from nightshift.claude.custom_id import CustomId
from nightshift.claude.money import NOTHING, Usage

Kind = Literal["succeeded", "errored", "canceled", "expired"]
type _Count = Annotated[int, Meta(ge=0)]
# Errors of the account or the model, not of a ticket: other requests would meet them too.
ACCOUNT_ERRORS = frozenset(
    {"authentication_error", "billing_error", "not_found_error", "permission_error"}
)
INVALID_REQUEST = "invalid_request_error"


class Result(Struct, frozen=True):
    """A result. `error` is the provider's error type, `message` its words; empty where none.
    `in_the_us`: it was processed in the US, which may cost more."""

    custom_id: CustomId
    kind: Kind
    answer: str = ""
    stop_reason: str = ""
    model: str = ""
    error: str = ""
    message: str = ""
    usage: Usage = NOTHING
    in_the_us: bool = False


class _Written(Struct):
    ephemeral_1h_input_tokens: _Count | None = None


class _Used(Struct):
    input_tokens: _Count
    output_tokens: _Count
    cache_creation_input_tokens: _Count | None = None
    cache_read_input_tokens: _Count | None = None
    cache_creation: _Written | None = None
    inference_geo: str | None = None


class _Block(Struct):
    type: str
    text: str = ""


class _Message(Struct):
    model: str
    content: list[_Block]
    stop_reason: str | None
    usage: _Used


class _Error(Struct):
    type: str
    message: str | None = None


class _ErrorDocument(Struct):
    error: _Error


# The tag decides which document a result is; an unknown tag is refused.
class _Succeeded(Struct, tag_field="type", tag="succeeded"):
    message: _Message


class _Errored(Struct, tag_field="type", tag="errored"):
    error: _ErrorDocument


class _Canceled(Struct, tag_field="type", tag="canceled"):
    pass


class _Expired(Struct, tag_field="type", tag="expired"):
    pass


class _Named(Struct):
    custom_id: str


class _Document(_Named):
    result: _Succeeded | _Errored | _Canceled | _Expired


_decode_name = msgspec.json.Decoder(_Named).decode
_decode = msgspec.json.Decoder(_Document).decode


def name_of(raw: bytes) -> str | None:
    """The custom_id of a line, whoever wrote it; None for a line that cannot be read."""
    try:
        return _decode_name(raw).custom_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def read(raw: bytes) -> Result | None:
    """Read one line; None for anything that is not a result of a request of ours."""
    try:
        document = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    name = custom_id.parse(document.custom_id)
    if name is None:
        return None
    match document.result:
        case _Succeeded(message=message):
            return _succeeded(name, message)
        case _Errored(error=document_):
            error = document_.error
            return Result(name, "errored", error=error.type, message=error.message or "")
        case _Canceled():
            return Result(name, "canceled")
        case _Expired():
            return Result(name, "expired")


def of_message(request_id: CustomId, raw: bytes) -> Result | None:
    """A message that was asked for in real time, read as the result of that request in a batch."""
    name = msgspec.json.encode(str(request_id))
    return read(b'{"custom_id":%b,"result":{"type":"succeeded","message":%b}}' % (name, raw))


def _succeeded(name: CustomId, message: _Message) -> Result:
    return Result(
        name,
        "succeeded",
        "".join([block.text for block in message.content if block.type == "text"]),
        message.stop_reason or "",
        message.model,
        usage=_usage(message.usage),
        in_the_us=message.usage.inference_geo == "us",
    )


def _usage(used: _Used) -> Usage:
    written = used.cache_creation_input_tokens or 0
    for_an_hour = (used.cache_creation and used.cache_creation.ephemeral_1h_input_tokens) or 0
    return Usage(
        used.input_tokens,
        used.output_tokens,
        written - for_an_hour,
        for_an_hour,
        used.cache_read_input_tokens or 0,
    )


def lines_of(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Split on line feeds alone: text may hold U+2028 and its like. Empty lines are nothing."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)
    if rest:
        yield rest
