"""Tickets without any text: given up at once, without a request; each group counts itself."""

from dataclasses import dataclass, field

from nightshift.runs.ledger import Ledger, NoRoom, Stale
from nightshift.runs.records import Run
from nightshift.tickets.attribute import most_bytes
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import Change, Ticket

# A transaction takes 100 items and 4 MB (docs.aws.amazon.com, DynamoDB, 2026-11). Two of the items
# are the lock and the count of the group; a blank ticket may still hold 400 KB of markup.
_MOST_TICKETS = 98
_MOST_BYTES = 3_900_000
# Bytes around a ticket's own in the transaction: expressions and names.
_FRAME = 2_000
ERROR = "empty_ticket: the ticket has no text in subject or body."


@dataclass
class BlankTickets:
    """Collects blank tickets while a chunk is built; writes each group in one transaction."""

    tickets: TicketTable
    ledger: Ledger
    run: Run
    execution: str
    _group: list[Ticket] = field(default_factory=list)
    _bytes: int = 0
    _written: int = 0

    def add(self, ticket: Ticket) -> None:
        read = filter(None, ticket.as_read.values())
        written = self._given_up(ticket).values.values()
        size = most_bytes([{"S": ticket.ticket_id}, *read, *written]) + _FRAME
        if self._group and self._bytes + size > _MOST_BYTES:
            self.flush()
        self._group.append(ticket)
        self._bytes += size
        if len(self._group) == _MOST_TICKETS:
            self.flush()

    def flush(self) -> None:
        """Give up the tickets collected so far, except those that were edited since they were read.

        Raises:
            Stale: the lock was lost, or tickets keep changing while they are written.
        """
        group, self._group, self._bytes = self._group, [], 0
        if not group:
            return
        try:
            self._give_up([self._given_up(ticket) for ticket in group])
        except (Stale, NoRoom):
            self._one_by_one(group)

    def _one_by_one(self, group: list[Ticket]) -> None:
        """Give up each ticket of a group alone: one of them was edited meanwhile, or has no room
        for the reason."""
        ids = [ticket.ticket_id for ticket in group]
        now = self.tickets.read(ids, tuple(group[0].inputs))
        for ticket in group:
            if now.get(ticket.ticket_id) != ticket:
                continue
            try:
                self._give_up([self._given_up(ticket)])
            except NoRoom:
                self._give_up([ticket.given_up_without_room()])

    def _given_up(self, ticket: Ticket) -> Change:
        return ticket.given_up(f"{self.run.run_id}/{self._record}", ERROR)

    @property
    def _record(self) -> str:
        return f"empty#{self.run.next_blank + self._written:04}"

    def _give_up(self, changes: list[Change]) -> None:
        updates = [{"Update": self.tickets.as_update(change)} for change in changes]
        count = self.ledger.blank_group(self.run.run_id, self._record, self.execution, len(changes))
        self.ledger.transact([count, *updates], self.execution)
        self._written += 1
