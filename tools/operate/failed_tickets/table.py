"""The failed tickets of a table: read without their texts, and set back to pending."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nightshift.tickets.attribute import Attribute
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import FAILED, Ticket
from tools.operate.pending import Asked, ask_again

NO_REASON = "no_reason"
"""A ticket that is failed and does not say why: it had no room left for it."""
EMPTY = "empty_ticket"
"""A ticket without any text: asked again, it would be given up again."""
_ERROR = "classification_error"


@dataclass(frozen=True, slots=True)
class FailedTicket:
    """A ticket that was given up. `guards` is what setting it back depends on."""

    ticket_id: str
    error: str
    batch_id: str
    attempts: int
    guards: dict[str, Attribute | None]

    @property
    def reason(self) -> str:
        """The short name before the colon."""
        return self.error.partition(":")[0].strip() or NO_REASON

    @property
    def sentence(self) -> str:
        """What follows the colon, but for Claude's own words, which may quote the ticket."""
        if self.reason == "invalid_request":
            return "Claude refused it. Its words are in the ticket's classification_error."
        return self.error.partition(":")[2].strip()


def failed_tickets(table: TicketTable) -> Iterator[FailedTicket]:
    """All failed tickets in the order of their ids, as they are now; a few reads ahead."""
    for _, ticket in table.walk(table.failed_ids(), [_ERROR]):
        if ticket is not None and ticket.status == FAILED:  # the index may lag behind
            yield FailedTicket(
                ticket.ticket_id,
                ticket.shown[0][0],
                ticket.batch_id or "",
                ticket.attempts,
                ticket.as_read,
            )


def retry(table: TicketTable, tickets: Iterable[FailedTicket], tell: Callable[[int], Any]) -> Asked:
    """Set tickets back to pending.

    Raises:
        TableRefused: DynamoDB refuses a write for a reason that waiting does not cure.
    """
    changes = (Ticket(each.ticket_id, each.guards).asked_again() for each in tickets)
    return ask_again(table, changes, tell)
