"""Which column of a file is which attribute of a ticket."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from tools.desk.files.problems import UnusableFile

KEY = "ticket_id"
_ALSO_A_KEY = "id"
# Names that exports of helpdesks have for what the shipped tasks read. Offered, never assumed.
_OFFERED: Mapping[str, tuple[str, ...]] = {
    "body": ("description", "text", "message", "content", "comment", "details"),
    "subject": ("title", "summary", "topic"),
    "text": ("body", "description", "content", "message"),
    KEY: ("ticket", "key", "number", "case_id", "uuid"),
}
# A file may have more different keys than anybody reads: those beyond are not looked at.
_MOST_COLUMNS = 1_000


def parse_map(text: str) -> dict[str, str]:
    """`body=description,ticket_id=id` as attributes and their columns.

    Raises UnusableFile if it is nothing of that kind.
    """
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not equals or not name.strip() for name, equals, _ in pairs):
        raise UnusableFile(
            f'MAP={text} is no list of attribute=column, such as MAP="body=description".'
        )
    return {name.strip(): column.strip() for name, _, column in pairs}


@dataclass
class Columns:
    """The columns of one file, learned row by row.

    `needed` are the attributes that a task reads, `taken` those that are taken along where they
    are. `renamed` is what MAP says: the column of an attribute, or "" if the file has none.
    `key_name` is what the table calls the ticket's id, which is `ticket_id` here.
    """

    needed: Sequence[str]
    taken: Sequence[str]
    renamed: Mapping[str, str] = field(default_factory=dict)
    key_name: str = KEY
    seen: dict[str, None] = field(default_factory=dict)
    of: dict[str, str] = field(default_factory=dict)

    def learn(self, columns: Iterable[str]) -> None:
        new = [name for name in columns if name and name not in self.seen]
        if not new or len(self.seen) > _MOST_COLUMNS:
            return
        self.seen |= dict.fromkeys(new)
        found = {name: self._column(name) for name in (KEY, *self.needed, *self.taken)}
        self.of = {name: column for name, column in found.items() if column}

    def attributes(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What a row says, by the names of attributes."""
        self.learn(row)
        return {name: row[column] for name, column in self.of.items() if column in row}

    def key(self, row: Mapping[str, Any]) -> Any:
        """The id of a row's ticket; None if it has none."""
        if KEY in self.renamed:
            return row.get(self.renamed[KEY])
        values = (row.get(self._spelled(name) or "") for name in self._key_names)
        return next((value for value in values if value is not None), None)

    def check(self, file: str, needs_ids: bool) -> None:
        """Check that the file has every column that is needed, and those that MAP names.

        Raises UnusableFile with the columns that it has, and the MAP that would fit.
        """
        unknown = [name for name in self.renamed if name not in (KEY, *self.needed, *self.taken)]
        if unknown:
            known = ", ".join((KEY, *self.needed, *self.taken))
            raise UnusableFile(f"MAP names {unknown[0]}, which is not read. There are: {known}.")
        absent = [column for column in self.renamed.values() if column and column not in self.seen]
        if absent:
            raise UnusableFile(f"{file} has no column {absent[0]}. {self._there_are}")
        missing = [name for name in self.needed if name not in self.of and name not in self.renamed]
        if needs_ids and KEY not in self.of:
            missing.insert(0, KEY)
        if missing:
            offer = ",".join(f"{name}={self._offer(name)}" for name in missing)
            none = f' MAP="{missing[-1]}=" says that there is none.' if missing[-1] != KEY else ""
            raise UnusableFile(
                f"{file} has no column {' and no column '.join(missing)}. {self._there_are} "
                f'Say MAP="{offer}".{none}'
            )

    @property
    def _there_are(self) -> str:
        return f"It has: {', '.join(self.seen) or 'none'}."

    def _column(self, name: str) -> str | None:
        if name in self.renamed:
            return self.renamed[name]
        names = self._key_names if name == KEY else (name,)
        return next((found for each in names if (found := self._spelled(each))), None)

    @property
    def _key_names(self) -> tuple[str, ...]:
        return (self.key_name, KEY, _ALSO_A_KEY)

    def _spelled(self, name: str) -> str | None:
        """The column of this name, or else the first that differs in spelling only."""
        if name in self.seen:
            return name
        return next((column for column in self.seen if _plain(column) == _plain(name)), None)

    def _offer(self, name: str) -> str:
        """The column that may be meant by an attribute that the file does not have."""
        free = {_plain(column): column for column in self.seen if column not in self.of.values()}
        for likely in _OFFERED.get(name, ()):
            if likely in free:
                return free[likely]
        near = get_close_matches(_plain(name), free, n=1)
        return free[near[0]] if near else "COLUMN"


def _plain(name: str) -> str:
    """What spellings such as "Ticket ID", "ticket-id" and "ticket_id" share."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
