"""A chunk takes pending tickets in key order until one does not fit, and is JSON that says so."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.claude import custom_id
from nightshift.claude.prices import published
from nightshift.sending.chunk import MAX_BYTES, Builder, Chunk, Room, Spool
from nightshift.task.request import template_for
from nightshift.task.task import Task
from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute
from nightshift.tickets.ticket import Ticket
from tests.tasks import changed, shown, task
from tests.unit.examples import ticket
from tests.versions import todays

MODEL = "claude-haiku-4-5"
TODAY = todays(MODEL)
type Walk = list[tuple[str, Ticket | None]]


@dataclass
class Building:
    """Builds chunks with the tests' task or another, and keeps the tickets that need no request."""

    asked: Task = field(default_factory=task)
    unasked: list[Ticket] = field(default_factory=list)

    def build(self, tickets: Iterable[tuple[str, Ticket | None]], **room: Any) -> Chunk:
        limits = {"requests": 100, "usd": Decimal(10), "out_of_time": lambda: False, **room}
        template = template_for(self.asked, MODEL)
        bound = template.bound(published().of(MODEL))
        builder = Builder(self.asked, template, bound, TODAY, self.unasked.append)
        return builder.build(tickets, Room(**limits))


def build(tickets: Iterable[tuple[str, Ticket | None]], **room: Any) -> Chunk:
    return Building().build(tickets, **room)


def walk(*ids: str) -> Walk:
    """Pending tickets as the table gives them."""
    return [(each, ticket(ticket_id=each)) for each in ids]


def requests_of(chunk: Chunk) -> list[dict[str, Any]]:
    document = json.loads(b"".join(chunk.body))
    assert document.keys() == {"requests"}
    return document["requests"]


def ids_in(chunk: Chunk) -> list[str | None]:
    parsed = [custom_id.parse(request["custom_id"]) for request in requests_of(chunk)]
    return [each.ticket_id for each in parsed if each]


def one_at_a_time(count: int) -> Callable[[], bool]:
    """Time for so many tickets."""
    left = iter([False] * count)
    return lambda: next(left, True)


def test_a_chunk_is_the_requests_of_its_tickets_in_key_order() -> None:
    chunk = build(walk("a", "b", "c"))

    names = [custom_id.parse(request["custom_id"]) for request in requests_of(chunk)]
    message = task().message_for(shown("Refund", "Where is my money?"))
    assert [(n.token, n.ordinal, n.ticket_id) for n in names if n] == [
        (chunk.token, 0, "a"),
        (chunk.token, 1, "b"),
        (chunk.token, 2, "c"),
    ]
    texts = [{"S": "Refund"}, {"S": "Where is my money?"}]
    assert {n.digest for n in names if n} == {attribute.digest(texts)}
    assert {r["params"]["messages"][0]["content"] for r in requests_of(chunk)} == {message}
    assert (chunk.requests, chunk.first, chunk.last, chunk.full) == (3, "a", "c", "")


def test_no_two_chunks_share_a_token() -> None:
    assert build(walk("a")).token != build(walk("a")).token


def test_an_empty_walk_is_an_empty_chunk() -> None:
    chunk = build([])

    assert (chunk.requests, chunk.first, chunk.last, chunk.full) == (0, "", "", "")
    assert (chunk.bound, requests_of(chunk)) == (0, [])


def test_a_chunk_ends_with_the_ticket_that_fills_it() -> None:
    chunk = build(walk("a", "b", "c"), requests=2)

    assert ids_in(chunk) == ["a", "b"]
    assert (chunk.first, chunk.last, chunk.full) == ("a", "b", "requests")


def test_a_chunk_that_takes_the_last_ticket_has_reached_the_end() -> None:
    chunk = build(walk("a", "b"), requests=2)

    assert (chunk.requests, chunk.full) == (2, "")


def test_a_chunk_stays_within_its_bytes_to_the_last_one() -> None:
    whole = build(walk("a", "b", "c"))

    exact = build(walk("a", "b", "c"), bytes=whole.body.size)
    short = build(walk("a", "b", "c"), bytes=whole.body.size - 1)

    assert (exact.requests, exact.full) == (3, "")
    assert (short.requests, short.last, short.full) == (2, "b", "bytes")
    assert short.body.size < whole.body.size


