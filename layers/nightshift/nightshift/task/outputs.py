"""The outputs of a task: what each may be, how it is asked for, how an answer is read. Pure.

A schema of the API holds no lengths and no bounds (platform.claude.com, structured outputs,
2026-09), and its enums may come back in other capitals. So each output is checked again here.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

type Value = str | int | bool | list[str]
"""An answer to one output, as it is written: a string, a number, a boolean, a list of strings."""

# A prompt asks for this share of the longest text that is taken, since models miscount.
_ASKED, _TAKEN = 4, 5
# Around a text in JSON; between two of them.
_QUOTES, _SEPARATOR = 2, 2


class NotAllowed(ValueError):
    """An answer that the task does not allow."""


class Unsure(Exception):
    """The answer is the output's own word for "let a person decide"."""


# Answers repeat, and so do the labels that they are compared with.
_words_seen = lru_cache(maxsize=1024)


@_words_seen
def same_word(text: str) -> str:
    """What two spellings of one label share: case and outer white space are forgiven."""
    return text.strip().casefold()


@_words_seen
def bare_word(text: str) -> str:
    """The same of an answer that is nothing but a label: a final dot is forgiven too."""
    return same_word(text.strip().removesuffix("."))


def _defined(values: object) -> object:
    """Labels with their definitions; a list has none."""
    if not isinstance(values, list):
        return values
    doubled = [name for name, count in Counter(map(str, values)).items() if count > 1]
    if doubled:
        raise ValueError(f"{doubled[0]!r} stands there twice: leave one out")
    return dict.fromkeys(values, "")


type Values = Annotated[
    dict[Annotated[str, Field(min_length=1)], str],
    BeforeValidator(_defined, json_schema_input_type=list[str] | dict[str, str]),
    Field(min_length=1),
]


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    about: str = ""
    """One sentence for the prompt."""

    @property
    def _about(self) -> str:
        return f" ({self.about.strip()})" if self.about.strip() else ""


class Label(_Output):
    """One of a list."""

    type: Literal["label"]
    values: Values
    unsure: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        _check_apart(self.words)
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """All that may be answered."""
        return (*self.values, *([self.unsure] if self.unsure else ()))

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}

    @property
    def longest(self) -> int:
        """Characters of JSON that an answer has at most."""
        return max(map(len, self.words)) + _QUOTES

    @property
    def usual(self) -> float:
        """Characters of JSON that an answer has on average, as far as one can say beforehand."""
        return sum(map(len, self.words)) / len(self.words) + _QUOTES

    @property
    def asked(self) -> str:
        """What an answer must be, for the prompt."""
        unsure = {self.unsure: "a person must decide"} if self.unsure else {}
        return f"one of these{self._about}:{_listed({**self.values, **unsure})}"

    def read(self, value: object) -> str:
        """The label that is meant.

        Raises:
            NotAllowed: none is.
            Unsure: a person should decide.
        """
        return self.named(value, same_word)

    def named(self, value: object, word: Any) -> str:
        """As `read`, where `word` says what two spellings of one label share."""
        if not isinstance(value, str):
            raise NotAllowed("no label")
        said = word(value)
        if self.unsure is not None and said == word(self.unsure):
            raise Unsure
        for name in self.values:
            if word(name) == said:
                return name
        raise NotAllowed("another label")

    def count(self, value: Value) -> Counter[str]:
        """What of an answer is counted: here how often each label was given."""
        return Counter([str(value)])


class Labels(_Output):
    """Some of a list, in any order; a repeated one counts once."""

    type: Literal["labels"]
    values: Values
    max_items: int = Field(ge=1)

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        _check_apart(self.values)
        if self.max_items > len(self.values):
            raise ValueError(f"max_items: there are only {len(self.values)} values")
        return self

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(self.values)}}

    @property
    def longest(self) -> int:
        dearest = sorted(map(len, self.values))[-self.max_items :]
        return 2 + sum(dearest) + len(dearest) * (_QUOTES + _SEPARATOR)

    @property
    def usual(self) -> float:
        each = sum(map(len, self.values)) / len(self.values) + _QUOTES + _SEPARATOR
        return 2 + each * self.max_items / 2

    @property
    def asked(self) -> str:
        most = f"at most {self.max_items}"
        return f"a list of those that apply, {most}{self._about}:{_listed(self.values)}"

    def read(self, value: object) -> list[str]:
        if not isinstance(value, list):
            raise NotAllowed("no list")
        by_word = {same_word(name): name for name in self.values}
        try:
            found = list(dict.fromkeys(by_word[same_word(each)] for each in value))
        except (KeyError, AttributeError):
            raise NotAllowed("another label") from None
        if len(found) > self.max_items:
            raise NotAllowed("too many labels")
        return found

    def count(self, value: Value) -> Counter[str]:
        return Counter(value if isinstance(value, list) else [])


