"""Answers to any task: what the prompt and the schema allow, chosen by a hash of the message.

A schema holds no lengths and no bounds, so they are read from the prompt, as a model would do. The
default categories are chosen by keyword rules instead; see `answers.classify`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

# How Nightshift asks for a bare word: a heading, a label a line, an empty line, this sentence.
_BARE_WORD = re.compile(
    r"^[^\n]*:\n((?:[^\n]+\n)+)\n[^\n]*Answer with the name of the one ", re.MULTILINE
)
_BOUNDS = re.compile(r"a whole number from (-?\d+) to (-?\d+)")
_CHARACTERS = re.compile(r"at most (\d+) characters")
_NUMBER = re.compile(r"a list of (?:(\d+) to )?(\d+) texts")
_MOST = re.compile(r"those that apply, at most (\d+)")
_WORDS = [
    "The",
    "stand-in",
    "read",
    "this",
    "and",
    "has",
    "only",
    "so",
    "many",
    "words",
    "to",
    "say",
    "about",
    "it",
    "all",
    ".",
]


def labels_of(system: str) -> tuple[str, ...]:
    """The labels among which a prompt asks for a bare word."""
    found = _BARE_WORD.search(system)
    return tuple(line.partition(":")[0] for line in found[1].splitlines()) if found else ()


def chosen(labels: Sequence[str], text: str) -> str:
    """One of the labels, always the same for the same text."""
    return labels[_draw(text, "label") % len(labels)]


def invented(schema: Mapping[str, Any], system: str, text: str) -> Any:
    """An answer to a schema, within the bounds that the prompt names."""
    return _value(schema, "", system, text, "answer")


def _value(schema: Mapping[str, Any], asked: str, system: str, text: str, place: str) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][_draw(text, place) % len(schema["enum"])]
    if "anyOf" in schema:
        options = schema["anyOf"]
        return _value(options[_draw(text, place) % len(options)], asked, system, text, place)
    if schema.get("type") == "object":
        return {
            name: _value(each, _line(system, name), system, text, f"{place}.{name}")
            for name, each in schema.get("properties", {}).items()
        }
    if schema.get("type") == "array":
        return _list(schema, asked, system, text, place)
    return _SIMPLE[schema["type"]](asked, text, place)


def _list(schema: Mapping[str, Any], asked: str, system: str, text: str, place: str) -> list[Any]:
    items = schema.get("items", {"type": "string"})
    if "enum" in items:
        most = min(_first(_MOST, asked, len(items["enum"])), len(items["enum"]))
        start, number = _draw(text, place), _draw(text, f"{place}#") % (most + 1)
        return [items["enum"][(start + n) % len(items["enum"])] for n in range(number)]
    found = _NUMBER.search(asked)
    few, many = (int(found[1] or found[2]), int(found[2])) if found else (1, 2)
    number = few + _draw(text, f"{place}#") % (many - few + 1)
    return [_value(items, asked, system, text, f"{place}.{n}") for n in range(number)]


def _string(asked: str, text: str, place: str) -> str:
    most = _first(_CHARACTERS, asked, 60)
    length = max(1, most - _draw(text, place) % max(1, most // 2))
    return (" ".join(_sentence(_draw(text, place), length))[:length]).strip() or "x"


def _sentence(start: int, length: int) -> Iterator[str]:
    said = 0
    while said < length:
        word = _WORDS[start % len(_WORDS)]
        yield word
        said, start = said + len(word) + 1, start + 1


def _integer(asked: str, text: str, place: str) -> int:
    found = _BOUNDS.search(asked)
    low, high = (int(found[1]), int(found[2])) if found else (1, 5)
    return low + _draw(text, place) % (high - low + 1)


_SIMPLE: dict[str, Callable[[str, str, str], Any]] = {
    "string": _string,
    "integer": _integer,
    "number": lambda asked, text, place: float(_integer(asked, text, place)),
    "boolean": lambda asked, text, place: _draw(text, place) % 2 == 0,
    "null": lambda asked, text, place: None,
}


def _line(system: str, name: str) -> str:
    """What the prompt says about a key."""
    found = re.search(rf"^{re.escape(name)}: (.*)$", system, re.MULTILINE)
    return found[1] if found else ""


def _first(pattern: re.Pattern[str], text: str, otherwise: int) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else otherwise


def _draw(text: str, place: str) -> int:
    return int.from_bytes(blake2b(f"{place}\n{text}".encode(), digest_size=6).digest())
