"""A ticket as it stands in the table, and what may become of it. Pure.

Here alone stands which attributes Nightshift writes, and how DynamoDB spells them.
"""

from dataclasses import dataclass, field

from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute

PENDING, FAILED = "pending", "failed"
# Beside a ticket's inputs, what decides: a ticket that differs there is not the one that was read.
GUARDED = ("classification_status", "classification_batch_id")


@dataclass(frozen=True, slots=True)
class Change:
    """Attributes to set and to remove on one ticket, if it still is what was read."""

    ticket: "Ticket"
    values: dict[str, Attribute]
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it stands in the table. Every write to it depends on its `guards` and `inputs`.

    `inputs` are the attributes that a task reads, by their names, None for one that is not there.
    `attempts` are the answers to it that had to be thrown away.
    """

    ticket_id: str
    guards: dict[str, Attribute | None]
    inputs: dict[str, Attribute | None] = field(default_factory=dict)
    attempts: int = 0
    failed_before: bool = False

    @property
    def status(self) -> str | None:
        return _string(self.guards["classification_status"])

    @property
    def batch_id(self) -> str | None:
        """The batch that last wrote this ticket."""
        return _string(self.guards["classification_batch_id"])

    @property
    def texts(self) -> list[str]:
        """What a reader sees of each input, in their order."""
        return [attribute.text(each) for each in self.inputs.values()]

    @property
    def digest(self) -> str:
        """48 bits of the inputs as they stand in the table: another digest means that the ticket
        was edited, however a task shows its inputs."""
        return attribute.digest(self.inputs.values())

    @property
    def as_read(self) -> dict[str, Attribute | None]:
        """All that must still be so when the ticket is written."""
        return self.guards | self.inputs

    # What may become of a ticket.

    def answered(self, batch_id: str, category: str, model: str, at: str) -> Change:
        """Claude's answer is the category; `at` is when, in UTC (ISO 8601)."""
        values = {
            "category": {"S": category},
            "classified_at": {"S": at},
            "classified_by": {"S": model},
            "classification_batch_id": {"S": batch_id},
        }
        done = ("classification_status", "classification_attempts", "classification_error")
        return Change(self, values, done)

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

    def asked_again(self) -> Change:
        """A ticket that was given up asks again. The error stays: it says that attempts start
        from 0."""
        return Change(self, {"classification_status": {"S": PENDING}})

    def given_up_without_room(self) -> Change:
        """A ticket of nearly 400 KB takes no further attribute: it is given up in fewer bytes."""
        return Change(self, {"classification_status": {"S": FAILED}})


def _string(value: Attribute | None) -> str | None:
    return None if value is None else value.get("S")
