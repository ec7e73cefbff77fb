"""Pending tickets that need no request: each group is written and counted in one transaction.

A ticket without any text is given up. A ticket whose last answer still stands keeps that answer.
"""

from dataclasses import dataclass, field

from nightshift.runs.ledger import Ledger, NoRoom, Stale
from nightshift.runs.records import Run, UnaskedGroup
from nightshift.tickets.attribute import most_bytes
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import Change, Ticket

# A transaction takes 100 items and 4 MB (docs.aws.amazon.com, DynamoDB, 2026-11). Two of the items
# are the lock and the count of the group; a ticket may hold 400 KB, even one without any text.
_MOST_TICKETS = 98
_MOST_BYTES = 3_900_000
# Bytes around a ticket's own in the transaction: expressions and names.
_FRAME = 2_000
ERROR = "empty_ticket: the ticket has no text in any of the task's inputs."


@dataclass
class UnaskedTickets:
    """Collects such tickets while a chunk is built; `version` is today's task version."""

    tickets: TicketTable
    ledger: Ledger
    run: Run
    execution: str
    version: str
    _group: list[Ticket] = field(default_factory=list)
    _bytes: int = 0
    _written: int = 0

    def add(self, ticket: Ticket) -> None:
        change = self._change(ticket)
        read = filter(None, ticket.as_read.values())
        size = most_bytes([{"S": ticket.ticket_id}, *read, *change.values.values()]) + _FRAME
        if self._group and self._bytes + size > _MOST_BYTES:
            self.flush()
        self._group.append(ticket)
        self._bytes += size
        if len(self._group) == _MOST_TICKETS:
            self.flush()

    def flush(self) -> None:
        """Write the tickets collected so far, except those that have changed since they were read.

        Raises:
            Stale: the lock was lost, or tickets keep changing while they are written.
        """
        group, self._group, self._bytes = self._group, [], 0
        if not group:
            return
        try:
            self._write([self._change(ticket) for ticket in group])
        except (Stale, NoRoom):
            self._one_by_one(group)

    def _one_by_one(self, group: list[Ticket]) -> None:
        """Write each ticket of a group alone: one of them has changed meanwhile, or has no room
        for the reason why it is given up."""
        ids = [ticket.ticket_id for ticket in group]
        now = self.tickets.read(ids, tuple(group[0].inputs), tuple(group[0].marks))
        for ticket in group:
            if now.get(ticket.ticket_id) != ticket:
                continue
            try:
                self._write([self._change(ticket)])
            except NoRoom:
                self._write([ticket.given_up_without_room()])

    def _change(self, ticket: Ticket) -> Change:
        if ticket.is_unchanged(self.version):
            return ticket.answer_kept()
        return ticket.given_up(f"{self.run.run_id}/{self._record}", ERROR)

    @property
    def _number(self) -> int:
        return self.run.next_unasked + self._written

    @property
    def _record(self) -> str:
        return f"empty#{self._number:04}"

    def _write(self, changes: list[Change]) -> None:
        updates = [{"Update": self.tickets.as_update(change)} for change in changes]
        unchanged = sum(change.ticket.is_unchanged(self.version) for change in changes)
        group = UnaskedGroup(self._number, self.execution, len(changes) - unchanged, unchanged)
        count = self.ledger.unasked_group(self.run.run_id, self._record, group)
        self.ledger.transact([count, *updates], self.execution)
        self._written += 1
