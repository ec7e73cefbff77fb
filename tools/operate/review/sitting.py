"""One person's way through the tickets that wait: shown one by one, decided, skipped, taken back.

Several people may sit at the same table. What one of them has decided is passed over by the others:
each ticket is read anew before it is shown, and written only if it still is what was shown.
"""

from collections import deque
from collections.abc import Callable
from secrets import randbelow

from nightshift.task.outputs import NotAllowed, Value
from nightshift.task.task import Task
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import REVIEW, Change, Ticket, marks_of
from tools.answers import said
from tools.operate.in_doubt import in_doubt
from tools.operate.review.doubt import Doubt
from tools.words import count


class Sitting:
    """What waits, what was decided, what was skipped; `notes` are to be told and then cleared."""

    def __init__(
        self, table: TicketTable, task: Task, start: Callable[[int], int] = randbelow
    ) -> None:
        """`start` says at which of so many tickets to begin: people who sit at the same time begin
        at different ones."""
        self.task = task
        self.done = 0
        self.notes: list[str] = []
        self.undecidable: set[str] = set()
        self.skipped: list[str] = []
        self._table, self._start = table, start
        self._waiting: deque[str] = deque()
        self._shown: Doubt | None = None
        self._chosen: dict[str, Value] = {}
        self._left: set[str] = set()
        self._steps: list[tuple[str, Change | None]] = []

    @property
    def waits(self) -> int:
        """How many tickets wait, as far as is known, the skipped ones too."""
        return len(self._waiting) + len(self.skipped)

    @property
    def can_undo(self) -> bool:
        return bool(self._chosen or self._steps)

    @property
    def last(self) -> str:
        """What was decided last, in a few words; empty where that was a skip, or nothing."""
        ticket_id, change = self._steps[-1] if self._steps else ("", None)
        if change is None:
            return ""
        named = [said(value) for name, value in change.values.items() if name in self.task.output]
        return f"{ticket_id}: {', '.join(named)}"

    def current(self) -> Doubt | None:
        """The ticket to decide now, as it stands; None where nothing waits."""
        doubt = self._next()
        if doubt is None:
            self._fill()
            doubt = self._next()
        self._shown = doubt
        return doubt

    def choose(self, seen: str, output: str, word: str) -> None:
        """Choose for one output; with the last one the ticket is written.

        Raises:
            NotAllowed, Unsure: no such output is in doubt, or the task does not allow that choice.
        """
        doubt = self._as_shown(seen)
        if doubt is None:
            return
        if output not in doubt.outputs:
            raise NotAllowed("an output that is not in doubt")
        chosen = self._chosen | {output: self.task.output[output].read(word)}
        if all(name in chosen for name in doubt.outputs):
            self._write(doubt, chosen)
        else:
            self._chosen = chosen

    def skip(self, seen: str) -> None:
        """Leave a ticket for later."""
        if doubt := self._as_shown(seen):
            ticket_id = doubt.ticket.ticket_id
            self._leave()
            self._left.add(seen)
            self.skipped.append(ticket_id)
            self._steps.append((ticket_id, None))

    def take_skipped(self) -> None:
        """Let the skipped tickets wait again."""
        self._waiting.extend(self.skipped)
        self.skipped.clear()
        self._steps = [step for step in self._steps if step[1]]

    def undo(self) -> None:
        """Take the last choice, decision or skip back. A ticket that has changed since stays."""
        if self._chosen:
            self._chosen.popitem()
        elif self._steps:
            ticket_id, change = self._steps[-1]
            if change is None:
                self.skipped.remove(ticket_id)
            elif not self._took_back(change):
                return
            self._steps.pop()
            self._waiting.appendleft(ticket_id)

    def _took_back(self, change: Change) -> bool:
        refused = self._table.write_one(change.undone)
        if refused.throttled:
            self._tell_busy()
            return False
        if refused.changed and not self._is_made(change.undone):
            self._steps.pop()
            self.notes.append(f"{change.ticket.ticket_id} has changed since: it stays as it is.")
            return False
        self.done -= 1
        return True

    def _fill(self) -> None:
        """Look which tickets wait. The index may lag behind the table."""
        left = {*self.skipped, *self.undecidable}
        ids = [each for each in self._table.review_ids() if each not in left]
        self._waiting = deque(ids)
        if ids:
            self._waiting.rotate(-self._start(len(ids)))

    def _next(self) -> Doubt | None:
        """The first that still waits. What is not in doubt any more is passed over, and said."""
        passed = 0
        found = None
        while self._waiting and found is None:
            ticket = self._read(self._waiting[0])
            if ticket and ticket.status == REVIEW:
                found = self._doubt(ticket)
            else:
                passed += not self._is_own(self._waiting[0])
            if found is None:
                self._leave()
        if passed:
            one, many = self.task.items
            these = count(passed, f"{one} was", f"{many} were")
            self.notes.append(f"{these} decided or edited meanwhile by others, and passed over.")
        return found

    def _doubt(self, ticket: Ticket) -> Doubt | None:
        outputs = in_doubt(self.task, ticket.marks)
        if not outputs:
            self.undecidable.add(ticket.ticket_id)
            return None
        doubt = Doubt(ticket, outputs, dict(self._chosen))
        if not self._chosen or (self._shown and self._shown.seen == doubt.seen):
            return doubt
        self._chosen.clear()
        self.notes.append(f"{ticket.ticket_id} was edited meanwhile: this is how it is now.")
        return Doubt(ticket, outputs)

    def _as_shown(self, seen: str) -> Doubt | None:
        """What is shown now, if a page speaks of that; another page of the browser may be older."""
        if self._shown and self._shown.seen == seen:
            return self._shown
        if seen not in self._left:  # no key that was struck twice
            self.notes.append("That page was older than this one: nothing was written.")
        return None

    def _write(self, doubt: Doubt, chosen: dict[str, Value]) -> None:
        ticket = doubt.ticket
        change = ticket.decided_by_a_person(chosen)
        refused = self._table.write_one(change)
        if refused.throttled:
            self._tell_busy()
            return
        self._leave()
        self._left.add(doubt.seen)
        if refused.changed and not self._is_made(change):
            self._pass_over(ticket.ticket_id)
        elif refused.too_large:
            self.undecidable.add(ticket.ticket_id)
            self.notes.append(f"{ticket.ticket_id} has no room for an answer: passed over.")
        else:
            self.done += 1
            self._steps.append((ticket.ticket_id, change))

    def _is_made(self, change: Change) -> bool:
        """Whether the ticket is what the change makes of it. The SDK makes a call again whose
        answer was lost, and then finds its own write."""
        ticket = self._read(change.ticket.ticket_id)
        return ticket is not None and ticket.as_read == change.undone.ticket.as_read

    def _pass_over(self, ticket_id: str) -> None:
        """Say why a choice was not written. A ticket that waits all the same comes again."""
        ticket = self._read(ticket_id)
        happened = "was decided or edited by somebody else"
        if ticket is None:
            happened = "was deleted"
        elif ticket.status == REVIEW:
            happened = "was edited and comes again later"
            self._waiting.append(ticket_id)
        self.notes.append(f"{ticket_id} {happened} meanwhile: your choice was not written.")

    def _read(self, ticket_id: str) -> Ticket | None:
        marks = marks_of(self.task.output)
        return self._table.read([ticket_id], self.task.inputs, marks).get(ticket_id)

    def _is_own(self, ticket_id: str) -> bool:
        """Whether it was decided in this sitting: the index may still name it."""
        return any(each == ticket_id and change for each, change in self._steps)

    def _leave(self) -> None:
        """Be done with the ticket that is shown: what its page sends once more is too late."""
        self._waiting.popleft()
        self._chosen.clear()
        self._shown = None

    def _tell_busy(self) -> None:
        self.notes.append("The table takes no writes just now: try again in a moment.")
