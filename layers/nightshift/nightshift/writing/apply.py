"""A hundred results into the ticket table: read, decide, write, and decide again what changed."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nightshift.claude.money import NOTHING, Price
from nightshift.claude.quotable import quotable
from nightshift.claude.results import Line
from nightshift.errors import TableRefused
from nightshift.runs.ledger import Ledger
from nightshift.runs.records import Tally
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import Change
from nightshift.writing.decision import (
    ACCOUNT_ERRORS,
    INVALID_REQUEST,
    Decision,
    Rules,
    decide,
    unusable,
)

# A ticket that changes each time between read and write has somebody else at work on it.
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Applied:
    """Which requests are in the table now, as what, why the provider rejected any; how many are
    not there because the time ran out while the table was throttled."""

    ordinals: tuple[int, ...]
    tally: Tally
    rejection: str = ""
    left: int = 0


@dataclass(frozen=True)
class Applier:
    """Applies results of one batch. Thread-safe: it holds no state of its own."""

    tickets: TicketTable
    ledger: Ledger
    run_id: str
    inputs: Sequence[str]
    rules: Rules
    price: Price
    out_of_time: Callable[[], bool]

    def apply(self, lines: Sequence[Line]) -> Applied:
        """Bring at most 100 results into the table, each exactly once.

        Raises:
            TableRefused: a ticket could not be written.
        """
        todo = dict(zip(self._ticket_ids(lines), lines, strict=True))
        decided: list[tuple[Line, Decision]] = []
        tries = 0
        while todo:
            now = self._decide(todo)
            changed, throttled = self._write(now)
            again = {change.ticket.ticket_id for change in (*changed, *throttled)}
            decided += [(todo[i], decision) for i, decision in now.items() if i not in again]
            todo = {i: line for i, line in todo.items() if i in again}
            tries += bool(changed)
            if tries == _TRIES:
                raise TableRefused(f"{len(changed)} tickets keep changing while they are written.")
            if throttled and self.out_of_time():
                break
        return self._sum_up(decided, left=len(todo))

    def _decide(self, todo: Mapping[str, Line]) -> dict[str, Decision]:
        found = self.tickets.read(list(todo), self.inputs)
        return {i: decide(line, found.get(i), self.rules) for i, line in todo.items()}

    def _write(self, decided: dict[str, Decision]) -> tuple[list[Change], list[Change]]:
        """Change the tickets; returns what is to be decided again: the changed, the throttled.

        A ticket without room is given up instead, as `decided` says then.
        """
        refused = self.tickets.write([d.change for d in decided.values() if d.change])
        full = [change.ticket.given_up_without_room() for change in refused.too_large]
        decided |= {c.ticket.ticket_id: Decision("failed", c, label="no_room") for c in full}
        still = self.tickets.write(full)
        if still.too_large:
            raise TableRefused(f"DynamoDB takes no change to {len(still.too_large)} tickets.")
        return [*refused.changed, *still.changed], [*refused.throttled, *still.throttled]

    def _ticket_ids(self, lines: Sequence[Line]) -> list[str]:
        """The lines' ticket ids; those too long to travel are in the run table by their hash."""
        names = [line.custom_id.name for line in lines if line.custom_id.ticket_id is None]
        long_ids = self.ledger.recall_ids(self.run_id, names)
        return [line.custom_id.ticket_id or long_ids[line.custom_id.name] for line in lines]

    def _sum_up(self, decided: Sequence[tuple[Line, Decision]], left: int) -> Applied:
        counts: dict[str, int] = {}
        labels: dict[str, Counter[str]] = defaultdict(Counter)
        thrown_away = Counter[str]()
        usage = long_usage = NOTHING
        rejection = ""
        for line, decision in decided:
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
            if what := unusable(line, self.rules.task):
                thrown_away[what] += 1
            usage += line.usage
            if self.price.is_long(line.usage):
                long_usage += line.usage
        ordinals = tuple(line.custom_id.ordinal for line, _ in decided)
        tally = Tally(
            **counts,
            usage=usage,
            long_usage=long_usage,
            categories=labels["classified"],
            failures=labels["failed"],
            unusable=thrown_away,
        )
        return Applied(ordinals, tally, rejection, left)
