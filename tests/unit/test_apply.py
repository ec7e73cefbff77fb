"""Results into the table by the hundred: what is throttled, and what that costs."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, cast

import pytest

from nightshift.claude import results
from nightshift.claude.money import Price
from nightshift.errors import TableRefused
from nightshift.pace import Pace
from nightshift.runs.ledger import Ledger
from nightshift.task.task import Task
from nightshift.tickets.table import TicketTable
from nightshift.writing.apply import Applied, Applier
from nightshift.writing.decision import Rules
from tests.tasks import changed, reviewed, reviews, task
from tests.unit.examples import Described, Item, errored, item, name_of, raw, read, succeeded

IDS = [f"T-{number}" for number in range(60)]
LONG = {"over": 1_000, "input": Decimal(2), "output": Decimal(9)}
PRICE = Price(input=Decimal(1), output=Decimal(5), long=LONG)


class Table(Described):
    """A ticket table whose answer to each statement is scripted, ticket by ticket."""

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}
        self.edits: dict[str, Item] = {}
        self.items = {ticket_id: stored(ticket_id) for ticket_id in IDS}
        self.written: Counter[str] = Counter()
        self.parameters: dict[str, list[dict[str, str]]] = {}
        self.groups: list[int] = []

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        ids = [key["ticket_id"]["S"] for key in wanted["Keys"]]
        return {"Responses": {table: [self.items[ticket_id] for ticket_id in ids]}}

    def batch_execute_statement(self, Statements: list[Any]) -> Any:  # noqa: N803
        self.groups.append(len(Statements))
        return {"Responses": [self._answer(each["Parameters"]) for each in Statements]}

    def _answer(self, parameters: list[dict[str, str]]) -> dict[str, Any]:
        [ticket_id] = [value["S"] for value in parameters if value.get("S") in IDS]
        if ticket_id in self.edits:
            self.items[ticket_id] = self.edits.pop(ticket_id)
            return {"Error": {"Code": "ConditionalCheckFailed"}}
        if scripted := self.errors.get(ticket_id):
            return {"Error": {"Code": scripted.pop(0)}}
        self.written[ticket_id] += 1
        self.parameters[ticket_id] = parameters
        return {}


class Unpaced(Pace):
    """A pace that waits for nobody, and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[int] = []
        self.slowed: list[int] = []

    def take(self, writes: int) -> int:
        self.taken.append(writes)
        return len(self.taken)

    def slow_down(self, halvings: int) -> None:
        self.slowed.append(halvings)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def pace() -> Unpaced:
    return Unpaced()


def stored(ticket_id: str) -> Item:
    return item(ticket_id=ticket_id)


def apply(
    table: Table,
    pace: Pace,
    out_of_time: Callable[[], bool] = lambda: False,
    said: Sequence[dict[str, Any]] = (succeeded(),) * len(IDS),
    asked: Task | None = None,
) -> Applied:
    """Apply what is said of the tickets, by default an answer to each of them."""
    names = [name_of(read(stored(ticket_id)), n) for n, ticket_id in enumerate(IDS)]
    lines = [
        results.read(raw(str(name), result)) for name, result in zip(names, said, strict=False)
    ]
    tickets = TicketTable(cast(Any, table), "tickets", pace)
    asked = asked or task()
    rules = Rules(asked, "msgbatch_1", "sorting@0123abcd", 3, "2026-11-22T02:00:00+00:00")
    ledger = Ledger(cast(Any, table), "runs")
    applier = Applier(tickets, ledger, "2026-11-22", asked.inputs, rules, PRICE, out_of_time)
    return applier.apply([line for line in lines if line])


def test_results_are_written_in_groups_of_25(table: Table, pace: Unpaced) -> None:
    applied = apply(table, pace)

    assert table.groups == [25, 25, 10]
    assert (pace.taken, pace.slowed) == ([25, 25, 10], [])
    assert (applied.ordinals, applied.tally.classified, applied.unapplied) == (
        tuple(range(60)),
        60,
        0,
    )


