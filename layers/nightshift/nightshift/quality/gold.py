"""Answers beside what was known beforehand: what is right, and what was taken for what. Pure.

Labels, integers and booleans must be equal, lists of labels hold the same labels. Texts are never
compared.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Self

import msgspec

from nightshift.quality.statistics import Classes
from nightshift.task.answer import Answer
from nightshift.task.outputs import Boolean, Integer, Label, Labels, Output, Text, Texts, Value

# The class of an expected value that the task does not have. No label may hold a colon.
UNKNOWN = ":unknown"
# Pairs of expected and answered that are kept, of all outputs together, and the bytes of their
# names (an expected one counts with each of its pairs): a part of the 400 KB that an item may have
# (docs.aws.amazon.com, 2026-11).
MOST_CONFUSED, MOST_BYTES = 1_000, 100_000
# A number that may have more values than this is compared, but not counted value by value.
_MOST_VALUES = 200

_to_json = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the answers to one output compare with what was known beforehand.

    `compared` answers, `correct` of them; `unsure` more were left to a person. `classes` says of
    each class of how many tickets it was `expected` and how often `answered`, both among the
    compared ones, how often that was `correct`, and how often the answer was `unsure` where the
    class would have been right. `confused` counts the wrong answers by what was expected and what
    was answered; `other` are those beyond MOST_CONFUSED such pairs. Of lists of labels the classes
    say what is wrong, and nothing is in `confused`.
    """

    compared: int = 0
    correct: int = 0
    unsure: int = 0
    classes: dict[str, Counter[str]] = field(default_factory=dict)
    confused: dict[str, Counter[str]] = field(default_factory=dict)
    other: int = 0

    @property
    def unknown(self) -> int:
        """How often a value was expected that the task does not have, and that is always wrong."""
        counts = self.classes.get(UNKNOWN, Counter())
        return counts["expected"] + counts["unsure"]


