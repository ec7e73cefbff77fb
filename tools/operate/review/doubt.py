"""A ticket that waits for a person, as it was read, with its outputs in doubt. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nightshift.task.outputs import Value
from nightshift.tickets import attribute
from nightshift.tickets.ticket import Ticket


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