def test_what_is_throttled_is_tried_again_until_it_is_written(table: Table, pace: Unpaced) -> None:
    table.errors = {"T-3": ["ThrottlingError"] * 20, "T-30": ["ProvisionedThroughputExceeded"]}

    applied = apply(table, pace)

    assert table.groups == [25, 25, 10, 2, *[1] * 19]
    assert pace.slowed == [1, 2, *range(4, 23)]
    assert table.written == Counter(IDS)
    assert sorted(applied.ordinals) == list(range(60))
    assert (applied.tally.classified, applied.tally.usage.output_tokens) == (60, 60 * 5)


def test_what_is_throttled_when_the_time_is_over_is_left(table: Table, pace: Unpaced) -> None:
    table.errors = {"T-3": ["ThrottlingError"] * 9, "T-30": ["ThrottlingError"] * 9}
    hours = iter([False, True])

    applied = apply(table, pace, lambda: next(hours))

    assert sum(table.groups) == 60 + 2
    assert applied.unapplied == 2
    assert set(applied.ordinals) == set(range(60)) - {3, 30}
    assert (applied.tally.classified, applied.tally.usage.output_tokens) == (58, 58 * 5)


def test_without_a_throttle_nobody_asks_for_the_time(table: Table, pace: Unpaced) -> None:
    table.errors = {"T-3": ["ConditionalCheckFailed"]}

    applied = apply(table, pace, lambda: pytest.fail("asked"))

    assert (applied.tally.classified, applied.unapplied) == (60, 0)


def test_a_ticket_that_was_edited_meanwhile_is_read_and_decided_again(
    table: Table, pace: Unpaced
) -> None:
    table.edits["T-3"] = item(ticket_id="T-3", body="Never mind, I found it.")
    table.edits["T-4"] = item(ticket_id="T-4", classification_attempts=1)

    applied = apply(table, pace)

    assert sorted(applied.ordinals) == list(range(60))
    assert (applied.tally.classified, applied.tally.superseded) == (59, 1)
    assert table.written == Counter(set(IDS) - {"T-3"})


def test_every_result_is_counted_as_what_it_is_and_as_what_became_of_it(
    table: Table, pace: Unpaced
) -> None:
    table.items["T-0"] = item(ticket_id="T-0", body="Never mind, I found it.")
    table.items["T-1"] = item(ticket_id="T-1", classification_attempts=2)
    long = {"input_tokens": 2_000, "output_tokens": 7}

    applied = apply(
        table,
        pace,
        said=[
            succeeded("billing"),  # of a ticket that was edited
            succeeded("?"),  # the last attempt
            *[succeeded("account", usage=long)] * 3,
            *[succeeded("?")] * 4,
            *[errored("invalid_request_error")] * 5,
            *[errored("overloaded_error")] * 6,
            *[errored("billing_error")] * 7,
            *[{"type": "canceled"}] * 8,
            *[{"type": "expired"}] * 9,
        ],
    )

    tally = applied.tally
    assert len(applied.ordinals) == tally.accounted == 44
    assert (tally.succeeded, tally.errored, tally.canceled, tally.expired) == (9, 18, 8, 9)
    assert (tally.classified, tally.superseded, tally.failed) == (3, 1, 6)
    assert (tally.requeued, tally.still_pending) == (34, 35)
    assert (tally.rejected, applied.rejection[:14]) == (7, "billing_error:")
    assert tally.categories == {"account": 3}
    assert tally.failures == {"unreadable_answer": 1, "invalid_request": 5}
    assert (tally.long_usage.input_tokens, tally.long_usage.output_tokens) == (6_000, 21)
    assert tally.usage.input_tokens == 6_000 + 6 * 16
    assert tally.usage.output_tokens == 21 + 6 * 5


