"""Tickets of a file against those of the table: what is new, what has changed, what stays.

Loading a file twice changes nothing, and a load that was stopped is finished by the next one.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import batched
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from nightshift.aws import CONDITION_FAILED, TRY_AGAIN, ClientError, error_code
from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute
from nightshift.tickets.table import KEYS_PER_READ, TicketTable
from nightshift.tickets.ticket import EXPECTED, PENDING, Change, Ticket
from tools.desk.files.columns import KEY
from tools.desk.files.tickets import SHOWN
from tools.desk.files.tickets import Ticket as Item

_WRITERS = 8
# So often a group is compared anew since somebody else wrote the same tickets meanwhile.
_TRIES = 10
_serialize = TypeSerializer().serialize


@dataclass
class Loaded:
    """How many tickets of the file are new in the table, have changed there and ask again, have
    only gained a date or a right answer, and are what the table has already. `busy` ones kept
    changing in the table while they were written, and were left as they are."""

    new: int = 0
    changed: int = 0
    noted: int = 0
    unchanged: int = 0
    busy: int = 0
    too_large: int = 0


@dataclass(frozen=True)
class Loader:
    """Loads tickets whose `inputs` a task reads; `expected` are the names of right answers."""

    table: TicketTable
    inputs: Sequence[str]
    expected: Sequence[str]

    def load(self, items: Iterable[Item], tell: Callable[[int], Any]) -> Loaded:
        """Write what differs. `tell` hears how many more tickets of the file are done.

        Raises:
            TableRefused: DynamoDB refuses a write for a reason that waiting does not cure.
        """
        loaded = Loaded()
        with ThreadPoolExecutor(_WRITERS) as pool:
            for group in batched(items, KEYS_PER_READ, strict=False):
                self._load_group([*group], loaded, pool)
                tell(len(group))
        return loaded

    def _load_group(self, group: Sequence[Item], loaded: Loaded, pool: ThreadPoolExecutor) -> None:
        left = {item[KEY]: item for item in group}
        for _ in range(_TRIES):
            if not left:
                return
            found = self.table.read(list(left), (*self.inputs, *SHOWN, *self.expected))
            new = [item for ticket_id, item in left.items() if ticket_id not in found]
            again = {i for i in pool.map(self._put, new) if i}
            loaded.new += len(new) - len(again)
            again |= self._update([(left[i], ticket) for i, ticket in found.items()], loaded)
            left = {ticket_id: item for ticket_id, item in left.items() if ticket_id in again}
        loaded.busy += len(left)

    def _put(self, item: Item) -> str:
        """Make a ticket that asks; returns its id if somebody else has made it meanwhile."""
        values = {name: spelled(value) for name, value in item.items() if name != KEY}
        whole = {self.table.key: {"S": item[KEY]}, **values, **_asks()}
        while True:
            halvings = self.table.pace.take(1)
            try:
                self.table.dynamodb.put_item(
                    TableName=self.table.name,
                    Item=whole,
                    ConditionExpression="attribute_not_exists(#key)",
                    ExpressionAttributeNames={"#key": self.table.key},
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    return str(item[KEY])
                if error_code(error).removesuffix("Exception") not in TRY_AGAIN:
                    raise
                self.table.pace.slow_down(halvings)
            else:
                return ""

    def _update(self, pairs: Sequence[tuple[Item, Ticket]], loaded: Loaded) -> set[str]:
        """Change tickets that differ; returns the ids of those that changed meanwhile."""
        changes = [(self._change(item, ticket), ticket) for item, ticket in pairs]
        loaded.unchanged += sum(change is None for change, _ in changes)
        wanted = [change for change, _ in changes if change]
        again: set[str] = set()
        todo = wanted
        while todo:
            refused = self.table.write(todo)
            again |= {change.ticket.ticket_id for change in refused.changed}
            loaded.too_large += len(refused.too_large)
            wanted = [change for change in wanted if change not in refused.too_large]
            todo = refused.throttled
        for change in wanted:
            if change.ticket.ticket_id not in again:
                asks = "classification_status" in change.values
                loaded.changed += asks
                loaded.noted += not asks
        return again

    def _change(self, item: Item, ticket: Ticket) -> Change | None:
        """What of a ticket differs from the file; None for nothing.

        What the file does not have stays in the table, and so does a right answer that is there.
        """
        values = {name: spelled(item[name]) for name in item if name != KEY}
        differ = {
            name: value for name, value in values.items() if not _same(value, ticket.inputs[name])
        }
        texts = {name: value for name, value in differ.items() if name in self.inputs}
        notes = {
            name: value
            for name, value in differ.items()
            if name in SHOWN or (name.startswith(EXPECTED) and ticket.inputs[name] is None)
        }
        if not texts and not notes:
            return None
        return Change(ticket, texts | notes | (_asks() if texts else {}))


def spelled(value: Any) -> Attribute:
    """A value of a file as DynamoDB's API spells it; its numbers are decimals."""
    if isinstance(value, str):
        return {"S": value}
    return dict(_serialize(json.loads(json.dumps(value), parse_float=Decimal)))


def _asks() -> dict[str, Attribute]:
    return {"classification_status": {"S": PENDING}}


def _same(value: Attribute, there: Attribute | None) -> bool:
    """Whether Claude would read the same: CSV has no other type than text."""
    if there is None:
        return attribute.text(value) == ""
    if attribute.text(value) == attribute.text(there):
        return True
    return attribute.canonical([value]) == attribute.canonical([there])
