"""A ticket that waits for a person, and which of its outputs are in doubt. Pure.

Only labels can be left to a person today (`unsure` in the task file).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nightshift.task.outputs import Label, Value
from nightshift.task.task import Task
from nightshift.tickets import attribute
from nightshift.tickets.ticket import Ticket, last_answer


@dataclass(frozen=True, slots=True)
class Doubt:
    """A ticket as it was read, its outputs in doubt, and what was chosen for some of them."""

    ticket: Ticket
    outputs: tuple[str, ...]
    chosen: Mapping[str, Value] = field(default_factory=dict)

    @property
    def seen(self) -> str:
        """A digest of all that was read, the id too: by it a page says which ticket it shows, and
        in which state."""
        return attribute.digest([{"S": self.ticket.ticket_id}, *self.ticket.as_read.values()])

    @property
    def asked(self) -> str | None:
        """The output to choose for now; None where all are chosen."""
        return next((name for name in self.outputs if name not in self.chosen), None)


def in_doubt(task: Task, ticket: Ticket) -> tuple[str, ...]:
    """The outputs that Claude left to a person: labels that it did not write.

    Of a task that leaves nothing to a person any more, all the labels that were not written.
    """
    written = last_answer(ticket.marks, task.output)
    missing = {
        name: output
        for name, output in task.output.items()
        if isinstance(output, Label) and name not in written
    }
    unsure = tuple(name for name, label in missing.items() if label.unsure)
    return unsure or tuple(missing)
