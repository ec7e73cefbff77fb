"""What a person sees of a ticket: its text as Claude read it, and what there is to choose. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_lowercase

from nightshift.task.outputs import Label
from nightshift.task.task import Task
from nightshift.tickets.ticket import Ticket
from tools.answers import said
from tools.operate.review.doubt import Doubt
from tools.words import spoken

# Beyond nine choices letters go on, but for those that skip and undo.
KEYS = "123456789" + "".join(each for each in ascii_lowercase if each not in "su")
_MOST_AT_A_GLANCE = 12
# Characters of what Claude did not read; a whole e-mail thread is no help.
_MOST_OF_THE_REST = 10_000


@dataclass(frozen=True, slots=True)
class Text:
    """An input: what Claude read of it, the `rest` that was cut off, how much `more` there is."""

    name: str
    read: str
    rest: str
    more: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers that may be chosen. `key` chooses it: "" where there are too many."""

    word: str
    meaning: str
    key: str
    is_earlier: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One output in doubt, with what was chosen for it, if anything was."""

    name: str
    about: str
    choices: tuple[Choice, ...]
    chosen: str | None
    is_asked: bool

    @property
    def title(self) -> str:
        return spoken(self.name)

    @property
    def is_long(self) -> bool:
        """Whether there are so many choices that one looks for words."""
        return len(self.choices) > _MOST_AT_A_GLANCE


def texts(task: Task, ticket: Ticket) -> list[Text]:
    """The inputs of a ticket."""
    pairs = zip(task.input, task.read_and_cut(ticket.shown), strict=True)
    return [
        Text(name, read, rest[:_MOST_OF_THE_REST], max(0, len(rest) - _MOST_OF_THE_REST))
        for name, (read, rest) in pairs
    ]


def questions(task: Task, doubt: Doubt) -> Iterator[Question]:
    """The outputs in doubt, in the order in which they are asked for."""
    for name in doubt.outputs:
        output = task.output[name]
        if isinstance(output, Label):
            choices = tuple(_choices(output, said(doubt.ticket.marks.get(name))))
            chosen = doubt.chosen.get(name)
            is_asked = name == doubt.asked
            yield Question(
                name, output.about, choices, None if chosen is None else str(chosen), is_asked
            )


def _choices(output: Label, earlier: str) -> Iterator[Choice]:
    for n, (word, meaning) in enumerate(output.values.items()):
        yield Choice(word, meaning, KEYS[n : n + 1], word == earlier)


def settled(task: Task, doubt: Doubt) -> list[tuple[str, str]]:
    """The other outputs and what stands there: nobody is asked for them."""
    others = [name for name in task.output if name not in doubt.outputs]
    marks = doubt.ticket.marks
    return [(spoken(n), told) for n in others if (told := said(marks.get(n)))]