def test_what_was_answered_is_counted_by_output_and_an_unsure_label_under_its_word(
    table: Table, pace: Unpaced
) -> None:
    said = [
        reviewed(),
        reviewed(status="bad", topics=["look"], size=5, spam=True, points=["a", "b", "c"]),
        reviewed(status="Unsure", topics=[], size=-5, summary="none"),
        reviewed(status="unsure", kind="cannot say"),
    ]
    lines = [succeeded(json.dumps(each)) for each in said]

    tally = apply(table, pace, said=[*lines, succeeded("?")], asked=reviews()).tally

    assert (tally.classified, tally.unsure, tally.requeued) == (2, 2, 1)
    assert (tally.accounted, tally.succeeded, tally.still_pending) == (5, 5, 1)
    assert tally.outputs == {
        "status": Counter(good=1, bad=1, unsure=2),
        "kind": {"long": 3, "cannot say": 1},
        "topics": Counter(price=2, taste=2, look=1),
        "size": Counter(numbers=4, sum=-6),
        "spam": Counter(yes=1, no=3),
        "summary": Counter(texts=4, characters=3 * 15 + 4),
        "points": Counter(texts=9, characters=3 * 10 + 3),
    }
    assert tally.categories == tally.outputs["status"]  # the first label
    assert tally.unusable == {"unreadable_answer": 1}


def test_without_an_answer_nothing_is_counted_of_any_output(table: Table, pace: Unpaced) -> None:
    tally = apply(table, pace, said=[succeeded("?")] * 3, asked=reviews()).tally

    assert (tally.requeued, tally.outputs, tally.categories) == (3, {}, {})


def test_a_task_without_a_label_has_no_categories(table: Table, pace: Unpaced) -> None:
    size = changed(output={"size": {"type": "integer", "minimum": 1, "maximum": 9}}, max_tokens=99)

    tally = apply(table, pace, said=[succeeded('{"size": 4}')] * 2, asked=size).tally

    assert (tally.categories, tally.outputs) == ({}, {"size": Counter(numbers=2, sum=8)})


def test_what_is_superseded_is_in_no_count_of_outputs(table: Table, pace: Unpaced) -> None:
    table.edits["T-0"] = item(ticket_id="T-0", body="Never mind, I found it.")
    said = [succeeded(json.dumps(reviewed(status="unsure")))] * 2

    tally = apply(table, pace, said=said, asked=reviews()).tally

    assert (tally.superseded, tally.unsure) == (1, 1)
    assert tally.outputs["status"] == {"unsure": 1}


KNOWN = {"expected_status": {"S": "good"}, "expected_size": {"N": "-3"}}
STATUS_WRONG = succeeded(json.dumps(reviewed(status="bad")))
RIGHT, UNSURE = (succeeded(json.dumps(reviewed(status=each))) for each in ("good", "unsure"))


def test_what_was_classified_is_compared_with_what_was_known_as_the_ticket_was_read(
    table: Table, pace: Unpaced
) -> None:
    for n in range(6):
        table.items[f"T-{n}"] = item(ticket_id=f"T-{n}", **KNOWN)
    table.items["T-4"] = item(ticket_id="T-4", body="Never mind, I found it.", **KNOWN)
    said = [RIGHT, STATUS_WRONG, UNSURE, succeeded("?"), RIGHT, {"type": "expired"}, RIGHT]

    tally = apply(table, pace, said=said, asked=reviews()).tally

    assert (tally.classified, tally.unsure, tally.superseded, tally.requeued) == (3, 1, 1, 2)
    assert (tally.gold.tickets, tally.gold.correct, tally.gold.unsure) == (2, 1, 1)
    status, size = tally.gold.outputs["status"], tally.gold.outputs["size"]
    assert (status.compared, status.correct, status.unsure) == (2, 1, 1)
    assert status.confused == {"good": {"bad": 1}}
    assert (size.compared, size.correct, size.unsure) == (2, 2, 0)


