"""Corrected tickets as examples of a task: which ones, and how TOML spells them."""

import html
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from typing import Any

import tomlkit

from nightshift.task.html_text import plain
from nightshift.task.outputs import NotAllowed, Unsure
from nightshift.task.task import Task
from nightshift.tickets import attribute
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import Ticket, marks_of
from tools.operate.quality.figures import Confusion

type Example = dict[str, Any]


def chosen(confusions: Iterable[Confusion]) -> list[str]:
    """Ids of corrected tickets, each once: the newest of every change, the most frequent change
    first, then the second newest of every change, and so on."""
    each_change = [[each.ticket_id for each in change.corrections] for change in confusions]
    in_turn = chain.from_iterable(zip_longest(*each_change))
    return list(dict.fromkeys(ticket_id for ticket_id in in_turn if ticket_id is not None))


def examples(table: TicketTable, task: Task, ids: Iterable[str]) -> Iterator[Example | None]:
    """Tickets as examples, in the order of the ids; None for one that cannot be one: it is gone,
    asks again, or holds an answer that the task does not allow."""
    found = table.walk(ids, task.inputs, marks_of(task.output))
    return (example(task, ticket) if ticket else None for _, ticket in found)


def example(task: Task, ticket: Ticket) -> Example | None:
    """The inputs of a ticket as Claude read them, and the outputs that stand there now."""
    if ticket.status is not None:
        return None
    answer = {}
    for name, output in task.output.items():
        try:
            answer[name] = output.read(attribute.value(ticket.marks.get(name)))
        except (NotAllowed, Unsure):
            return None
    read = (text for text, _ in task.read_and_cut(ticket.shown))
    inputs = {name: _as_markup(text) for name, text in zip(task.input, read, strict=True)}
    return inputs | answer


def spelled(found: Iterable[Example]) -> str:
    """Examples as they stand in a task file."""
    tables = tomlkit.aot()
    for each in found:
        tables.append(tomlkit.item(each))
    return tomlkit.dumps({"examples": tables})


def _as_markup(text: str) -> str:
    """A text that is read as HTML, as every text of an example is, and then is this text again."""
    return text if plain(text) == text else html.escape(text, quote=False)
