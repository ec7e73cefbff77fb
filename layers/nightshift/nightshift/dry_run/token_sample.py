"""How many tokens tickets have, measured on a few of them: Claude counts for nothing.

The sample is the tickets whose ids have the lowest hashes: each is as likely as any other, and
samples of parts merge into that of the whole. So a count may take several calls, and only ids
travel between them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import heappush, heappushpop

from nightshift.deployment import Deployment
from nightshift.dry_run.forecast import fixed_tokens, plain_tokens
from nightshift.errors import NightshiftError
from nightshift.observability import logger

SIZE = 20
# A call takes some tenths of a second; one that fails, until its timeouts (claude.py). Seconds.
_TIME_TO_COUNT = 40


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
    counted: list[tuple[str, int]] = []
    why = ""
    try:
        for message in _shortest_first(stack, sample):
            if time_left() < _TIME_TO_COUNT:
                break
            counted.append((message, stack.claude.count_tokens(stack.template.params(message))))
    except NightshiftError as error:
        why = f" ({type(error).__name__})"
        logger.warning("dry run: Claude does not count tokens", why=type(error).__name__)
    if len(counted) < 2:
        method = f"input: characters alone, four a token{why}"
        return Measure(fixed_tokens(stack.task, stack.price), stack.price.tokenizer, method)
    (_, fixed), *tickets = counted
    plain = sum(plain_tokens(message) for message, _ in tickets)
    beyond = sum(tokens - fixed for _, tokens in tickets)
    method = f"input: {len(tickets)} tickets counted by Claude, characters for the others"
    return Measure(fixed, beyond / max(1, plain), method)


def _shortest_first(stack: Deployment, sample: Sequence[str]) -> list[str]:
    """The shortest message there can be, then those of the sample as they are now."""
    if not sample:
        return []
    tickets = stack.tickets.read(sample, stack.task.inputs).values()
    messages = (stack.task.message_for(ticket.shown) for ticket in tickets)
    return [".", *(message for message in messages if message is not None)]
