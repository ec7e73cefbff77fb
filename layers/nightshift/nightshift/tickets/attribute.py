"""Attribute values as DynamoDB's API spells them: their text, their equality, their size. Pure.

A binary value is base64 text, as on the wire, or bytes, as boto3 gives it by itself (see `aws`).
"""

import json
from base64 import b64decode, b64encode
from binascii import b2a_base64
from collections.abc import Iterable
from decimal import Context, Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from nightshift.task.outputs import Value

type Attribute = dict[str, Any]
"""`{"S": "text"}`, one type and its value: compared and sent back as it came."""

# Maps have no order; numbers are written as they are, up to DynamoDB's 38 digits.
_encode = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode
# MessagePack for digests: twice as fast as JSON.
_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_NUMBERS = Context(prec=38)
_SIX_BYTES = blake2b(digest_size=6)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
# boto3 sends JSON in ASCII: a character beyond U+FFFF takes two escapes of 6 bytes.
_MOST_BYTES_PER_CHARACTER = 12
# Bytes. Shorter attributes are not measured: 25 of this size fit into one call.
_SMALL = 150_000


def text(attribute: Attribute | None) -> str:
    """The text of an attribute for a reader: strings, numbers and booleans as they are, NULL as
    nothing, everything else as compact JSON.

    Sets and maps are sorted, so that equal ones look the same; binary is base64.
    """
    if attribute is None:
        return ""
    words: str | None = attribute.get("S")
    if words is not None:
        return words
    if "NULL" in attribute:
        return ""
    if "N" in attribute:
        return str(attribute["N"])
    if "B" in attribute:
        return b64encode(_binary(attribute["B"])).decode()
    return _encode(_as_json(attribute)).decode()


def spelled(value: Value) -> Attribute:
    """An output's value as DynamoDB's API spells it: S, N, BOOL, or L of S."""
    if isinstance(value, bool):  # which is an int too
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    return {"L": [{"S": each} for each in value]}


def value(attribute: Attribute | None) -> Value | None:
    """What an attribute says as the value of an output: the reverse of `spelled`, and what people
    may write by hand. None for nothing, which is NULL and the empty string too; what no output can
    be is given as its text.
    """
    if attribute is None:
        return None
    [(kind, held)] = attribute.items()
    match kind:
        case "BOOL":
            return bool(held)
        case "N" if (number := Decimal(held)) == number.to_integral_value():
            return int(number)
        case "L":
            return [text(each) for each in held]
        case "SS":
            return sorted(held)
        case _:
            return text(attribute) or None


def canonical(attributes: Iterable[Attribute | None]) -> bytes:
    """Bytes that are the same for attributes that DynamoDB calls equal, and differ for all others.

    The text "1" is not the number 1, an attribute that is NULL is not a missing one; numbers are
    equal by value, sets in any order (docs.aws.amazon.com, DynamoDB data types, 2026-11).
    """
    return _pack([a and (a["S"] if "S" in a else _canonical(a)) for a in attributes])


def digest(attributes: Iterable[Attribute | None]) -> str:
    """48 bits of attributes, as eight characters of URL-safe base64."""
    hashed = _SIX_BYTES.copy()  # cheaper than a new one
    hashed.update(canonical(attributes))
    return b2a_base64(hashed.digest(), newline=False).translate(_URL_SAFE).decode()


def most_bytes(attributes: Iterable[Attribute]) -> int:
    """An upper bound of the bytes that boto3 sends for attributes, exact for long ones.

    DynamoDB counts the size of items in UTF-8, which is never more than that.
    """
    held = list(attributes)
    characters = sum([1 + len(a["S"] if "S" in a else str(a)) for a in held])
    if characters * _MOST_BYTES_PER_CHARACTER <= _SMALL:
        return characters * _MOST_BYTES_PER_CHARACTER
    return len(json.dumps(held, default=bytes.hex))


def _as_json(attribute: Attribute) -> object:
    [(kind, value)] = attribute.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return Decimal(value)
        case "SS":
            return sorted(value)
        case "BS":
            return sorted(map(_binary, value))
        case "NS":
            return sorted(map(Decimal, value))
        case "L":
            return [_as_json(each) for each in value]
        case "M":
            return {name: _as_json(each) for name, each in value.items()}
        case _:
            return value


def _canonical(attribute: Attribute) -> Attribute:
    [(kind, value)] = attribute.items()
    match kind:
        case "N":
            return {kind: _number(value)}
        case "B":
            return {kind: _binary(value)}
        case "SS":
            return {kind: sorted(value)}
        case "BS":
            return {kind: sorted(map(_binary, value))}
        case "NS":
            return {kind: sorted(map(_number, value))}
        case "L":
            return {kind: [_canonical(each) for each in value]}
        case "M":
            return {kind: {name: _canonical(each) for name, each in value.items()}}
        case _:
            return attribute


def _number(spelled: str) -> Decimal:
    return Decimal(spelled).normalize(_NUMBERS)


def _binary(value: bytes | str) -> bytes:
    return b64decode(value) if isinstance(value, str) else value
