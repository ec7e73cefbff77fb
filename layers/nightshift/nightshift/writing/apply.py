"""Results into the ticket table, 100 at a time: read, decide, write; decide anew what changed."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from nightshift.claude.money import NOTHING, Price
from nightshift.claude.quotable import quotable
from nightshift.claude.results import ACCOUNT_ERRORS, INVALID_REQUEST, Result
from nightshift.errors import TableRefused
from nightshift.quality import gold
from nightshift.quality.gold import Gold
from nightshift.runs.ledger import Ledger
from nightshift.runs.records import Tally
from nightshift.task.answer import Answer
from nightshift.task.outputs import Label
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import Change, Ticket
from nightshift.writing.decision import Decision, Rules, decide, unusable

# So often a group is decided anew since tickets were changed between our read and our write.
_TRIES = 10
NO_ROOM = "no_room"
_NO_ROOM_FOR_ANSWER = "the ticket has no room for its answer: DynamoDB takes 400 KB an item."


@dataclass(frozen=True, slots=True)
class Applied:
    """Which results were written, by their requests' ordinals, and with what outcome.

    `rejection` is why Claude rejected requests for the account's sake, empty if none. `unapplied`
    counts results that were not written: the time ran out while DynamoDB throttled the table.
    """

    ordinals: tuple[int, ...]
    tally: Tally
    rejection: str = ""
    unapplied: int = 0


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

    def apply(self, results: Sequence[Result]) -> Applied:
        """Write at most 100 results to the table, each exactly once.

        Raises:
            TableRefused: a ticket could not be written.
        """
        todo = dict(zip(self._ticket_ids(results), results, strict=True))
        decided: list[tuple[Result, Decision]] = []
        tries = 0
        while todo:
            now = self._decide(todo)
            changed, throttled = self._write(now)
            again = {change.ticket.ticket_id for change in (*changed, *throttled)}
            decided += [(todo[i], decision) for i, decision in now.items() if i not in again]
            todo = {i: result for i, result in todo.items() if i in again}
            tries += bool(changed)
            if tries == _TRIES:
                raise TableRefused(f"{len(changed)} tickets keep changing while they are written.")
            if throttled and self.out_of_time():
                break
        return self._sum_up(decided, unapplied=len(todo))

    def _decide(self, todo: Mapping[str, Result]) -> dict[str, Decision]:
        comparable = gold.comparable(self.rules.task.output)
        found = self.tickets.read(list(todo), self.inputs, outputs=comparable)
        return {i: decide(result, found.get(i), self.rules) for i, result in todo.items()}

    def _write(self, decided: dict[str, Decision]) -> tuple[list[Change], list[Change]]:
        """Change the tickets; returns the changes that were not made, since the ticket was changed
        meanwhile or DynamoDB throttled the write.

        A ticket without room for its answer is given up instead; `decided` is altered to say so.
        """
        not_made = self.tickets.write([d.change for d in decided.values() if d.change])
        changed, throttled = [*not_made.changed], [*not_made.throttled]
        full = [change.ticket for change in not_made.too_large]
        for give_up in (self._without_room, Ticket.given_up_without_room):
            changes = [give_up(ticket) for ticket in full]
            decided |= {c.ticket.ticket_id: Decision("failed", c, reason=NO_ROOM) for c in changes}
            not_made = self.tickets.write(changes)
            changed += not_made.changed
            throttled += not_made.throttled
            full = [change.ticket for change in not_made.too_large]
        if full:
            raise TableRefused(f"DynamoDB takes no change to {len(full)} tickets.")
        return changed, throttled

    def _without_room(self, ticket: Ticket) -> Change:
        return ticket.given_up(self.rules.batch_id, f"{NO_ROOM}: {_NO_ROOM_FOR_ANSWER}")

    def _count(self, answer: Answer, outputs: dict[str, Counter[str]]) -> None:
        """Add what is counted of an answer; an unsure label counts under its own word."""
        for name, output in self.rules.task.output.items():
            if name in answer.values:
                outputs[name].update(output.count(answer.values[name]))
            elif isinstance(output, Label) and output.unsure:
                outputs[name][output.unsure] += 1

    def _compare(self, decided: Iterable[Decision]) -> Gold:
        """Answers beside what was known beforehand as the tickets were read: that is, where a call
        died after its write, as they were read by the call that accounts for them."""
        outputs = self.rules.task.output
        return gold.total(
            gold.compare(outputs, each.known, each.answer)
            for each in decided
            if each.answer and each.known
        )

    @property
    def _first_label(self) -> str:
        outputs = self.rules.task.output.items()
        return next((name for name, output in outputs if isinstance(output, Label)), "")

    def _ticket_ids(self, results: Sequence[Result]) -> list[str]:
        """The results' ticket ids; the run table knows those too long for a custom_id, by hash."""
        asked = [result.custom_id for result in results]
        hashes = [request.name for request in asked if request.ticket_id is None]
        long_ids = self.ledger.recall_ids(self.run_id, hashes)
        return [request.ticket_id or long_ids[request.name] for request in asked]

    def _is_rejected(self, result: Result) -> bool:
        """Whether Claude rejected the request for the account's sake, or that of the task."""
        all_invalid = self.rules.all_invalid and result.error == INVALID_REQUEST
        return all_invalid or result.error in ACCOUNT_ERRORS

    def _surcharge(self, results: Sequence[Result]) -> Decimal:
        processed_in_the_us = (result.usage for result in results if result.in_the_us)
        return sum(map(self.price.surcharge, processed_in_the_us), Decimal(0))

    def _sum_up(self, decided: Sequence[tuple[Result, Decision]], unapplied: int) -> Applied:
        results = [result for result, _ in decided]
        decisions = [decision for _, decision in decided]
        rejected = [result for result in results if self._is_rejected(result)]
        without_answer = (result for result, decision in decided if not decision.answer)
        thrown_away = (unusable(result, self.rules.task) for result in without_answer)
        outputs: dict[str, Counter[str]] = defaultdict(Counter)
        for decision in decisions:
            if decision.answer:
                self._count(decision.answer, outputs)
        tally = Tally(
            **Counter[str](d.outcome for d in decisions),
            **Counter[str](result.kind for result in results),
            still_pending=sum(d.still_pending for d in decisions),
            rejected=len(rejected),
            usage=sum((r.usage for r in results), NOTHING),
            long_usage=sum((r.usage for r in results if self.price.is_long(r.usage)), NOTHING),
            surcharge=self._surcharge(results),
            categories=Counter(outputs.get(self._first_label)),
            failures=Counter(d.reason for d in decisions if d.outcome == "failed"),
            outputs=dict(outputs),
            unusable=Counter(filter(None, thrown_away)),
            gold=self._compare(decisions),
        )
        ordinals = tuple(result.custom_id.ordinal for result in results)
        return Applied(ordinals, tally, _why(rejected), unapplied)


def _why(rejected: Sequence[Result]) -> str:
    """What Claude said of the last of these; empty where there is none."""
    if not rejected:
        return ""
    error, message = rejected[-1].error, rejected[-1].message
    return f"{error}: {quotable(error, message)}"