@dataclass(frozen=True, slots=True)
class Gold:
    """The comparison of tickets whose right answer was known beforehand, by output.

    `tickets` are those that were classified with at least one output compared, `correct` those of
    them with every compared output right. `unsure` are those left to a person with an output in
    doubt whose right answer was known.
    """

    tickets: int = 0
    correct: int = 0
    unsure: int = 0
    outputs: dict[str, Comparison] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there was anything to compare."""
        return bool(self.outputs)

    def __add__(self, other: Self) -> "Gold":
        return total((self, other))

    @property
    def plain(self) -> dict[str, Any]:
        """The same as maps and numbers."""
        builtins: dict[str, Any] = msgspec.to_builtins(self)
        return builtins

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> "Gold":
        """The reverse of `plain`, also for numbers that a table gives as decimals."""
        return msgspec.json.decode(_to_json(plain), type=Gold, dec_hook=_counter)


def _counter(kind: type, counts: Any) -> Any:
    """What msgspec does not know: a counter, which is the only such type here."""
    return kind({name: int(count) for name, count in counts.items()})


def is_comparable(output: Output) -> bool:
    """Whether an answer can be right or wrong: texts are never compared."""
    return not isinstance(output, Text | Texts)


def comparable(outputs: Mapping[str, Output]) -> tuple[str, ...]:
    """The outputs whose answers can be compared."""
    return tuple(name for name, each in outputs.items() if is_comparable(each))


def compare(outputs: Mapping[str, Output], known: Mapping[str, Value], answer: Answer) -> Gold:
    """One ticket's answer beside what is `known` of the right one, by output. Where a person must
    decide, nothing is compared, and it is only counted what was in doubt."""
    known = {name: known[name] for name in comparable(outputs) if name in known}
    if answer.unsure:
        doubted = {n: _doubted(outputs[n], known[n]) for n in answer.unsure if n in known}
        return Gold(unsure=int(bool(doubted)), outputs=doubted)
    each = {name: _compared(outputs[name], known[name], answer.values[name]) for name in known}
    if not each:
        return Gold()
    return Gold(1, int(all(comparison.correct for comparison in each.values())), outputs=each)


def total(parts: Iterable[Gold]) -> Gold:
    """Many together. The largest confusions are kept, and the sums are exact."""
    found = [part for part in parts if part]
    if len(found) < 2:
        return found[0] if found else Gold()
    by_output: dict[str, list[Comparison]] = defaultdict(list)
    for part in found:
        for name, comparison in part.outputs.items():
            by_output[name].append(comparison)
    outputs = {name: _sum(each) for name, each in by_output.items()}
    return Gold(
        sum(part.tickets for part in found),
        sum(part.correct for part in found),
        sum(part.unsure for part in found),
        _cut(outputs),
    )


def _compared(output: Output, known: Value, answered: Value) -> Comparison:
    expected, said = set(classes_of(output, known)), set(classes_of(output, answered))
    is_right = expected == said
    if _has_many_values(output):
        return Comparison(1, int(is_right))
    classes = {
        name: +Counter(
            expected=int(name in expected),
            answered=int(name in said),
            correct=int(name in expected & said),
        )
        for name in sorted(expected | said)
    }
    if is_right or isinstance(output, Labels):
        return Comparison(1, int(is_right), classes=classes)
    [wanted], [got] = expected, said
    return Comparison(1, 0, classes=classes, confused={wanted: Counter([got])})


def _doubted(output: Output, known: Value) -> Comparison:
    if _has_many_values(output):
        return Comparison(unsure=1)
    classes = {name: Counter(unsure=1) for name in classes_of(output, known)}
    return Comparison(unsure=1, classes=classes)


def _has_many_values(output: Output) -> bool:
    return isinstance(output, Integer) and output.maximum - output.minimum >= _MOST_VALUES


def classes_of(output: Output, value: Value) -> Classes:
    """The classes that a value names, sorted: one, but of a list of labels each of them."""
    named = value if isinstance(output, Labels) and isinstance(value, list) else [value]
    return tuple(sorted({_class(output, each) for each in named}))


def _class(output: Output, value: Value) -> str:
    match output, value:
        case Boolean(), bool():
            return "yes" if value else "no"
        case ((Label() | Labels()), str()) if value in output.values:
            return value
        case Integer(), int() if not isinstance(value, bool):
            within = output.minimum <= value <= output.maximum
            return str(value) if within else UNKNOWN
    return UNKNOWN


def _sum(comparisons: Iterable[Comparison]) -> Comparison:
    each = list(comparisons)
    return Comparison(
        sum(c.compared for c in each),
        sum(c.correct for c in each),
        sum(c.unsure for c in each),
        together(c.classes for c in each),
        together(c.confused for c in each),
        sum(c.other for c in each),
    )


def together(counted: Iterable[Mapping[str, Counter[str]]]) -> dict[str, Counter[str]]:
    """Counts by name, added up."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for counts in counted:
        for name, count in counts.items():
            found[name].update(count)
    return dict(found)


def _cut(outputs: dict[str, Comparison]) -> dict[str, Comparison]:
    """The outputs with the largest of their confusions."""
    pairs = [
        (-tickets, name, expected, answered)
        for name, comparison in outputs.items()
        for expected, counts in comparison.confused.items()
        for answered, tickets in counts.items()
    ]
    pairs.sort()
    sizes = accumulate(len(f"{expected}{answered}".encode()) for _, _, expected, answered in pairs)
    room = min(MOST_CONFUSED, sum(size <= MOST_BYTES for size in sizes))
    if len(pairs) <= room:
        return outputs
    kept: dict[str, dict[str, Counter[str]]] = {name: defaultdict(Counter) for name in outputs}
    for tickets, name, expected, answered in pairs[:room]:
        kept[name][expected][answered] = -tickets
    return {name: _with_confused(each, dict(kept[name])) for name, each in outputs.items()}


def _with_confused(whole: Comparison, kept: dict[str, Counter[str]]) -> Comparison:
    def tickets(confused: dict[str, Counter[str]]) -> int:
        return sum(counts.total() for counts in confused.values())

    other = whole.other + tickets(whole.confused) - tickets(kept)
    return Comparison(whole.compared, whole.correct, whole.unsure, whole.classes, kept, other)
