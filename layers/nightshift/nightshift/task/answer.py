"""What an answer must be, and how it is read: the one owner of the contract with the model. Pure.

A task with a single label asks for a bare word, the cheapest answer there is. Any other task asks
for a JSON object by structured outputs, and checks that object again on arrival.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import msgspec

from nightshift.task.outputs import Label, NotAllowed, Output, Unsure, Value, bare_word

# In the JSON of an answer: the braces, and the quotes, colon, comma and spaces of each key.
_BRACES, _AROUND_A_KEY = 2, 6


@dataclass(frozen=True, slots=True)
class Answer:
    """The values that an answer gives, by output; `unsure` names the outputs that a person must
    decide, which have no value."""

    values: Mapping[str, Value]
    unsure: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contract:
    """What may be answered to one task."""

    outputs: Mapping[str, Output]

    @cached_property
    def lone_label(self) -> tuple[str, Label] | None:
        """The only output and its name, where that is a label."""
        [(name, output), *others] = self.outputs.items()
        return (name, output) if isinstance(output, Label) and not others else None

    @cached_property
    def leaves_to_people(self) -> bool:
        """Whether an answer may leave an output to a person."""
        return any(isinstance(each, Label) and each.unsure for each in self.outputs.values())

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema that structured outputs ask for; None for a bare word."""
        if self.lone_label:
            return None
        return {
            "type": "object",
            "properties": {name: output.json_schema for name, output in self.outputs.items()},
            "required": list(self.outputs),
            "additionalProperties": False,
        }

    @cached_property
    def longest(self) -> int:
        """Tokens that the longest allowed answer has at most, where a character is a token."""
        if self.lone_label:
            return max(map(len, self.lone_label[1].words))
        keys = sum(len(name) + _AROUND_A_KEY for name in self.outputs)
        return _BRACES + keys + sum(output.longest for output in self.outputs.values())

    @cached_property
    def usual(self) -> float:
        """Characters that an answer has on average, as far as one can say beforehand."""
        if self.lone_label:
            words = self.lone_label[1].words
            return sum(map(len, words)) / len(words)
        keys = sum(len(name) + _AROUND_A_KEY for name in self.outputs)
        return _BRACES + keys + sum(output.usual for output in self.outputs.values())

    @cached_property
    def asked(self) -> str:
        """What stands in the prompt in the place of {answer}."""
        if self.lone_label:
            return _bare_word_asked(*self.lone_label)
        keys = "\n".join(f"{name}: {output.asked}" for name, output in self.outputs.items())
        return f"Answer with a JSON object with exactly these keys:\n{keys}"

    def read(self, text: str) -> Answer | None:
        """The answer, or None for one that the task does not allow."""
        if self.lone_label:
            name, label = self.lone_label
            return _gathered({name: partial(label.named, text, bare_word)})
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return None
        if not isinstance(found, dict) or found.keys() != self.outputs.keys():
            return None
        return _gathered({n: partial(each.read, found[n]) for n, each in self.outputs.items()})

    def spelled(self, values: Mapping[str, Value]) -> str:
        """An answer as the model gives it, for examples in a prompt."""
        if self.lone_label:
            return str(values[self.lone_label[0]])
        return msgspec.json.encode({name: values[name] for name in self.outputs}).decode()


def _gathered(readers: Mapping[str, Callable[[], Value]]) -> Answer | None:
    values: dict[str, Value] = {}
    unsure: list[str] = []
    for name, read in readers.items():
        try:
            values[name] = read()
        except Unsure:
            unsure.append(name)
        except NotAllowed:
            return None
    return Answer(values, tuple(unsure))


def _bare_word_asked(name: str, label: Label) -> str:
    one = name.replace("_", " ")
    many = f"{one[:-1]}ies" if one.endswith("y") else f"{one}s"
    lines = [f"{word}: {what}" if what else word for word, what in label.values.items()]
    if label.unsure:
        lines.append(f"{label.unsure}: a person must decide")
    listed = "\n".join(lines)
    about = f"{label.about.strip()} " if label.about.strip() else ""
    lowercase = ", in lowercase," if all(word == word.lower() for word in label.words) else ""
    return (
        f"{many.capitalize()}:\n{listed}\n\n"
        f"{about}Answer with the name of the one {one} that fits best{lowercase} and nothing else."
    )
