"""Reading tickets by the hundred: what DynamoDB leaves unread is asked for again."""

import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from nightshift.tickets import table as tickets
from nightshift.tickets.table import TicketTable
from tests.unit.examples import Described

INPUTS = ("subject", "body")


class Reader(Described):
    """BatchGetItem that answers so many keys of each call, and returns the others unprocessed."""

    def __init__(self, *answered: int) -> None:
        self.answered = list(answered)
        self.asked: list[int] = []

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        keys, now = wanted["Keys"], self.answered.pop(0)
        self.asked.append(len(keys))
        rest = {table: {**wanted, "Keys": keys[now:]}} if keys[now:] else {}
        return {"Responses": {table: keys[:now]}, "UnprocessedKeys": rest}


class Together(Described):
    """BatchGetItem whose first answers come only when so many have been asked for at once."""

    def __init__(self, calls: int) -> None:
        self.barrier = threading.Barrier(calls)
        self.calls: list[int] = []

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        self.calls.append(len(wanted["Keys"]))
        if self._is_first(wanted["Keys"][0]):
            self.barrier.wait(60)
        return {"Responses": {table: wanted["Keys"]}}

    def _is_first(self, key: Any) -> bool:
        return int(key["ticket_id"]["S"][2:]) < 100 * self.barrier.parties


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(tickets, "pause", found.append)
    return found


def read(reader: Reader) -> set[str]:
    return set(TicketTable(cast(Any, reader), "tickets").read(["a", "b", "c"], INPUTS))


def test_what_exceeds_16_mb_is_asked_for_at_once(pauses: list[int]) -> None:
    reader = Reader(1, 1, 1)

    assert read(reader) == {"a", "b", "c"}
    assert reader.asked == [3, 2, 1]
    assert pauses == []


def test_what_is_throttled_is_asked_for_after_ever_longer_pauses(pauses: list[int]) -> None:
    reader = Reader(0, 0, 2, 0, 1)

    assert read(reader) == {"a", "b", "c"}
    assert reader.asked == [3, 3, 3, 1, 1]
    assert pauses == [1, 2, 1]


class Lagging(Described):
    """BatchGetItem over two copies of a table: the one that lags answers who does not insist."""

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        now, *later = wanted["Keys"]
        body = "as it is" if wanted.get("ConsistentRead") else "as it was"
        rest = {table: {**wanted, "Keys": later}} if later else {}
        return {"Responses": {table: [{**now, "body": {"S": body}}]}, "UnprocessedKeys": rest}


def test_tickets_are_read_as_they_are_now() -> None:
    found = TicketTable(cast(Any, Lagging()), "tickets").read(["a", "b"], INPUTS)

    texts = [[text for text, _ in ticket.shown] for ticket in found.values()]
    assert texts == [["", "as it is"]] * 2


def test_only_what_decides_is_read_whatever_its_name_is() -> None:
    asked: list[Any] = []

    class Asked(Described):
        def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
            asked.append(RequestItems["tickets"])
            return {"Responses": {}}

    TicketTable(cast(Any, Asked()), "tickets").read(["a"], ["name", "size.in-cm"])

    [wanted] = asked
    names = wanted["ExpressionAttributeNames"]
    assert set(wanted["ProjectionExpression"].split(", ")) == set(names)
    assert set(names.values()) == {
        "ticket_id",
        "classification_status",
        "classification_batch_id",
        "classification_attempts",
        "classification_error",
        "name",
        "size.in-cm",
    }


def test_what_is_known_beforehand_is_read_with_a_ticket_and_no_write_depends_on_it() -> None:
    asked: list[Any] = []

    class Knowing(Described):
        def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
            asked.extend(RequestItems["tickets"]["ExpressionAttributeNames"].values())
            known = {"expected_mood": {"S": "good"}, "expected_spam": {"NULL": True}}
            return {"Responses": {"tickets": [{"ticket_id": {"S": "a"}, **known}]}}

    table = TicketTable(cast(Any, Knowing()), "tickets")
    ticket = table.read(["a"], ["body"], outputs=["mood", "spam", "size"])["a"]

    assert {"expected_mood", "expected_spam", "expected_size"} < set(asked)
    assert ticket.known == {"mood": "good"}
    assert not [name for name in ticket.as_read if name.startswith("expected_")]


@pytest.mark.parametrize(("stored", "attempts"), [({"N": "2"}, 2), ({"N": "1.5"}, 1), (None, 0)])
def test_attempts_that_somebody_else_wrote_stop_nobody(stored: Any, attempts: int) -> None:
    class Odd(Described):
        def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
            more = {} if stored is None else {"classification_attempts": stored}
            return {"Responses": {"tickets": [{"ticket_id": {"S": "a"}, **more}]}}

    found = TicketTable(cast(Any, Odd()), "tickets").read(["a"], INPUTS)

    assert found["a"].attempts == attempts


def test_reads_overlap_and_only_a_few_are_ahead_of_their_consumer() -> None:
    dynamodb, taken = Together(3), []

    def ids() -> Iterator[str]:
        for number in range(10_000):
            taken.append(number)
            yield f"T-{number:05}"

    walk = TicketTable(cast(Any, dynamodb), "tickets").walk(ids(), INPUTS)
    found = [next(walk) for _ in range(1_000)]

    assert [ticket_id for ticket_id, _ in found] == [f"T-{number:05}" for number in range(1_000)]
    assert all(ticket and ticket.ticket_id == ticket_id for ticket_id, ticket in found)
    assert dynamodb.calls == [100] * len(dynamodb.calls)
    assert len(dynamodb.calls) <= 10 + 3
    assert len(taken) <= 1_000 + 3 * 100
    walk.close()  # type: ignore[attr-defined]
