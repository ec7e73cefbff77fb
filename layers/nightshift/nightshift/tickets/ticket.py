"""A ticket as it stands in the table, and what may become of it. Pure.

Here alone stands which attributes Nightshift writes, and how DynamoDB spells them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from nightshift.task.outputs import Value
from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute

PENDING, FAILED, REVIEW = "pending", "failed", "review"
STATUS_INDEX = "by_classification_status"
# Beside a ticket's inputs, what decides: a ticket that differs there is not the one that was read.
GUARDED = ("classification_status", "classification_batch_id")
_TRIED = ("classification_attempts", "classification_error")
# Before the name of an output: its right answer, where that is known beforehand.
EXPECTED = "expected_"
# What says of an answer how it came about; without one of these, nobody knows whether it stands.
_OF_AN_ANSWER = ("classified_as", "classified_from", "classified_with")


def marks_of(outputs: Iterable[str]) -> tuple[str, ...]:
    """The attributes that say whether the last answer of a ticket still stands, for a task with
    these outputs."""
    named = [*outputs]
    return (*_OF_AN_ANSWER, *named, *(f"{EXPECTED}{name}" for name in named))


def last_answer(
    attributes: Mapping[str, Attribute | None], outputs: Collection[str]
) -> dict[str, Attribute]:
    """What Nightshift itself wrote last into a ticket, by output, for a task with these outputs.

    An output that it left to a person is missing. Empty too where another task with a single output
    answered: `classified_as` does not say which output that was.
    """
    written = attributes.get("classified_as")
    if written is None:
        return {}
    if "M" in written:
        return dict(written["M"])
    return dict.fromkeys(outputs, written) if len(outputs) == 1 else {}


@dataclass(frozen=True, slots=True)
class Written:
    """What is written beside every answer of a batch: the batch, the model, the task version (which
    release 0.1.0 did not record), and when the answer was written (UTC, ISO 8601)."""

    batch_id: str
    model: str
    version: str
    at: str

    @property
    def marks(self) -> dict[str, Attribute]:
        version = {"classified_with": {"S": self.version}} if self.version else {}
        return version | {
            "classified_at": {"S": self.at},
            "classified_by": {"S": self.model},
            "classification_batch_id": {"S": self.batch_id},
        }


@dataclass(frozen=True, slots=True)
class Change:
    """Attributes to set and to remove on one ticket, if it still is what was read."""

    ticket: "Ticket"
    values: dict[str, Attribute]
    remove: tuple[str, ...] = ()

    @property
    def undone(self) -> "Change":
        """The way back to what was read, if the ticket still is what this change made of it. Every
        attribute that the change touches must be one that was read."""
        was = self.ticket.as_read
        made = was | self.values | dict.fromkeys(self.remove)
        touched = {name: was[name] for name in (*self.values, *self.remove)}
        return Change(
            replace(
                self.ticket,
                guards={name: made[name] for name in self.ticket.guards},
                marks={name: made[name] for name in self.ticket.marks},
            ),
            {name: value for name, value in touched.items() if value is not None},
            tuple(name for name, value in touched.items() if value is None),
        )


@dataclass(frozen=True)
class Ticket:
    """A ticket as it stands in the table. Every write to it depends on its `guards` and `inputs`.

    `inputs` are the attributes that a task reads, by their names, None for one that is not there;
    `marks` likewise those of `marks_of`, where they were read. `attempts` are the answers to it
    that had to be thrown away. `known` is the right answer by output, as far as it was read and is
    known beforehand: no write depends on that.
    """

    ticket_id: str
    guards: dict[str, Attribute | None]
    inputs: dict[str, Attribute | None] = field(default_factory=dict)
    attempts: int = 0
    failed_before: bool = False
    marks: dict[str, Attribute | None] = field(default_factory=dict)
    known: Mapping[str, Value] = field(default_factory=dict)

    @property
    def status(self) -> str | None:
        return _string(self.guards["classification_status"])

    @property
    def batch_id(self) -> str | None:
        """The batch that last wrote this ticket."""
        return _string(self.guards["classification_batch_id"])

    @property
    def shown(self) -> list[tuple[str, bool]]:
        """What a reader sees of each input, in their order, and whether that is a string, which
        may hold HTML."""
        return [
            (attribute.text(each), each is None or "S" in each) for each in self.inputs.values()
        ]

    @cached_property
    def digest(self) -> str:
        """48 bits of the inputs as they stand in the table: another digest means that the ticket
        was edited, however a task shows its inputs."""
        return attribute.digest(self.inputs.values())

    @property
    def as_read(self) -> dict[str, Attribute | None]:
        """All that must still be so when the ticket is written."""
        return self.guards | self.inputs | self.marks

    def is_unchanged(self, version: str) -> bool:
        """Whether the last answer still stands: this task version gave it to the inputs as they
        are now, and every output is still there. Never for a ticket whose right answer is known
        beforehand, since such a ticket is asked to learn how right Claude is."""
        if _string(self.marks.get("classified_with")) != version:
            return False  # most tickets that ask have no answer yet
        known = {name for name, value in self.marks.items() if value is not None}
        wanted = {name for name in self.marks if not name.startswith(EXPECTED)}
        return known == wanted and _string(self.marks["classified_from"]) == self.digest

    # What may become of a ticket.

    def answered(self, written: Written, values: Mapping[str, Value]) -> Change:
        """Claude's answer, the value of each output by its name."""
        spelled = {name: attribute.spelled(value) for name, value in values.items()}
        marks = {
            **written.marks,
            "classified_as": _as_one(spelled),
            "classified_from": {"S": self.digest},
        }
        return Change(self, spelled | marks, ("classification_status", *_TRIED))

    def to_be_decided(self, written: Written, values: Mapping[str, Value]) -> Change:
        """Claude's answer leaves outputs to a person: `values` are those of the others."""
        spelled = {name: attribute.spelled(value) for name, value in values.items()}
        marks = {**written.marks, "classification_status": {"S": REVIEW}}
        if spelled:
            marks["classified_as"] = {"M": spelled}
        stale = ("classified_from", *(() if spelled else ("classified_as",)))
        return Change(self, spelled | marks, (*stale, *_TRIED))

    def to_be_tried_again(self, batch_id: str, attempts: int) -> Change:
        """An answer was thrown away; the ticket stays pending."""
        values = {
            "classification_attempts": {"N": str(attempts)},
            "classification_batch_id": {"S": batch_id},
        }
        return Change(self, values, ("classification_error",))

    def given_up(self, batch_id: str, error: str, attempts: int | None = None) -> Change:
        """The ticket asks no more; `error` is a short name, a colon and a sentence.

        `attempts` is None for a ticket that was never sent.
        """
        tried = {} if attempts is None else {"classification_attempts": {"N": str(attempts)}}
        values = {
            "classification_status": {"S": FAILED},
            "classification_batch_id": {"S": batch_id},
            "classification_error": {"S": error},
        }
        return Change(self, values | tried)

    def answer_kept(self) -> Change:
        """The last answer still stands: the ticket asks no more, and nothing else changes."""
        return Change(self, {}, ("classification_status", *_TRIED))

    def decided_by_a_person(self, values: Mapping[str, Value]) -> Change:
        """What Claude left to a person is decided: each output is written as the answer, and as the
        one to expect, since a person's answer is gold. The ticket asks no more."""
        spelled = {name: attribute.spelled(value) for name, value in values.items()}
        gold = {f"{EXPECTED}{name}": value for name, value in spelled.items()}
        return Change(self, spelled | gold, ("classification_status",))

    def asked_again(self) -> Change:
        """A ticket that was given up asks again. The error stays: it says that attempts start
        from 0."""
        return Change(self, {"classification_status": {"S": PENDING}})

    def asked_anew(self) -> Change:
        """A ticket that has an answer asks again, and is not taken for an unchanged one."""
        return Change(self, {"classification_status": {"S": PENDING}}, ("classified_with",))

    def given_up_without_room(self) -> Change:
        """A ticket of nearly 400 KB takes no further attribute: it is given up in fewer bytes."""
        return Change(self, {"classification_status": {"S": FAILED}})


def _as_one(values: dict[str, Attribute]) -> Attribute:
    """The values of all outputs as one attribute: that of a single one as it is."""
    if len(values) == 1:
        return next(iter(values.values()))
    return {"M": values}


def _string(value: Attribute | None) -> str | None:
    return None if value is None else value.get("S")