def test_a_chunk_is_never_larger_than_the_api_takes() -> None:
    assert Room(1, Decimal(1), lambda: False).bytes == MAX_BYTES <= 256_000_000


def test_a_chunk_stays_within_its_budget_to_the_last_cent() -> None:
    whole = build(walk("a", "b", "c"))

    exact = build(walk("a", "b", "c"), usd=whole.bound)
    short = build(walk("a", "b", "c"), usd=whole.bound - Decimal("1e-9"))

    assert (exact.requests, exact.full) == (3, "")
    assert (short.requests, short.last, short.full) == (2, "b", "budget")
    assert short.bound <= whole.bound - Decimal("1e-9")


@pytest.mark.parametrize("usd", [Decimal(0), Decimal(-5)])
def test_without_any_budget_there_is_no_request(usd: Decimal) -> None:
    chunk = build(walk("a"), usd=usd)

    assert (chunk.requests, chunk.last, chunk.full) == (0, "", "budget")


def test_a_chunk_ends_when_its_time_does() -> None:
    chunk = build(walk("a", "b", "c"), out_of_time=one_at_a_time(2))

    assert ids_in(chunk) == ["a", "b"]
    assert (chunk.last, chunk.full) == ("b", "time")


def test_the_bound_is_more_than_its_requests_can_cost() -> None:
    chunk = build(walk(*map(str, range(10, 60))))

    system = task().system_prompt
    messages = [request["params"]["messages"][0]["content"] for request in requests_of(chunk)]
    most_tokens = sum(len((system + message).encode()) for message in messages)
    in_and_out = most_tokens * Decimal("0.5") + 50 * task().max_tokens * Decimal("2.5")
    assert in_and_out / 1_000_000 <= chunk.bound <= 2 * in_and_out / 1_000_000


@pytest.mark.parametrize("status", [None, "failed", "in review"])
def test_what_no_longer_asks_is_passed_over_but_within_the_range(status: str | None) -> None:
    other = ticket(ticket_id="b", classification_status=status)
    chunk = build([*walk("a"), ("b", other), ("c", None)])

    assert ids_in(chunk) == ["a"]
    assert (chunk.first, chunk.last) == ("a", "c")


def test_the_range_begins_with_the_first_key_that_was_looked_at() -> None:
    chunk = build([("a", None), *walk("b")])

    assert (chunk.first, chunk.last, chunk.requests) == ("a", "b", 1)


def test_ordinals_count_requests_not_keys() -> None:
    chunk = build([("a", None), *walk("b"), ("c", None), *walk("d")])

    names = [custom_id.parse(request["custom_id"]) for request in requests_of(chunk)]
    assert [name.ordinal for name in names if name] == [0, 1]


def test_a_ticket_without_text_is_no_request() -> None:
    building = Building()
    empty = ticket(ticket_id="b", subject=None, body="<p><br></p>")

    chunk = building.build([*walk("a"), ("b", empty), *walk("c")])

    assert ids_in(chunk) == ["a", "c"]
    assert building.unasked == [empty]


def test_a_ticket_without_text_that_no_longer_asks_is_left_alone() -> None:
    building = Building()

    building.build([("b", ticket(subject="", body="", classification_status="failed"))])

    assert building.unasked == []


@pytest.mark.parametrize(
    ("subject", "body", "shown"),
    [
        ({"N": "42"}, {"NULL": True}, "Subject: 42\n\n\n"),
        ({"NULL": True}, {"SS": ["b", "a"]}, 'Subject: \n\n["a","b"]\n'),
        ({"BOOL": True}, {"M": {"n": {"N": "1"}}}, 'Subject: true\n\n{"n":1}\n'),
        ({"B": b"\xff"}, None, "Subject: /w==\n\n\n"),
    ],
)
def test_an_input_of_any_type_is_asked_about(
    subject: Attribute, body: Attribute | None, shown: str
) -> None:
    odd = ticket(ticket_id="b", subject=subject, body=body)

    chunk = build([*walk("a"), ("b", odd), *walk("c")])

    assert ids_in(chunk) == ["a", "b", "c"]
    assert shown in requests_of(chunk)[1]["params"]["messages"][0]["content"]


VISA, IBAN = "4111 1111 1111 1111", "DE89370400440532013000"
REDACTING = changed(redact=["email", "card", "iban"])