class Text(_Output):
    """A text of limited length, in characters."""

    type: Literal["text"]
    max_characters: int = Field(ge=1)

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string"}

    @property
    def longest(self) -> int:
        return self.max_characters + _QUOTES

    @property
    def usual(self) -> float:
        return _fewer(self.max_characters) / 2 + _QUOTES

    @property
    def asked(self) -> str:
        return f"a text of at most {_fewer(self.max_characters)} characters{self._about}"

    def read(self, value: object) -> str:
        return _text(value, self.max_characters)

    def count(self, value: Value) -> Counter[str]:
        return Counter(texts=1, characters=len(str(value)))


class Texts(_Output):
    """Several texts, each of limited length."""

    type: Literal["texts"]
    min_items: int = Field(default=0, ge=0)
    max_items: int = Field(ge=1)
    max_characters: int = Field(ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_items > self.max_items:
            raise ValueError("min_items: must not be more than max_items")
        return self

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}

    @property
    def longest(self) -> int:
        return 2 + self.max_items * (self.max_characters + _QUOTES + _SEPARATOR)

    @property
    def usual(self) -> float:
        each = _fewer(self.max_characters) / 2 + _QUOTES + _SEPARATOR
        return 2 + each * (self.min_items + self.max_items) / 2

    @property
    def asked(self) -> str:
        few, many = self.min_items, self.max_items
        number = str(many) if few == many else f"{few} to {many}"
        size = _fewer(self.max_characters)
        return f"a list of {number} texts, each of at most {size} characters{self._about}"

    def read(self, value: object) -> list[str]:
        if not isinstance(value, list):
            raise NotAllowed("no list")
        if not self.min_items <= len(value) <= self.max_items:
            raise NotAllowed("too few or too many texts")
        return [_text(each, self.max_characters) for each in value]

    def count(self, value: Value) -> Counter[str]:
        texts = value if isinstance(value, list) else []
        return Counter(texts=len(texts), characters=sum(map(len, texts)))


class Integer(_Output):
    """A whole number within bounds."""

    type: Literal["integer"]
    minimum: int
    maximum: int

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError("minimum: must not be more than maximum")
        return self

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer"}

    @property
    def longest(self) -> int:
        return max(len(str(self.minimum)), len(str(self.maximum)))

    @property
    def usual(self) -> float:
        return self.longest

    @property
    def asked(self) -> str:
        return f"a whole number from {self.minimum} to {self.maximum}{self._about}"

    def read(self, value: object) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # 3.0 is a whole number in JSON
        if not isinstance(value, int) or isinstance(value, bool):
            raise NotAllowed("no whole number")
        if not self.minimum <= value <= self.maximum:
            raise NotAllowed("out of bounds")
        return value

    def count(self, value: Value) -> Counter[str]:
        return Counter(numbers=1, sum=int(value) if isinstance(value, int) else 0)


class Boolean(_Output):
    """Yes or no."""

    type: Literal["boolean"]

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    @property
    def longest(self) -> int:
        return len("false")

    @property
    def usual(self) -> float:
        return self.longest

    @property
    def asked(self) -> str:
        return f"true or false{self._about}"

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise NotAllowed("neither true nor false")
        return value

    def count(self, value: Value) -> Counter[str]:
        return Counter(["yes" if value else "no"])


type Output = Annotated[
    Label | Labels | Text | Texts | Integer | Boolean, Field(discriminator="type")
]


def _text(value: object, most: int) -> str:
    if not isinstance(value, str):
        raise NotAllowed("no text")
    said = value.strip()
    if not said or len(said) > most:
        raise NotAllowed("no text, or too long a text")
    return said


def _check_apart(words: Any) -> None:
    said: dict[str, str] = {}
    for word in words:
        if not bare_word(word) or word != word.strip() or re.search(r"[:\n]|\.$", word):
            raise ValueError(f"{word!r} must have no colon, no line break and no final dot")
        if (known := said.setdefault(bare_word(word), word)) != word:
            raise ValueError(f"{known!r} and {word!r} differ in nothing that an answer shows")


def _listed(values: Mapping[str, str]) -> str:
    """Labels for a prompt: in one line, or a line each where any has a definition."""
    if not any(values.values()):
        return f" {', '.join(values)}"
    lines = (f"{name}: {what}" if what else name for name, what in values.items())
    return "".join(f"\n  {line}" for line in lines)


def _fewer(characters: int) -> int:
    return max(1, characters * _ASKED // _TAKEN)
