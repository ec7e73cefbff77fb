"""The failed tickets of a table: read without their texts, and set back to pending."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import batched
from typing import Any

from nightshift.tickets.attribute import Attribute
from nightshift.tickets.table import STATEMENTS_PER_WRITE, TicketTable
from nightshift.tickets.ticket import FAILED, Ticket

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


@dataclass(frozen=True, slots=True)
class Retried:
    """How many tickets ask again, and how many had changed since they were read."""

    pending: int = 0
    changed: int = 0


def retry(
    table: TicketTable, tickets: Iterable[FailedTicket], tell: Callable[[int], Any]
) -> Retried:
    """Set tickets back to pending, each only if it is still what was read.

    `tell` hears after each call how many more are done.

    Raises:
        TableRefused: DynamoDB refuses a write for a reason that waiting does not cure.
    """
    done = changed = 0
    for group in batched(tickets, STATEMENTS_PER_WRITE, strict=False):
        others = _set_back(table, group)
        done, changed = done + len(group) - others, changed + others
        tell(len(group))
    return Retried(done, changed)


def _set_back(table: TicketTable, tickets: Iterable[FailedTicket]) -> int:
    """Returns how many were not set back because they had changed."""
    changes = [Ticket(each.ticket_id, each.guards).asked_again() for each in tickets]
    others = 0
    while changes:
        refused = table.write(changes)
        others += len(refused.changed) + len(refused.too_large)
        changes = refused.throttled
    return others
