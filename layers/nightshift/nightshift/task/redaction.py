"""Redaction: e-mail addresses, card numbers and IBANs give way to a word before a text is sent.

Pure. The time is linear in the length of the text, whatever a customer writes: from any place, no
expression below looks further than the longest string of its kind, or it never comes back there.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from heapq import merge
from typing import Literal

import regex

from nightshift.task.iban_registry import ACCOUNTS

type Kind = Literal["email", "card", "iban"]
type _Place = tuple[int, int]
"""Where something begins and ends in a text."""

# What may stand between the digits of one number: white space, dashes, dots, invisible characters.
_GAP = r"[\s\p{Pd}\p{Cf}\u2212.]{0,3}+"
# Digits as people type them: ASCII, full width, Arabic, Persian.
_DIGIT = "0-9\uff10-\uff19\u0660-\u0669\u06f0-\u06f9"
_TO_ASCII = {zero + digit: str(digit) for zero in (0xFF10, 0x0660, 0x06F0) for digit in range(10)}
# Behind the n of "\n" in JSON a word begins, and the n is none of its letters.
_ESCAPED = r"(?<=\\)[bfnrt]"


# E-mail addresses: each @ is looked at, first what follows it, then what stands before it.

# Latin letters or others, never both: Japanese or Thai goes on without a space where an address
# ends.
_LATIN, _OTHER = r"\p{Latin}\p{M}", r"[\p{L}\p{M}]--\p{Latin}"
# RFC 1035. Without an end, regex looks for a dot in the whole rest of the text at each @.
_LONGEST_DOMAIN = 253
_AT = re.compile("[@\uff20\ufe6b]|%40")


def _label(letters: str) -> str:
    word = rf"[[{letters}]\p{{Nd}}]++"
    return rf"{word}(?:[-_]++{word})*+"


_DOMAIN = regex.compile(
    # No version of a package (left-pad@1.2.3), no size of a picture (icon@2x.png).
    r"(?!\d+\.\d+\.\d|\dx\.)"
    rf"(?:(?:{_label(_LATIN)}|{_label(_OTHER)})\.)+"
    rf"(?:xn--[a-z0-9\-]++|[{_LATIN}]{{2,}}+|[{_OTHER}]{{2,}}+)",
    regex.IGNORECASE | regex.V1,
)
# Searched backwards.
_LOCAL = regex.compile(
    rf"(?r)(?:[{_LATIN}\p{{Nd}}_.+'=~\-]++|[[{_OTHER}]\p{{Nd}}_.+'=~\-]++)", regex.V1
)
# In front of an address, these are none of it.
_BEFORE_LOCAL = regex.compile(rf"(?:{_ESCAPED})?+[.+'=~\-]*+")


def _emails(text: str) -> Iterator[_Place]:
    for at in _AT.finditer(text):
        domain = _DOMAIN.match(text, at.end(), at.end() + _LONGEST_DOMAIN)
        local = domain and _LOCAL.match(text, 0, at.start())
        if domain and local:
            before = _BEFORE_LOCAL.match(text, local.start(), at.start())
            start = before.end() if before else local.start()
            if start < at.start():
                yield start, domain.end()


# Card numbers.

_FEWEST_DIGITS = 13
# First digits and lengths of the networks (ISO/IEC 7812; wikipedia.org, payment card number,
# 2026-11).
_NETWORK = regex.compile(
    r"4\d{12}(?:\d{3}){0,2}"  # Visa
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|09|[689]\d)\d{11,16}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,11}"  # short ones of Maestro
    r"|(?:5[06-8]|6\d|8[12])\d{14,17}"  # Maestro, Discover, UnionPay, RuPay, Elo, Verve
    r"|220[0-4]\d{12,15}"  # Mir
    r"|9792\d{12}"  # Troy
)


def _group(digits: str) -> str:
    return rf"{_GAP}(?P<group>[{_DIGIT}]{{{digits}}}+)(?![{_DIGIT}])"


# In one piece, or in the groups of a card, such as 4-4-4-4, 4-6-5, 6-13 and 8-8: other groups are
# mostly sizes, counts and dates beside one another. No telephone number with its +, and no decimals
# of a number such as 0.4532015112830366.
_GROUPS = regex.compile(
    rf"(?<![{_DIGIT}+])(?<!(?<![{_DIGIT}])[{_DIGIT}]{{1,3}}\.)(?=[{_DIGIT}])"
    rf"(?:{_group('13,19')}|{_group('4')}{_group('3,6')}(?:{_group('2,6')}){{1,3}}+"
    rf"|{_group('6')}{_group('7,13')}|{_group('8')}{_group('8')})"
)


def _cards(text: str) -> Iterator[_Place]:
    for groups in _GROUPS.finditer(text, overlapped=True):
        start = groups.start()
        ends = (end for end in reversed(groups.ends("group")) if end >= start + _FEWEST_DIGITS)
        if end := next((end for end in ends if _is_card(text[start:end])), None):
            yield start, end


def _is_card(written: str) -> bool:
    digits = re.sub(r"\D+", "", written).translate(_TO_ASCII)
    return _NETWORK.fullmatch(digits) is not None and _passes_luhn(digits)


def _passes_luhn(digits: str) -> bool:
    """Whether the last digit is the right check digit (ISO/IEC 7812, annex B)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