def test_private_data_of_any_type_is_redacted_and_counted() -> None:
    written = {"L": [{"S": f"x\n{IBAN}"}, {"M": {"n": {"N": VISA.replace(" ", "")}}}]}
    tickets = [
        ticket(ticket_id="a", subject="<a href='mailto:a@b.co'>a@<b>b.co</b></a>", body=written),
        ticket(ticket_id="b", subject={"N": VISA.replace(" ", "")}, body=f"{VISA}, hello"),
    ]

    chunk = Building(REDACTING).build([(each.ticket_id, each) for each in tickets])

    sent = [request["params"]["messages"][0]["content"] for request in requests_of(chunk)]
    assert sent == [
        '<ticket>\nSubject: [email]\n\n["x\\n[iban]",{"n":[card]}]\n</ticket>',
        "<ticket>\nSubject: [card]\n\n[card], hello\n</ticket>",
    ]
    assert chunk.redacted == {"email": 1, "iban": 1, "card": 3}


def test_the_ticket_that_does_not_fit_is_not_counted_and_nothing_is_without_redact() -> None:
    tickets = [(each, ticket(ticket_id=each, body="Write to a@b.co")) for each in ("a", "b")]
    room = {"bytes": Building(REDACTING).build(tickets[:1]).body.size + 1}

    assert Building(REDACTING).build(tickets).redacted == {"email": 2}
    assert Building(REDACTING).build(tickets, **room).redacted == {"email": 1}
    assert build(tickets).redacted == {}


def test_the_digest_is_that_of_the_text_in_the_table_whatever_is_redacted() -> None:
    private = ticket(ticket_id="a", body="Write to a@b.co")

    chunk = Building(REDACTING).build([("a", private)])

    name = custom_id.parse(requests_of(chunk)[0]["custom_id"])
    assert name and name.digest == attribute.digest([{"S": "Refund"}, {"S": "Write to a@b.co"}])


def test_the_bound_is_that_of_the_message_that_is_sent() -> None:
    short = [("a", ticket(ticket_id="a", subject="a@b.co", body=None))]  # the word is longer

    chunk = Building(REDACTING).build(short)

    [request] = requests_of(chunk)
    template = template_for(REDACTING, MODEL)
    most = template.most_input_tokens(request["params"]["messages"][0]["content"])
    assert chunk.bound == template.bound(published().of(MODEL)).of(most)


def test_a_ticket_whose_inputs_are_null_is_without_text() -> None:
    building = Building()
    null = ticket(subject={"NULL": True}, body={"NULL": True})

    assert building.build([("T-1", null)]).requests == 0
    assert building.unasked == [null]


def test_an_id_too_long_to_travel_is_kept_beside_the_chunk() -> None:
    long = "/" * 1_024
    chunk = build(walk("a", long))

    [_, name] = [custom_id.parse(request["custom_id"]) for request in requests_of(chunk)]
    assert name is not None
    assert chunk.long_ids == {name.name: long}


def test_nothing_is_read_beyond_the_ticket_that_did_not_fit() -> None:
    read: list[str] = []

    def tickets() -> Iterator[tuple[str, Ticket]]:
        for each in "abcdef":
            read.append(each)
            yield each, ticket(ticket_id=each)

    build(tickets(), requests=2)

    assert read == ["a", "b", "c"]


LINES = st.lists(st.dictionaries(st.text(), st.text() | st.integers(), max_size=2), max_size=20)


@given(LINES)
def test_a_spool_is_what_was_added_every_time_it_is_read(lines: list[dict[str, Any]]) -> None:
    spool = Spool()
    for line in lines:
        spool.add(json.dumps(line).encode())
    spool.finish()

    first, second = b"".join(spool), b"".join(spool)
    spool.close()

    assert json.loads(first) == {"requests": lines}
    assert second == first
    assert spool.size == len(first)


def test_a_spool_that_was_read_in_part_is_read_again_from_its_start() -> None:
    spool = Spool()
    spool.add(b'"' + b"x" * 3_000_000 + b'"')
    spool.finish()

    next(iter(spool))

    assert len(b"".join(spool)) == spool.size
    spool.close()


def test_a_spool_is_read_in_blocks_not_at_once() -> None:
    spool = Spool()
    spool.add(b'"' + b"x" * 5_000_000 + b'"')
    spool.finish()

    assert max(map(len, spool)) <= 1 << 20
    spool.close()
