"""Tickets without any text: no request, given up at once, counted as they are written."""

from dataclasses import dataclass, field

from nightshift.ledger import Ledger, Night, Stale
from nightshift.tickets import FAILED, Change, Ticket, TicketTable

# A transaction takes 100 items and 4 MB (docs.aws.amazon.com, DynamoDB, 2026-11); two items are
# the lock and the count, and an empty ticket may still hold 400 KB of markup.
_MOST_TICKETS = 98
_MOST_BYTES = 3_000_000
ERROR = "empty_ticket: the ticket has no text in subject or body."


@dataclass
class Empties:
    """Collects them while a chunk is built, and writes each group in one transaction."""

    tickets: TicketTable
    ledger: Ledger
    night: Night
    execution: str
    _group: list[Ticket] = field(default_factory=list)
    _bytes: int = 0
    _written: int = 0

    def add(self, ticket: Ticket) -> None:
        size = len(ticket.subject.encode()) + len(ticket.body.encode())
        if self._group and self._bytes + size > _MOST_BYTES:
            self.flush()
        self._group.append(ticket)
        self._bytes += size
        if len(self._group) == _MOST_TICKETS:
            self.flush()

    def flush(self) -> None:
        """Give the group up, except for tickets that were edited since they were read.

        Raises:
            Stale: the lock was lost, or tickets keep changing while they are written.
        """
        group, self._group, self._bytes = self._group, [], 0
        if not group:
            return
        try:
            self._give_up(group)
        except Stale:
            now = self.tickets.read([ticket.ticket_id for ticket in group])
            same = [t for t in group if now.get(t.ticket_id) == t]
            if len(same) == len(group):
                raise
            if same:
                self._give_up(same)

    def _give_up(self, group: list[Ticket]) -> None:
        record = f"empty#{len(self.night.empties) + self._written + 1:04}"
        mark = f"{self.night.run_id}/{record}"
        values = {
            "classification_status": {"S": FAILED},
            "classification_error": {"S": ERROR},
            "classification_batch_id": {"S": mark},
        }
        updates = [
            {"Update": self.tickets.update_in_transaction(Change(ticket, values))}
            for ticket in group
        ]
        count = self.ledger.empty_group(self.night.run_id, record, self.execution, len(group))
        self.ledger.transact([count, *updates], self.execution)
        self._written += 1
