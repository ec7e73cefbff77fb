"""The custom_id of a request: its batch, its place there, the digest of its ticket, the ticket.

The API allows 64 of `[A-Za-z0-9_-]`, unique in a batch, and returns results in any order
(platform.claude.com, batch processing, 2026-09-26), so everything that collect must know
about a request travels here:

    token 8 | ordinal 3 | digest 8 | encoding 1 | ticket id at most 44
"""

import re
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from hashlib import blake2b
from secrets import token_urlsafe
from string import ascii_letters, digits

from msgspec import Struct

_ALPHABET = digits + ascii_letters + "-_"
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_NAME_LENGTH = 44
_PLAIN = re.compile(rf"[A-Za-z0-9_-]{{1,{_NAME_LENGTH}}}")
_SHAPE = re.compile(rf"[A-Za-z0-9_-]{{19}}[ibh]{_PLAIN.pattern}")

AS_IS, BASE64, HASH = "i", "b", "h"


class CustomId(Struct, frozen=True):
    """A custom_id taken apart. `name` is the ticket's id in the given `encoding`; `digest` is what
    the ticket's inputs were when it was sent."""

    token: str
    ordinal: int
    digest: str
    encoding: str
    name: str

    def __str__(self) -> str:
        return f"{self.token}{_ordinal(self.ordinal)}{self.digest}{self.encoding}{self.name}"

    @property
    def ticket_id(self) -> str | None:
        """The ticket's id, or None where only its hash fitted (the run table has the id then)."""
        if self.encoding == AS_IS:
            return self.name
        if self.encoding == BASE64:
            return urlsafe_b64decode(self.name + "=" * (-len(self.name) % 4)).decode()
        return None


def new_token() -> str:
    """48 random bits for one batch. No other batch, of this stack or any other, has the same."""
    return token_urlsafe(6)


def name_ticket(ticket_id: str) -> tuple[str, str]:
    """The encoding and the name under which a ticket id of 1 to 1,024 bytes travels."""
    if _PLAIN.fullmatch(ticket_id):
        return AS_IS, ticket_id
    encoded = _encode(ticket_id.encode())
    if len(encoded) <= _NAME_LENGTH:
        return BASE64, encoded
    return HASH, _encode(blake2b(ticket_id.encode(), digest_size=32).digest())


def parse(text: object) -> CustomId | None:
    """Take a custom_id apart; None for one that Nightshift cannot have written."""
    if not isinstance(text, str) or _SHAPE.fullmatch(text) is None:
        return None
    found = CustomId(text[:8], _number(text[8:11]), text[11:19], text[19], text[20:])
    return found if found.encoding != BASE64 or _is_canonical(found) else None


def _is_canonical(found: CustomId) -> bool:
    """Whether this is the spelling that Nightshift writes: base64 has several for one id."""
    try:
        return name_ticket(str(found.ticket_id)) == (found.encoding, found.name)
    except ValueError:
        return False


def _encode(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()


def _ordinal(number: int) -> str:
    return _ALPHABET[number >> 12] + _ALPHABET[number >> 6 & 63] + _ALPHABET[number & 63]


def _number(letters: str) -> int:
    return _VALUE[letters[0]] << 12 | _VALUE[letters[1]] << 6 | _VALUE[letters[2]]
