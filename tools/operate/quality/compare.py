"""What Nightshift wrote into a ticket, beside what stands there now. Pure.

An output that Claude left to a person is no part of what Nightshift wrote: a person has decided it,
or it still waits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from nightshift.task.outputs import Labels, Output, Text, Texts
from nightshift.task.task import Task
from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute
from nightshift.tickets.ticket import PENDING, REVIEW, last_answer
from tools.answers import entries, said
from tools.operate.in_doubt import in_doubt

type Item = Mapping[str, Attribute]
type Pair = tuple[str, str]
"""What was answered, and what stands there instead."""

NOTHING = "nothing"
ANOTHER = "another text"
TEXT = "text"


class Became(StrEnum):
    """What became of one output."""

    KEPT = "kept"
    CHANGED = "changed"
    DECIDED = "decided"
    WAITS = "waits"


@dataclass(frozen=True, slots=True)
class Compared:
    """One output of one ticket. `classes` are the answers that it counts for, with whether each
    was changed; `pairs` are the changes. Texts are never told, only that they were changed."""

    output: str
    became: Became
    classes: tuple[tuple[str, bool], ...] = ()
    pairs: tuple[Pair, ...] = ()


def is_answered(item: Item) -> bool:
    """Whether an answer of a known version of a task is in the ticket: releases before 0.2.0 did
    not write down what they had answered."""
    return "classified_with" in item


def compared(item: Item, task: Task) -> Iterator[Compared]:
    """The outputs of an answered ticket, by today's task. One that another task wrote is none."""
    written = last_answer(item, task.output)
    # What was read is written beside a whole answer only.
    left = () if "classified_from" in item else in_doubt(task, item)
    for name, output in task.output.items():
        if name in written and (name in item or _is_of(task, item)):
            yield _changed(name, output, written[name], item.get(name))
        elif name in left:
            yield from _decided(name, item)


def _is_of(task: Task, item: Item) -> bool:
    """Whether the task, in whatever version, has answered. If not, an output that is missing was
    not taken away by a person: the other task had its single output under another name."""
    return attribute.text(item["classified_with"]).rpartition("@")[0] == task.name


def _decided(name: str, item: Item) -> Iterator[Compared]:
    status = attribute.text(item.get("classification_status"))
    if status == REVIEW:
        yield Compared(name, Became.WAITS)
    elif status != PENDING and name in item:
        yield Compared(name, Became.DECIDED, ((said(item[name]), False),))


def _changed(name: str, output: Output, wrote: Attribute, now: Attribute | None) -> Compared:
    if isinstance(output, Labels):
        return _changed_labels(name, set(entries(wrote)), set(entries(now)) if now else set())
    is_kept = attribute.canonical([wrote]) == attribute.canonical([now])
    was, became = said(wrote), said(now) if now else NOTHING
    if isinstance(output, Text | Texts):
        was, became = TEXT, ANOTHER if now else NOTHING
    pairs = () if is_kept else ((was, became),)
    return Compared(name, Became.KEPT if is_kept else Became.CHANGED, ((was, not is_kept),), pairs)


def _changed_labels(name: str, wrote: set[str], now: set[str]) -> Compared:
    gone = [(label, NOTHING) for label in sorted(wrote - now)]
    new = [(NOTHING, label) for label in sorted(now - wrote)]
    classes = tuple((label, label not in now) for label in sorted(wrote))
    became = Became.CHANGED if gone or new else Became.KEPT
    return Compared(name, became, classes, (*gone, *new))