# IBANs.

_COUNTRY = re.compile(rf"[A-Za-z]{{2}}(?=\W{{0,3}}+[{_DIGIT}])")
_BEFORE_IBAN = r"(?:(?<![\p{Latin}\p{N}])|(?<=\\[bfnrt])|(?<=[Ii][Bb][Aa][Nn]))"
_CHARACTERS = {"n": f"[{_DIGIT}]", "a": "[A-Za-z]", "c": f"[A-Za-z{_DIGIT}]"}


def _ibans(text: str) -> Iterator[_Place]:
    for start in _COUNTRY.finditer(text):
        country = start.group().upper()
        found = country in ACCOUNTS and _iban_of(country).match(text, start.start())
        if found and _has_checksum(found.group()):
            yield found.span()


@cache
def _iban_of(country: str) -> regex.Pattern[str]:
    parts = re.findall(r"(\d+)([nac])", "2n" + ACCOUNTS[country])
    rest = "".join(f"(?:{_GAP}{_CHARACTERS[kind]}){{{count}}}" for count, kind in parts)
    return regex.compile(rf"{_BEFORE_IBAN}[A-Za-z]{{2}}{rest}(?![\p{{Latin}}\p{{N}}])")


def _has_checksum(written: str) -> bool:
    """Whether the remainder by 97 is 1 (ISO 13616)."""
    characters = [c for c in written if c.isalnum()]
    number = "".join(str(int(c, 36)) for c in characters[4:] + characters[:4])
    return int(number) % 97 == 1


# All of them.

_FINDERS: Mapping[Kind, Callable[[str], Iterator[_Place]]] = {
    "email": _emails,
    "card": _cards,
    "iban": _ibans,
}


def redact(text: str, kinds: Iterable[Kind], characters: int) -> tuple[str, Counter[str]]:
    """The text with a word such as `[email]` for each string of these kinds, and how many of each
    kind there were.

    Looks no further than where the result has so many characters: there the text will be cut, and
    what is cut off is not counted. Where such a word would be cut, the text ends before it.
    """
    kept: list[str] = []
    counts: Counter[str] = Counter()
    size = end = 0
    for start, stop, kind in merge(*(_places(kind, text) for kind in kinds), key=_order):
        if stop <= end:
            continue  # a part of what is gone already
        before, word = text[end:start], f"[{kind}]"
        size += len(before) + len(word)
        if size > characters:
            return "".join([*kept, before]), counts
        kept += (before, word)
        counts[kind] += 1
        end = stop
    return "".join([*kept, text[end:]]), counts


def _places(kind: Kind, text: str) -> Iterator[tuple[int, int, Kind]]:
    return ((start, end, kind) for start, end in _FINDERS[kind](text))


def _order(place: tuple[int, int, Kind]) -> tuple[int, int]:
    """By the place in the text; of two that begin together the longer one comes first."""
    start, end, _ = place
    return start, -end


# What Claude and people are told.

_ONE: Mapping[str, str] = {
    "email": "an e-mail address",
    "card": "the number of a payment card",
    "iban": "the IBAN of a bank account",
}
_COUNTED: Mapping[str, tuple[str, str]] = {
    "email": ("e-mail address", "e-mail addresses"),
    "card": ("card number", "card numbers"),
    "iban": ("IBAN", "IBANs"),
}


def explained(kinds: Collection[Kind]) -> str:
    """One sentence for the prompt: what the words in the place of redacted strings mean."""
    *others, last = [f"[{kind}] for {one}" for kind, one in _ONE.items() if kind in kinds]
    each = f"{', '.join(others)} and {last}" if others else last
    return f"Private data was replaced before a message was sent to you: {each}."


def said(counts: Mapping[str, int]) -> str:
    """How many strings of each kind were redacted, as people read it."""
    each = [(counts[kind], *names) for kind, names in _COUNTED.items() if counts.get(kind)]
    return ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in each)
