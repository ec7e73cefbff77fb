"""Tickets set to pending, each only if it still is what was read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import batched
from typing import Any

from nightshift.tickets.table import STATEMENTS_PER_WRITE, TicketTable
from nightshift.tickets.ticket import Change


@dataclass(frozen=True, slots=True)
class Asked:
    """How many tickets ask again, and how many had changed since they were read."""

    pending: int = 0
    changed: int = 0


def ask_again(table: TicketTable, changes: Iterable[Change], tell: Callable[[int], Any]) -> Asked:
    """Make changes that set tickets to pending. `tell` hears after each call how many more are
    done.

    Raises:
        TableRefused: DynamoDB refuses a write for a reason that waiting does not cure.
    """
    pending = changed = 0
    for group in batched(changes, STATEMENTS_PER_WRITE, strict=False):
        others = _not_made(table, group)
        pending, changed = pending + len(group) - others, changed + others
        tell(len(group))
    return Asked(pending, changed)


def _not_made(table: TicketTable, group: Iterable[Change]) -> int:
    others, todo = 0, [*group]
    while todo:
        refused = table.write(todo)
        others += len(refused.changed) + len(refused.too_large)
        todo = refused.throttled
    return others
