"""How many tokens tickets have, measured on a few of them: Claude counts for nothing.

The sample is the tickets whose ids have the lowest hashes: each is as likely as any other, and
samples of parts merge into that of the whole. So a count may take several calls, and only ids
travel between them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import heappush, heappushpop
from itertools import chain

from nightshift.deployment import Deployment
from nightshift.errors import NightshiftError
from nightshift.forecast import fixed_tokens, plain_tokens
from nightshift.observability import logger

SIZE = 20
# A call takes some tenths of a second, at most 10 s (claude.py). Seconds.
_TIME_TO_COUNT = 20


class Sample:
    """Ticket ids, up to SIZE of all that were added."""

    def __init__(self, ids: Sequence[str] = ()) -> None:
        self._heap: list[tuple[int, str]] = []
        for ticket_id in ids:
            self.add(ticket_id)

    def add(self, ticket_id: str) -> None:
        place = -int.from_bytes(blake2b(ticket_id.encode(), digest_size=8).digest())
        if len(self._heap) < SIZE:
            heappush(self._heap, (place, ticket_id))
        else:
            heappushpop(self._heap, (place, ticket_id))

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(ticket_id for _, ticket_id in self._heap))


@dataclass(frozen=True, slots=True)
class Measure:
    """Tokens of a request's constant part; what `plain_tokens` of a message must be multiplied
    by; and how both were found."""

    fixed: int
    per_plain_token: float
    method: str


def measure(stack: Deployment, sample: Sequence[str], time_left: Callable[[], float]) -> Measure:
    """Ask Claude to count the sample, as far as the time goes. Never fails: where Claude cannot
    be asked, characters stand alone, and the method says so."""
    counts: list[tuple[int, int]] = []
    why = ""
    try:
        for message, tokens in _counted(stack, sample, time_left):
            counts.append((plain_tokens(message), tokens))
    except NightshiftError as error:
        why = f" ({type(error).__name__})"
        logger.warning("dry run: Claude does not count tokens", why=type(error).__name__)
    (_, fixed), *tickets = counts or [(0, 0)]
    ours, theirs = (sum(column) for column in zip(*tickets, strict=True)) if tickets else (0, 0)
    if not ours:
        price = stack.price
        return Measure(
            fixed or fixed_tokens(stack.task, price),
            price.tokenizer,
            f"input: characters alone, four a token{why}",
        )
    method = f"input: {len(tickets)} tickets counted by Claude, characters for the others"
    return Measure(fixed, (theirs - len(tickets) * fixed) / ours, method)


def _counted(
    stack: Deployment, sample: Sequence[str], time_left: Callable[[], float]
) -> Iterator[tuple[str, int]]:
    """The shortest message there can be, then those of the sample as they are now."""
    tickets = stack.tickets.read(sample).values() if sample else ()
    texts = (stack.task.message_for(ticket.subject, ticket.body) for ticket in tickets)
    messages = [message for message in texts if message is not None]
    for message in chain(["."] if messages else [], messages):
        if time_left() < _TIME_TO_COUNT:
            return
        yield message, stack.claude.count_tokens(stack.form.params(message))
