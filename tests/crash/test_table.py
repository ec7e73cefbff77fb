"""Writes to tickets of every kind, in MiniStack's DynamoDB within this process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from msgspec.json import decode, encode

from nightshift.aws import ClientError
from nightshift.claude import results
from nightshift.claude.money import Price
from nightshift.errors import SettingsInvalid, TableRefused
from nightshift.pace import Pace
from nightshift.runs.ledger import Ledger
from nightshift.task.task import Task
from nightshift.tickets.attribute import Attribute
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import Change
from nightshift.writing.apply import Applied, Applier
from nightshift.writing.decision import Rules
from tests.crash_proof.edges import Aws
from tests.crash_proof.world import Workshop, workshop
from tests.definitions import tables
from tests.tasks import reviewed, reviews, task
from tests.unit.examples import Item, item, name_of, raw, read, succeeded

INPUTS = task().inputs
ODD: dict[str, Attribute] = {
    "NULL": {"NULL": True},
    "binary": {"B": "AP8="},
    "texts": {"SS": ["b", "a"]},
    "numbers": {"NS": ["10", "9"]},
    "binaries": {"BS": ["Yg==", "YQ=="]},
    "list": {"L": [{"S": "a"}, {"N": "1"}, {"NULL": True}]},
    "map": {"M": {"to": {"S": "us"}, "cc": {"L": []}}},
}
PLAIN: dict[str, Attribute] = {
    "text": {"S": "Refund"},
    "empty text": {"S": ""},
    "number": {"N": "1.0"},
    "true": {"BOOL": True},
}
EVERY_TYPE = PLAIN | ODD
COMPARED_BY_PARTIQL = {"S", "N", "BOOL"}
PRICE = Price(input=1, output=5)


@dataclass
class Doubtful:
    """MiniStack, but `=` of PartiQL holds for what AWS documents alone; it notes what is sent."""

    sent: list[tuple[str, int]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    """What the next calls of UpdateItem are answered instead."""

    def carry_out(self, wire: Any) -> Any:
        self.sent.append((wire.operation, len(wire.request.body)))
        if wire.operation == "UpdateItem" and self.refusals:
            return wire._error(400, self.refusals.pop(0))
        if wire.operation != "BatchExecuteStatement":
            return wire.perform()
        return wire._answer(200, {}, encode({"Responses": list(self._answers(wire))}))

    def _answers(self, wire: Aws) -> Iterator[Any]:
        for statement in wire._data["Statements"]:
            condition = statement["Statement"].partition(" WHERE ")[2]
            compared = statement["Parameters"][-condition.count("?") :]
            if all(value.keys() <= COMPARED_BY_PARTIQL for value in compared):
                body = encode({"Statements": [statement]})
                yield from decode(wire.engine(wire.operation, body)[2])["Responses"]
            else:
                yield {"Error": {"Code": "ConditionalCheckFailed"}}

    @property
    def calls(self) -> list[str]:
        return [operation for operation, _ in self.sent]


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    with workshop() as ours:
        yield ours


@pytest.fixture
def aws(shop: Workshop) -> Doubtful:
    shop.make_tables()
    return Doubtful()


@pytest.fixture
def table(shop: Workshop, aws: Doubtful) -> TicketTable:
    return TicketTable(shop._client(aws.carry_out), "tickets", Pace(rate=20_000))


def put(shop: Workshop, *items: Item) -> None:
    for each in items:
        shop.plain_client.put_item(TableName="tickets", Item=each)


def stored(shop: Workshop, ticket_id: str = "T-1") -> Item:
    key = {"ticket_id": {"S": ticket_id}}
    found = shop.plain_client.get_item(TableName="tickets", Key=key, ConsistentRead=True)
    return dict(found.get("Item", {}))


def categorize(table: TicketTable, *ids: str) -> list[Change]:
    tickets = table.read(ids or ["T-1"], INPUTS).values()
    return [
        Change(each, {"category": {"S": "billing"}}, ("classification_status",)) for each in tickets
    ]


@pytest.mark.parametrize("value", EVERY_TYPE.values(), ids=EVERY_TYPE)
@pytest.mark.parametrize("name", ["subject", "body", "classification_batch_id"])
def test_a_ticket_of_any_type_is_written_as_long_as_it_is_unchanged(
    shop: Workshop, table: TicketTable, name: str, value: Attribute
) -> None:
    put(shop, item(**{name: value}))

    refused = table.write(categorize(table))

    assert (refused.changed, refused.too_large, refused.throttled) == ([], [], [])
    assert stored(shop)["category"] == {"S": "billing"}
    assert "classification_status" not in stored(shop)
    assert name in stored(shop)


@pytest.mark.parametrize("was", EVERY_TYPE.values(), ids=EVERY_TYPE)
@pytest.mark.parametrize("now", [*EVERY_TYPE.values(), None], ids=[*EVERY_TYPE, "missing"])
def test_a_ticket_that_changed_its_value_or_type_is_not_written(
    shop: Workshop, table: TicketTable, was: Attribute, now: Attribute | None
) -> None:
    if was is now:
        now = {"S": "another"}
    put(shop, item(subject=was))
    changes = categorize(table)
    put(shop, edited := item(subject=now))

    refused = table.write(changes)

    assert refused.changed == changes
    assert stored(shop).keys() == edited.keys()


@pytest.mark.parametrize("value", EVERY_TYPE.values(), ids=EVERY_TYPE)
def test_a_ticket_that_is_gone_is_not_made_anew(
    shop: Workshop, table: TicketTable, value: Attribute
) -> None:
    put(shop, item(subject=value))
    changes = categorize(table)
    shop.plain_client.delete_item(TableName="tickets", Key={"ticket_id": {"S": "T-1"}})

    refused = table.write(changes)

    assert refused.changed == changes
    assert stored(shop) == {}


def test_a_write_that_depends_on_nothing_makes_no_ticket_either(
    shop: Workshop, table: TicketTable
) -> None:
    nothing = read({"ticket_id": {"S": "T-1"}})
    change = Change(nothing, {"category": {"S": "billing"}})

    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        shop.plain_client.update_item(**table.as_update(change))

    assert stored(shop) == {}


def test_only_odd_tickets_are_written_one_by_one(
    shop: Workshop, table: TicketTable, aws: Doubtful
) -> None:
    put(shop, item(subject={"NULL": True}), *(item(ticket_id=f"T-{n}") for n in range(2, 9)))

    table.write(categorize(table, *(f"T-{n}" for n in range(1, 9))))

    assert aws.calls == ["DescribeTable", "BatchGetItem", "UpdateItem", "BatchExecuteStatement"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ConditionalCheckFailedException", "changed"),
        ("ValidationException", "too_large"),
        ("TransactionConflictException", "throttled"),
    ],
)
def test_what_refuses_an_odd_ticket_is_known_by_its_name(
    shop: Workshop, table: TicketTable, aws: Doubtful, code: str, kind: str
) -> None:
    put(shop, item(subject={"NULL": True}))
    changes = categorize(table)
    aws.refusals = [code]

    refused = table.write(changes)

    assert getattr(refused, kind) == changes
    assert (len(refused.changed), len(refused.too_large), len(refused.throttled)).count(0) == 2
    assert (table.pace.halvings == 1) == (kind == "throttled")


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_an_odd_ticket_that_is_throttled_for_long_may_be_tried_again(
    shop: Workshop, table: TicketTable, aws: Doubtful, code: str
) -> None:
    put(shop, item(subject={"NULL": True}))
    changes = categorize(table)
    aws.refusals = [code] * 9  # as often as botocore asks by itself

    assert table.write(changes).throttled == changes
    assert table.write(changes).throttled == []
    assert stored(shop)["category"] == {"S": "billing"}


def test_a_refusal_that_is_none_of_the_tickets_leaves_as_it_is(
    shop: Workshop, table: TicketTable, aws: Doubtful
) -> None:
    put(shop, item(subject={"NULL": True}))
    changes = categorize(table)
    aws.refusals = ["AccessDeniedException"]

    with pytest.raises(ClientError, match="AccessDenied"):
        table.write(changes)


def apply(
    shop: Workshop,
    table: TicketTable,
    *items: Item,
    text: str = "billing",
    asked: Task | None = None,
) -> Applied:
    """Apply an answer to each of these tickets, as they were sent."""
    lines = [
        results.read(raw(str(name_of(read(each), ordinal)), succeeded(text)))
        for ordinal, each in enumerate(items)
    ]
    rules = Rules(asked or task(), "msgbatch_1", "sorting@0123abcd", 3, "2026-11-22T02:00:00+00:00")
    ledger = Ledger(shop.plain_client, "runs")
    applier = Applier(table, ledger, "2026-11-22", INPUTS, rules, PRICE, lambda: False)
    return applier.apply([line for line in lines if line])


def test_odd_tickets_are_classified_beside_all_others(shop: Workshop, table: TicketTable) -> None:
    ids = {f"T-{n}": value for n, value in enumerate(EVERY_TYPE.values())}
    items = [item(ticket_id=ticket_id, subject=value) for ticket_id, value in ids.items()]
    put(shop, *items)

    applied = apply(shop, table, *items)

    assert applied.tally.classified == len(items)
    assert {stored(shop, ticket_id)["category"]["S"] for ticket_id in ids} == {"billing"}


def test_an_odd_ticket_that_was_edited_is_superseded_beside_all_others(
    shop: Workshop, table: TicketTable
) -> None:
    ids = {f"T-{n}": value for n, value in enumerate(ODD.values())}
    sent = [item(ticket_id=ticket_id, subject=value) for ticket_id, value in ids.items()]
    put(shop, *sent)
    put(shop, edited := item(ticket_id="T-1", subject={"B": "AP4="}))

    applied = apply(shop, table, *sent)

    assert (applied.tally.classified, applied.tally.superseded) == (len(ids) - 1, 1)
    assert stored(shop, "T-1") == edited


def test_an_odd_ticket_without_room_for_its_answer_is_given_up(
    shop: Workshop, table: TicketTable
) -> None:
    full = item(subject={"NULL": True}, body="x" * (409_600 - 90))
    put(shop, full)

    applied = apply(shop, table, full)

    assert applied.tally.failures == {"no_room": 1}
    assert stored(shop)["classification_status"] == {"S": "failed"}


# Answers of several outputs, whose names may be reserved words.

OUTPUTS: dict[str, Attribute] = {
    "status": {"S": "good"},
    "kind": {"S": "long"},
    "topics": {"L": [{"S": "price"}, {"S": "taste"}]},
    "size": {"N": "-3"},
    "spam": {"BOOL": False},
    "summary": {"S": 'A "fine" thing.'},
    "points": {"L": [{"S": "cheap"}, {"S": "sweet"}]},
}
MARKS = {
    "classification_batch_id",
    "classified_as",
    "classified_at",
    "classified_by",
    "classified_from",
    "classified_with",
}


@pytest.mark.parametrize("subject", [{"S": "Refund"}, {"NULL": True}], ids=["PartiQL", "alone"])
def test_outputs_of_every_type_are_written_at_once(
    shop: Workshop, table: TicketTable, aws: Doubtful, subject: Attribute
) -> None:
    put(shop, asked := item(subject=subject, classification_attempts=1, status="new", size=4))

    applied = apply(shop, table, asked, text=json.dumps(reviewed()), asked=reviews())

    written = stored(shop)
    assert applied.tally.classified == 1
    assert {name: written[name] for name in OUTPUTS} == OUTPUTS
    assert written["classified_as"] == {"M": OUTPUTS}
    assert written.keys() == {"ticket_id", "subject", "body", *OUTPUTS, *MARKS}
    writes = [call for call in aws.calls if call not in ("DescribeTable", "BatchGetItem")]
    assert writes == ["BatchExecuteStatement" if "S" in subject else "UpdateItem"]


@pytest.mark.parametrize("subject", [{"S": "Refund"}, {"NULL": True}], ids=["PartiQL", "alone"])
def test_of_an_edited_ticket_no_output_is_written(
    shop: Workshop, table: TicketTable, subject: Attribute
) -> None:
    put(shop, item(subject=subject))
    [asked] = table.read(["T-1"], INPUTS).values()
    put(shop, edited := item(subject=subject, body="Another"))
    change = Change(asked, OUTPUTS, ("classification_status",))

    assert table.write([change]).changed == [change]
    assert stored(shop) == edited


@pytest.mark.parametrize("subject", [{"S": "Refund"}, {"NULL": True}], ids=["PartiQL", "alone"])
def test_what_a_person_must_decide_is_found_in_the_index_with_the_other_outputs(
    shop: Workshop, table: TicketTable, subject: Attribute
) -> None:
    before: dict[str, Any] = {"classified_from": "before", "classification_error": "x: y"}
    put(shop, asked := item(subject=subject, **before))

    text = json.dumps(reviewed(status="unsure"))
    applied = apply(shop, table, asked, text=text, asked=reviews())

    written, others = stored(shop), {n: v for n, v in OUTPUTS.items() if n != "status"}
    assert applied.tally.unsure == 1
    assert written["classification_status"] == {"S": "review"}
    assert written["classified_as"] == {"M": others}
    assert written.keys() == {
        *("ticket_id", "subject", "body", "classification_status"),
        *(*others, *MARKS - {"classified_from"}),
    }
    assert list(table.pending_ids("")) == []


def test_a_ticket_without_room_for_its_outputs_is_given_up_with_the_reason(
    shop: Workshop, table: TicketTable
) -> None:
    put(shop, full := item(body="x" * (409_600 - 350)))

    applied = apply(shop, table, full, text=json.dumps(reviewed()), asked=reviews())

    assert applied.tally.failures == {"no_room": 1}
    assert stored(shop)["classification_status"] == {"S": "failed"}
    assert stored(shop)["classification_error"]["S"].startswith("no_room: the ticket has no room")
    assert not set(OUTPUTS) & set(stored(shop))


def make_tickets_table(shop: Workshop, *key: tuple[str, str, str]) -> None:
    """The ticket table, with another key: the name, the type and the kind of each part of it."""
    definition = tables("tickets", "runs")["tickets"]
    types = {name: kind for name, kind, _ in key} | {"classification_status": "S"}
    shop.plain_client.delete_table(TableName="tickets")
    shop.plain_client.create_table(
        TableName="tickets",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, _, kind in key],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, kind in types.items()
        ],
        GlobalSecondaryIndexes=[
            {
                **definition["GlobalSecondaryIndexes"][0],
                "KeySchema": [
                    {"AttributeName": "classification_status", "KeyType": "HASH"},
                    {"AttributeName": key[0][0], "KeyType": "RANGE"},
                ],
            }
        ],
    )


def test_a_table_with_a_key_of_another_name_is_read_and_written_by_it(
    shop: Workshop, table: TicketTable, aws: Doubtful
) -> None:
    make_tickets_table(shop, ("product_id", "S", "HASH"))
    odd: dict[str, Attribute] = {"T-1": {"S": "Refund"}, "T-2": {"NULL": True}, "T-3": {"S": "x"}}
    sent = [item(ticket_id=ticket_id, subject=subject) for ticket_id, subject in odd.items()]
    for each in sent:
        named = {name: value for name, value in each.items() if name != "ticket_id"}
        put(shop, {**named, "product_id": each["ticket_id"]})

    assert table.key == "product_id"
    assert list(table.pending_ids("T-1")) == ["T-2", "T-3"]
    assert (table.any_pending("T-2", "T-3"), table.count_pending()) == (True, 3)
    applied = apply(shop, table, *sent, text=json.dumps(reviewed()), asked=reviews())

    assert applied.tally.classified == 3
    assert table.count_pending() == 0
    found = shop.plain_client.scan(TableName="tickets")["Items"]
    assert {each["product_id"]["S"] for each in found} == set(odd)
    assert all(each.items() >= OUTPUTS.items() and "ticket_id" not in each for each in found)
    assert aws.calls.count("DescribeTable") == 1


@pytest.mark.parametrize(
    "key",
    [
        [("product_id", "N", "HASH")],
        [("product_id", "B", "HASH")],
        [("product_id", "S", "HASH"), ("colour", "S", "RANGE")],
    ],
    ids=["a number", "binary", "a sort key"],
)
def test_a_table_with_another_kind_of_key_is_refused_before_anything_is_read(
    shop: Workshop, table: TicketTable, aws: Doubtful, key: list[tuple[str, str, str]]
) -> None:
    make_tickets_table(shop, *key)

    with pytest.raises(SettingsInvalid, match="a string, without a sort key"):
        table.read(["T-1"], INPUTS)

    assert aws.calls == ["DescribeTable"]


@pytest.mark.parametrize("letter", ["Ж", "\U0001f3ab", "x", "\x01"])
def test_no_call_sends_more_than_4_mb(
    shop: Workshop, table: TicketTable, aws: Doubtful, letter: str
) -> None:
    ids = [f"T-{n}" for n in range(30)]
    body = letter * (398_000 // len(letter.encode()))
    put(shop, *(item(ticket_id=ticket_id, body=body) for ticket_id in ids))

    refused = table.write(categorize(table, *ids))

    sizes = [size for operation, size in aws.sent if operation == "BatchExecuteStatement"]
    assert refused.changed == []
    assert max(sizes) <= 4_000_000
    # No fewer together than fit: two calls in a row would have been too much for one.
    assert min(one + other for one, other in pairwise(sizes)) > 4_000_000
    assert all(stored(shop, ticket_id)["category"] == {"S": "billing"} for ticket_id in ids)


def test_usual_tickets_stay_25_together(shop: Workshop, table: TicketTable, aws: Doubtful) -> None:
    ids = [f"T-{n}" for n in range(60)]
    put(shop, *(item(ticket_id=ticket_id, body="Где мой заказ? " * 600) for ticket_id in ids))

    table.write(categorize(table, *ids))

    assert aws.calls[2:] == ["BatchExecuteStatement"] * 3


def test_a_statement_that_is_refused_for_good_is_named(shop: Workshop, table: TicketTable) -> None:
    put(shop, item())
    changes = categorize(table)
    shop.plain_client.delete_table(TableName="tickets")

    with pytest.raises(TableRefused, match="ResourceNotFound"):
        table.write(changes)
