"""One task with one model over all tickets of a file: what is to be asked."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import msgspec

from nightshift.claude.money import Price
from nightshift.task.request import version_of
from nightshift.task.task import Task
from tools.desk.labelled import Row


@dataclass(frozen=True)
class Series:
    """`rows` are the tickets of the file as the task reads them."""

    task: Task
    model: str
    rows: list[Row]

    @property
    def name(self) -> str:
        """What people call the series."""
        return f"{self.task.name} · {self.model}"

    @cached_property
    def version(self) -> str:
        """The task's version with this model."""
        return version_of(self.task, self.model)

    @property
    def price(self) -> Price:
        return self.task.price_table.of(self.model)

    @cached_property
    def messages(self) -> list[str | None]:
        """The user message of each row; None for one without text, which is never sent."""
        return [self.task.message_for(row.shown) for row in self.rows]

    def digest(self, provider: str) -> str:
        """The same for the same questions to the same provider: tickets, task version, model.

        The right answers are no part of it: who mends them pays nothing again.
        """
        asked = list(zip([row.ticket_id for row in self.rows], self.messages, strict=True))
        same = msgspec.json.encode([provider, self.version, self.model, asked])
        return blake2b(same, digest_size=8).hexdigest()