@pytest.mark.parametrize(("said", "counted"), [(RIGHT, (1, 1, 0)), (UNSURE, (0, 0, 1))])
def test_a_ticket_that_a_call_wrote_before_it_died_is_compared_by_the_next(
    table: Table, pace: Unpaced, said: Any, counted: Any
) -> None:
    table.items["T-0"] = item(ticket_id="T-0", classification_batch_id="msgbatch_1", **KNOWN)

    gold = apply(table, pace, said=[said], asked=reviews()).tally.gold

    assert table.written.total() == 0
    assert (gold.tickets, gold.correct, gold.unsure) == counted


def test_a_ticket_that_was_edited_meanwhile_is_compared_with_what_is_known_then(
    table: Table, pace: Unpaced
) -> None:
    edited = {"expected_status": {"S": "bad"}, "classification_attempts": 1}
    table.items["T-0"] = item(ticket_id="T-0", **KNOWN)
    table.edits["T-0"] = item(ticket_id="T-0", **edited)

    gold = apply(table, pace, said=[RIGHT], asked=reviews()).tally.gold

    assert (gold.tickets, gold.correct) == (1, 0)
    assert gold.outputs["status"].confused == {"bad": {"good": 1}}
    assert "size" not in gold.outputs


def test_a_ticket_without_room_for_its_answer_is_not_compared(table: Table, pace: Unpaced) -> None:
    table.items["T-0"] = item(ticket_id="T-0", **KNOWN)
    table.errors["T-0"] = ["ValidationError"]

    tally = apply(table, pace, said=[RIGHT], asked=reviews()).tally

    assert (tally.failed, bool(tally.gold)) == (1, False)


def test_where_nothing_was_known_nothing_is_compared(table: Table, pace: Unpaced) -> None:
    assert not apply(table, pace).tally.gold


NO_ROOM = "no_room: the ticket has no room for its answer: DynamoDB takes 400 KB an item."


@pytest.mark.parametrize("too_large", [1, 2])
def test_a_ticket_without_room_is_failed_with_the_reason_and_then_without(
    table: Table, pace: Unpaced, too_large: int
) -> None:
    table.errors["T-1"] = ["ValidationError"] * too_large

    said = [succeeded(json.dumps(reviewed()))] * 3
    tally = apply(table, pace, said=said, asked=reviews()).tally

    assert (tally.classified, tally.failed, tally.still_pending) == (2, 1, 0)
    assert tally.failures == {"no_room": 1}
    assert tally.outputs["status"] == {"good": 2}
    told = {"S": NO_ROOM} in table.parameters["T-1"]
    assert {"S": "failed"} in table.parameters["T-1"]
    assert told == (too_large == 1)


def test_a_ticket_that_takes_no_change_at_all_stops_it(table: Table, pace: Unpaced) -> None:
    table.errors["T-1"] = ["ValidationError"] * 3

    with pytest.raises(TableRefused, match="takes no change to 1 tickets"):
        apply(table, pace)


def test_a_ticket_that_keeps_changing_is_somebody_elses(table: Table, pace: Unpaced) -> None:
    table.errors = {"T-3": ["ConditionalCheckFailed"] * 10}

    with pytest.raises(TableRefused, match="1 tickets keep changing"):
        apply(table, pace)


def test_any_other_refusal_stops_it_by_its_code(table: Table, pace: Unpaced) -> None:
    table.errors = {"T-3": ["AccessDenied"]}

    with pytest.raises(TableRefused, match="AccessDenied"):
        apply(table, pace)


def test_what_was_processed_in_the_us_costs_a_surcharge(table: Table, pace: Unpaced) -> None:
    in_the_us = succeeded()
    in_the_us["message"]["usage"]["inference_geo"] = "us"

    applied = apply(table, pace, said=[succeeded(), in_the_us, succeeded(), in_the_us])

    # 16 tokens in and 5 out cost $41 a million in real time, in a batch half, and a tenth of that.
    assert applied.tally.surcharge == 2 * Decimal("0.0000205") * Decimal("0.1")
