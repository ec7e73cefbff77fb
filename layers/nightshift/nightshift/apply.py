"""A hundred results into the ticket table: read, decide, write, and decide again what changed."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from nightshift.decision import ACCOUNT_ERRORS, INVALID_REQUEST, Decision, Rules, decide
from nightshift.errors import TableRefused
from nightshift.ledger import Ledger
from nightshift.money import NOTHING, Price
from nightshift.quotable import quotable
from nightshift.records import Tally
from nightshift.results import Line
from nightshift.tickets import TicketTable, no_room

# A ticket that changes each time between read and write has somebody else at work on it.
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Applied:
    """Which requests are in the table now, as what, and why the provider rejected any."""

    ordinals: tuple[int, ...]
    tally: Tally
    rejection: str = ""


@dataclass(frozen=True)
class Applier:
    """Applies results of one batch. Thread-safe: it holds no state of its own."""

    tickets: TicketTable
    ledger: Ledger
    run_id: str
    rules: Rules
    price: Price

    def apply(self, lines: Sequence[Line]) -> Applied:
        """Bring at most 100 results into the table, each exactly once.

        Raises:
            TableRefused: a ticket could not be written.
        """
        ids = self._ticket_ids(lines)
        decided: dict[str, Decision] = {}
        todo = dict(zip(ids, lines, strict=True))
        for _ in range(_TRIES):
            found = self.tickets.read(list(todo))
            now = {i: decide(line, found.get(i), self.rules) for i, line in todo.items()}
            decided |= now
            changes = [decision.change for decision in now.values() if decision.change]
            refused = self.tickets.write(changes)
            full = [no_room(change.ticket) for change in refused.too_large]
            decided |= {c.ticket.ticket_id: Decision("failed", c, label="no_room") for c in full}
            still = self.tickets.write(full)
            if still.too_large:
                raise TableRefused(f"DynamoDB takes no change to {len(still.too_large)} tickets.")
            again = [*refused.changed, *still.changed]
            todo = {change.ticket.ticket_id: todo[change.ticket.ticket_id] for change in again}
            if not todo:
                return self._sum_up(ids, lines, decided)
        raise TableRefused(f"{len(todo)} tickets keep changing while they are written.")

    def _ticket_ids(self, lines: Sequence[Line]) -> list[str]:
        """The lines' ticket ids; those too long to travel are in the run table by their hash."""
        names = [line.custom_id.name for line in lines if line.custom_id.ticket_id is None]
        long_ids = self.ledger.recall_ids(self.run_id, names)
        return [line.custom_id.ticket_id or long_ids[line.custom_id.name] for line in lines]

    def _sum_up(
        self, ids: Sequence[str], lines: Sequence[Line], decided: dict[str, Decision]
    ) -> Applied:
        counts: dict[str, int] = {}
        labels: dict[str, Counter[str]] = defaultdict(Counter)
        usage = long_usage = NOTHING
        rejection = ""
        for ticket_id, line in zip(ids, lines, strict=True):
            decision = decided[ticket_id]
            rejected = line.error in ACCOUNT_ERRORS or (
                line.error == INVALID_REQUEST and self.rules.all_invalid
            )
            if rejected:
                rejection = f"{line.error}: {quotable(line.error, line.message)}"
            for name, count in (
                (decision.outcome, 1),
                (line.kind, 1),
                ("left", decision.left),
                ("rejected", rejected),
            ):
                counts[name] = counts.get(name, 0) + count
            labels[decision.outcome][decision.label] += 1
            usage += line.usage
            if self.price.is_long(line.usage):
                long_usage += line.usage
        ordinals = tuple(line.custom_id.ordinal for line in lines)
        tally = Tally(
            **counts,
            usage=usage,
            long_usage=long_usage,
            categories=labels["classified"],
            failures=labels["failed"],
        )
        return Applied(ordinals, tally, rejection)
