"""The answered tickets of a table: found by a scan, and chosen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nightshift.dry_run.forecast import plain_tokens
from nightshift.task.request import version_of
from nightshift.task.task import Task
from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import GUARDED, Ticket, marks_of
from tools.answers import entries

# Attributes of an answer that are no output, and by which tickets may be chosen all the same.
_ALSO_CHOSEN_BY = ("classified_by", "classified_with")
_ANSWERED_AT = "classified_at"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answered tickets: `older` leaves out those of today's task version; `name` and `value`
    keep those with this answer; `limit` ends the search."""

    older: bool = False
    name: str = ""
    value: str = ""
    limit: int | None = None


@dataclass
class Found:
    """Tickets that would be asked again. `tokens` are those of their messages by characters;
    `of_people` were left out, since a person has corrected or decided them."""

    tickets: list[Ticket] = field(default_factory=list)
    tokens: int = 0
    of_people: int = 0
    scanned: int = 0


def find(
    table: TicketTable, task: Task, model: str, wanted: Wanted, tell: Callable[[int], Any]
) -> Found:
    """Read the whole table, page by page. `tell` hears how many tickets were read so far."""
    found = Found()
    today = version_of(task, model)
    for item in _scan(table, task, wanted):
        found.scanned += 1
        if found.scanned % 1_000 == 0:
            tell(found.scanned)
        if not _is_wanted(item, task, today, wanted):
            continue
        if _is_of_a_person(item, task):
            found.of_people += 1
            continue
        shown = Ticket("", {}, {name: item.get(name) for name in task.inputs}).shown
        found.tokens += plain_tokens(task.message_for(shown) or "")
        found.tickets.append(_ticket(item, table.key, task))
        if len(found.tickets) == wanted.limit:
            break
    return found


def _scan(table: TicketTable, task: Task, wanted: Wanted) -> Iterator[Any]:
    also = [wanted.name] if wanted.name else []
    every = dict.fromkeys(
        (table.key, *GUARDED, _ANSWERED_AT, *marks_of(task.output), *task.inputs, *also)
    )
    names = {f"#{n}": name for n, name in enumerate(every)}
    pages = table.dynamodb.get_paginator("scan").paginate(
        TableName=table.name,
        ProjectionExpression=", ".join(names),
        ExpressionAttributeNames=names,
    )
    for page in pages:
        yield from page["Items"]


def _is_wanted(item: dict[str, Attribute], task: Task, today: str, wanted: Wanted) -> bool:
    if "classification_status" in item or _ANSWERED_AT not in item:
        return False
    if wanted.older and attribute.text(item.get("classified_with")) == today:
        return False
    if not wanted.name:
        return True
    return wanted.value in entries(item.get(wanted.name))


def _is_of_a_person(item: dict[str, Attribute], task: Task) -> bool:
    """Whether an output is not what Nightshift has written. Release 0.1.0 did not record what it
    wrote, so its answers count as Nightshift's.

    An earlier version of the task may have had a single output, whose name is not recorded.
    """
    there = {name: item[name] for name in task.output if name in item}
    if "classified_with" not in item or not there:
        return False
    written = item.get("classified_as", {})
    if "M" in written:
        return any(written["M"].get(name) != value for name, value in there.items())
    return written not in there.values()


def _ticket(item: dict[str, Attribute], key: str, task: Task) -> Ticket:
    """Of a ticket, what must not change before it is set to pending: its state and its answer."""
    return Ticket(
        item[key]["S"],
        {name: item.get(name) for name in GUARDED},
        marks={name: item.get(name) for name in ("classified_with", *task.output)},
    )


def may_choose_by(task: Task) -> tuple[str, ...]:
    """The attributes by whose value tickets may be chosen."""
    return (*task.output, *_ALSO_CHOSEN_BY)
