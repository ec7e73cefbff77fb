"""Submit: what becomes a batch, what never does, and what each call decides next."""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from nightshift import submit as submit_module
from nightshift.claude import custom_id
from nightshift.claude.client import Claude
from nightshift.errors import ApiKeyMissing, InvalidInput, LedgerMismatch, PriceUnknown
from nightshift.events import SubmitCall
from nightshift.runs import ledger
from nightshift.runs.ledger import Ledger, Stale
from nightshift.runs.records import Round, Tally
from nightshift.sending.send import TIME_TO_SEND
from nightshift.submit import submit
from nightshift.task.request import version_of
from nightshift.tickets.table import TicketTable
from nightshift.tickets.ticket import Ticket
from tests.moto.scene import DAY, STARTED_AT, Item, Scene, Step
from tests.moto.test_ledger_transactions import Canceling
from tests.tasks import shown, task

EMPTY = "empty_ticket: "
LARGEST_ITEM = 404_950  # bytes, names and values: what moto takes, a little below the 400 KB of AWS
ODD_IDS = (
    "T" + "長" * 341,  # 1,024 bytes: all that an index's sort key can hold
    "x" * 1024,
    "🎫/¿ticket?",
    "a/b c#d",
    "Case",
    "case",
    "-",
    "é" * 30,
)


class ValidationError(Exception):
    """Why AWS cancels a transaction that would make an item too large; moto refuses the call."""


class LaggingIndex(TicketTable):
    """A table whose index still names tickets that are no longer pending, or gone."""

    stale: tuple[str, ...] = ()

    def pending_ids(self, after: str) -> Iterator[str]:
        yield from sorted({*super().pending_ids(after), *(i for i in self.stale if i > after)})


class BusyTable(TicketTable):
    """A table in which the helpdesk writes a text just after a ticket was read."""

    edited: str = ""

    def walk(
        self, ids: Iterable[str], inputs: Sequence[str], marks: Sequence[str] = ()
    ) -> Iterator[tuple[str, Ticket | None]]:
        for ticket_id, ticket in super().walk(ids, inputs, marks):
            if ticket_id == self.edited:
                self.dynamodb.update_item(
                    TableName=self.name,
                    Key={"ticket_id": {"S": ticket_id}},
                    UpdateExpression="SET body = :b",
                    ExpressionAttributeValues={":b": {"S": "My refund?"}},
                )
            yield ticket_id, ticket


class WatchedClaude(Claude):
    """A provider whose caller's records are looked at when a batch arrives, before it answers."""

    look: Callable[[], list[Item]]
    seen: list[Item]

    def create(self, *arguments: Any) -> Any:
        self.seen = self.look()
        return super().create(*arguments)


def test_pending_tickets_become_batches_in_key_order_with_disjoint_ranges(scene: Scene) -> None:
    ids = [f"T-{n:02}" for n in range(8)]
    scene.configure(MAX_REQUESTS_PER_BATCH=3)
    scene.put(*random.Random(1).sample(ids, len(ids)))

    step = scene.send_all(scene.start())

    batches = scene.records("batch#")
    assert step["next"] == "wait"
    assert [b["record"] for b in batches] == ["batch#0001", "batch#0002", "batch#0003"]
    assert [(b["first"], b["last"]) for b in batches] == [
        ("T-00", "T-02"), ("T-03", "T-05"), ("T-06", "T-07"),
    ]  # fmt: skip
    assert [scene.sent(b["batch_id"]) for b in batches] == [ids[:3], ids[3:6], ids[6:]]
    assert [b["requests"] for b in batches] == [3, 3, 2]
    assert {b["batch_id"] for b in batches} == {b["id"] for b in scene.claude.control.batches()}
    assert {b["state"] for b in batches} == {"open"}


def test_no_other_attribute_of_a_ticket_leaves(scene: Scene) -> None:
    scene.put("A", requester="Alice Miller", phone="+49 30 1234", notes="a hidden note")

    scene.send_all(scene.start())

    sent = json.dumps([row["params"] for row in scene.claude.control.rows(params=True)])
    assert "Invoice of A" in sent
    assert not [each for each in ("Alice", "1234", "hidden", "requester") if each in sent]


def test_one_call_makes_at_most_one_batch(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    scene.put("A", "B", "C")
    night = scene.start()

    steps = [scene.submit(night) for _ in range(2)]

    assert len(scene.posts()) == 2
    assert [step["next"] for step in steps] == ["submit", "submit"]


def test_the_intent_is_in_the_table_before_the_post(scene: Scene) -> None:
    scene.put("A", "B")
    claude = WatchedClaude(scene.claude.url, lambda fresh: scene.claude.api_key)
    claude.look = lambda: scene.records("batch#")
    call = _call(scene)

    submit(call, replace(scene.stack, claude=claude), lambda: 900)

    [intent] = claude.seen
    [row, _] = scene.claude.control.rows()
    assert intent["state"] == "creating"
    assert "batch_id" not in intent
    assert row["custom_id"].startswith(intent["token"])
    assert (intent["execution"], intent["requests"]) == (call.execution, 2)
    assert intent["bound"] > 0
    assert scene.records("batch#")[0]["state"] == "open"


def test_only_tickets_that_are_pending_in_the_table_itself_are_sent(scene: Scene) -> None:
    scene.put("B", "D")
    scene.tickets.put_item(Item={"ticket_id": "A", "subject": "done", "category": "other"})
    failed = {"ticket_id": "C", "subject": "bad", "classification_status": "failed"}
    scene.tickets.put_item(Item=failed)
    table = LaggingIndex(scene.stack.tickets.dynamodb, "TicketTable")
    object.__setattr__(table, "stale", ("A", "C", "gone"))

    submit(_call(scene), replace(scene.stack, tickets=table), lambda: 900)

    assert scene.sent() == ["B", "D"]
    assert scene.ticket("A") == {"ticket_id": "A", "subject": "done", "category": "other"}
    assert scene.ticket("C") == failed
    assert "Item" not in scene.tickets.get_item(Key={"ticket_id": "gone"})


def test_a_ticket_without_text_is_given_up_and_never_sent(scene: Scene) -> None:
    scene.put("A", subject=" \t\n", body="<p>&nbsp;</p>")
    scene.put("B", subject="<script>alert(1)</script>")
    scene.put("D", subject="\u200b\ufeff")
    scene.put("E")
    scene.tickets.put_item(Item={"ticket_id": "C", "classification_status": "pending"})
    night = scene.start()

    scene.send_all(night)
    scene.answer(night)
    report = scene.send_all(night)["report"]

    assert scene.sent() == ["E"]
    for ticket_id in "ABCD":
        ticket = scene.ticket(ticket_id)
        assert ticket["classification_status"] == "failed"
        assert ticket["classification_error"].startswith(EMPTY)
    assert [item["tickets"] for item in scene.records("empty#")] == [4]
    counts = {name: report[name] for name in ("submitted", "classified", "failed", "empty")}
    assert counts == {"submitted": 1, "classified": 1, "failed": 4, "empty": 4}
    assert report["status"] == "complete"


def test_many_tickets_without_text_are_counted_as_they_are_written(scene: Scene) -> None:
    scene.put(*(f"T-{n:03}" for n in range(250)), subject="<br>")

    step = scene.send_all(scene.start())

    counts = [item["tickets"] for item in scene.records("empty#")]
    assert sum(counts) == 250
    assert max(counts) + 2 <= 100  # with the lock and the count: what a transaction takes
    statuses = {item["classification_status"] for item in scene.tickets.scan()["Items"]}
    assert statuses == {"failed"}
    assert (step["report"]["empty"], step["report"]["status"]) == (250, "complete")
    assert scene.posts() == []


def test_an_empty_ticket_that_gets_a_text_meanwhile_is_not_given_up(scene: Scene) -> None:
    scene.put("A", "B", "C", subject=" ")
    table = BusyTable(scene.stack.tickets.dynamodb, "TicketTable")
    object.__setattr__(table, "edited", "B")

    submit(_call(scene), replace(scene.stack, tickets=table), lambda: 900)

    statuses = [scene.ticket(i)["classification_status"] for i in "ABC"]
    assert statuses == ["failed", "pending", "failed"]
    assert scene.ticket("B")["body"] == "My refund?"
    assert sum(item["tickets"] for item in scene.records("empty#")) == 2


def test_a_ticket_without_text_as_large_as_an_item_may_be_does_not_stop_the_night(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.dynamodb.models.ItemSizeToUpdateTooLarge", ValidationError)
    frame = len("ticket_id" + "A" + "classification_status" + "pending" + "subject" + "body")
    scene.put("A", subject="", body="<" + "x" * (LARGEST_ITEM - frame - 2) + ">")
    scene.put("B")

    scene.send_all(scene.start())

    assert scene.sent() == ["B"]
    assert scene.ticket("A")["classification_status"] == "failed"


@pytest.mark.parametrize("reason", ["ThrottlingError", "TransactionConflict"])
def test_a_ticket_without_text_is_given_up_with_its_reason_though_the_table_is_busy(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(ledger, "pause", lambda in_vain: None)
    scene.put("A", subject=" ")
    call = _call(scene)
    stack = scene.stack
    stack.ledger.begin_round(DAY, Round(1, _holding(scene, call), scanned=False))
    busy: Any = Canceling(stack.ledger.dynamodb, [reason], [reason])

    submit(call, replace(stack, ledger=replace(stack.ledger, dynamodb=busy)), lambda: 900)

    ticket = scene.ticket("A")
    assert ticket["classification_error"].startswith(EMPTY)
    assert ticket["classification_status"] == "failed"
    assert [item["tickets"] for item in scene.records("empty#")] == [1]


def test_beside_a_full_ticket_without_text_all_others_get_their_reason(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.dynamodb.models.ItemSizeToUpdateTooLarge", ValidationError)
    frame = len("ticket_id" + "B" + "classification_status" + "pending" + "subject" + "body")
    scene.put("A", "C", subject=" ")
    scene.put("B", subject="", body="<" + "x" * (LARGEST_ITEM - frame - 2) + ">")

    scene.send_all(scene.start())

    errors = [scene.ticket(i).get("classification_error", "") for i in "ABC"]
    assert [error.startswith(EMPTY) for error in errors] == [True, False, True]
    assert {scene.ticket(i)["classification_status"] for i in "ABC"} == {"failed"}
    assert sum(item["tickets"] for item in scene.records("empty#")) == 3


@pytest.mark.parametrize("blank", ["\u200b", "\u00a0", "\x01", "<x>", "\U000e0001"])
def test_tickets_without_text_go_out_in_transactions_of_less_than_4_mb(
    scene: Scene, blank: str
) -> None:
    size = 390_000 // len(blank.encode())
    scene.put(*(f"T-{n:02}" for n in range(12)), subject="", body=blank * size)
    sizes: list[int] = []
    scene.stack.ledger.dynamodb.meta.events.register(
        "before-send.dynamodb.TransactWriteItems",
        lambda request, **_: sizes.append(len(request.body)),
    )

    scene.send_all(scene.start())

    assert max(sizes) <= 4_000_000
    assert len(sizes) < 15  # groups, not one by one
    assert sum(item["tickets"] for item in scene.records("empty#")) == 12


def test_a_ticket_whose_inputs_are_null_is_given_up_as_empty(scene: Scene) -> None:
    null = {"ticket_id": "A", "classification_status": "pending", "subject": None, "body": None}
    scene.tickets.put_item(Item=null)

    scene.send_all(scene.start())

    assert scene.ticket("A")["classification_error"].startswith(EMPTY)


def test_a_batch_keeps_which_version_asked_and_what_it_read(scene: Scene) -> None:
    scene.put("A")

    scene.send_all(scene.start())

    [item] = scene.records("batch#")
    [batch] = scene.stack.ledger.run(DAY).batches
    [row] = scene.claude.control.rows()
    ticket = scene.stack.tickets.read(["A"], batch.inputs)["A"]
    name = custom_id.parse(row["custom_id"])
    assert item["version"] == version_of(task(), "claude-haiku-4-5")
    assert (item["model"], item["inputs"]) == ("claude-haiku-4-5", ["subject", "body"])
    assert (batch.version, batch.inputs) == (item["version"], ("subject", "body"))
    assert name and name.digest == ticket.digest


def test_without_time_for_a_create_nothing_is_sent_and_the_next_call_goes_on(scene: Scene) -> None:
    scene.put("A", "B")
    night = scene.start()

    hurried = scene.submit(night, seconds=TIME_TO_SEND - 1)
    sent_in_haste = scene.posts()
    scene.submit(night, seconds=TIME_TO_SEND + 1)

    assert (hurried["next"], sent_in_haste) == ("submit", [])
    assert scene.sent() == ["A", "B"]


def test_limit_bounds_what_one_execution_sends(scene: Scene) -> None:
    scene.put("A", "B", "C", "D", "E")
    first = scene.start("first")

    scene.send_all(first, limit=2)
    scene.answer(first)
    report = scene.send_all(first, limit=2)["report"]
    scene.stop(first)
    second = scene.start("second")
    scene.send_all(second, limit=2)

    assert (report["status"], report["reason"], report["pending"]) == ("partial", "limit", 3)
    assert [scene.sent(b["batch_id"]) for b in scene.records("batch#")] == [["A", "B"], ["C", "D"]]


def test_a_limit_that_is_not_reached_leaves_a_complete_night(scene: Scene) -> None:
    scene.put("A", "B")
    night = scene.start()

    scene.send_all(night, limit=2)
    scene.answer(night)
    report = scene.send_all(night, limit=2)["report"]

    assert (report["status"], report["classified"]) == ("complete", 2)


def test_open_batches_count_at_their_bound_and_closed_ones_at_their_cost(scene: Scene) -> None:
    scene.put("A", "B", "C", "D", "E")
    bound = _bound(scene, "A")
    budget = float(bound * 3)
    night = scene.start()

    waiting = scene.send_all(night, max_cost_usd=budget)
    bounds = [b["bound"] for b in scene.records("batch#")]
    scene.answer(night, cost=str(bound / 2))
    again = scene.send_all(night, max_cost_usd=budget)

    assert (waiting["next"], waiting["more"]) == ("wait", True)
    assert bounds == [bound * 3]
    assert again["next"] == "wait"
    assert scene.sent() == ["A", "B", "C", "D", "E"]


def test_the_night_ends_for_its_budget_only_when_nothing_is_open(scene: Scene) -> None:
    scene.put("A", "B", "C", "D", "E")
    bound = _bound(scene, "A")
    budget = float(bound * 3)
    night = scene.start()

    waiting = scene.send_all(night, max_cost_usd=budget)
    scene.answer(night, cost=str(bound * Decimal("2.5")))
    report = scene.send_all(night, max_cost_usd=budget)["report"]

    assert waiting["next"] == "wait"
    assert (report["status"], report["reason"], report["pending"]) == ("partial", "budget", 2)
    assert scene.sent() == ["A", "B", "C"]


@pytest.mark.parametrize(("left", "sent"), [("1.5", 20), ("2.5", 22)])
def test_the_rest_of_a_budget_is_not_sent_in_crumbs(scene: Scene, left: str, sent: int) -> None:
    names = [f"T-{number:02}" for number in range(30)]
    scene.put(*names)
    bound = _bound(scene, names[0])
    budget = float(bound * 20)
    night = scene.start()

    scene.send_all(night, max_cost_usd=budget)
    scene.answer(night, cost=str(bound * (20 - Decimal(left))))
    scene.send_all(night, max_cost_usd=budget)

    assert scene.sent() == names[:sent]


def test_the_budget_of_the_stack_holds_where_the_input_names_none(scene: Scene) -> None:
    scene.put("A", "B", "C")
    scene.configure(MAX_COST_USD=_bound(scene, "A") * Decimal("1.5"))

    step = scene.send_all(scene.start())

    assert step["next"] == "wait"
    assert scene.sent() == ["A"]


def test_a_budget_below_a_single_ticket_sends_nothing(scene: Scene) -> None:
    scene.put("A")

    report = scene.send_all(scene.start(), max_cost_usd=0.000001)["report"]

    assert (report["status"], report["reason"], report["pending"]) == ("partial", "budget", 1)
    assert scene.posts() == []


def test_a_model_without_a_price_is_refused(scene: Scene) -> None:
    scene.configure(MODEL="claude-unheard-of-9")
    scene.put("A")

    with pytest.raises(PriceUnknown, match="claude-unheard-of-9"):
        scene.submit(scene.start())

    assert scene.claude.control.requests() == []


def test_a_second_start_ends_at_once_as_already_running(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    scene.put("A", "B")
    first, second = scene.start("first"), scene.start("second")
    scene.submit(first)

    step = scene.submit(second)

    assert (step["next"], step["tell"]) == ("report", False)
    assert step["report"]["status"] == "already_running"
    assert len(scene.posts()) == 1


def test_collect_finishes_what_is_open_and_sends_nothing_new(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    scene.put("A", "B")
    first = scene.start("first")
    scene.submit(first)
    scene.stop(first)
    second = scene.start("second")

    waiting = scene.send_all(second, action="collect")
    scene.answer(second)
    report = scene.send_all(second, action="collect")["report"]

    assert waiting["next"] == "wait"
    assert len(scene.posts()) == 1
    assert (report["classified"], report["pending"]) == (1, 1)


def test_collect_with_nothing_open_has_nothing_to_do(scene: Scene) -> None:
    scene.put("A")

    report = scene.send_all(scene.start(), action="collect")["report"]

    assert (report["status"], report["pending"]) == ("nothing_to_do", 1)
    assert scene.claude.control.requests() == []


def test_cancel_alone_cancels_what_is_open_and_creates_nothing(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    scene.put("A", "B")
    first = scene.start("first")
    scene.submit(first)
    scene.stop(first)
    second = scene.start("second")

    waiting = scene.send_all(second, action="cancel")
    scene.answer(second, requeued=1, still_pending=1)
    report = scene.send_all(second, action="cancel")["report"]

    [batch] = scene.claude.control.batches()
    assert waiting["next"] == "wait"
    assert [r["object_id"] for r in scene.claude.control.requests("cancel")] == [batch["id"]]
    assert len(scene.posts()) == 1
    assert (report["status"], report["requeued"], report["pending"]) == ("canceled", 1, 2)


def test_cancel_stops_a_night_that_another_execution_runs(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    scene.put("A", "B")
    first, second = scene.start("first"), scene.start("second")
    scene.submit(first)

    step = scene.submit(second, action="cancel")
    waiting = scene.send_all(first)
    scene.answer(first, requeued=1, still_pending=1)
    report = scene.send_all(first)["report"]

    assert (step["next"], step["report"]["status"]) == ("report", "canceled")
    assert len(scene.claude.control.requests("cancel")) == 1
    assert waiting["next"] == "wait"
    assert len(scene.posts()) == 1
    assert report["status"] == "canceled"


def test_a_canceled_night_can_be_started_again(scene: Scene) -> None:
    scene.put("A")
    first = scene.start("first")
    scene.send_all(first, action="cancel")
    scene.stop(first)

    scene.send_all(scene.start("second"))

    assert scene.sent() == ["A"]


def test_the_run_is_named_by_the_date_on_which_the_execution_started(scene: Scene) -> None:
    scene.put("A")

    step = scene.send_all(scene.start())

    assert step["run_id"] == DAY
    assert len(scene.records("batch#", DAY)) == 1


def test_the_run_can_be_named_by_the_operator(scene: Scene) -> None:
    scene.put("A")

    step = scene.send_all(scene.start(), run_id="trial/1")

    assert step["run_id"] == "trial/1"
    assert len(scene.records("batch#", "trial/1")) == 1


def test_an_unknown_key_is_named_in_the_error(scene: Scene) -> None:
    with pytest.raises(InvalidInput, match="max_costs_usd"):
        scene.submit(scene.start(), max_costs_usd=3)


def test_an_older_unfinished_run_is_finished_first_for_its_own_record(scene: Scene) -> None:
    scene.put("A")
    first = scene.start("first")
    scene.send_all(first, run_id="older")
    scene.stop(first)
    scene.put("B")
    second = scene.start("second")

    waiting = scene.send_all(second)
    sent_before = scene.sent()
    scene.answer(second, run_id="older")
    scene.send_all(second)

    assert (waiting["next"], waiting["run_id"]) == ("wait", "older")
    assert sent_before == ["A"]
    assert scene.sent() == ["A", "B"]
    scene.answer(second)
    scene.send_all(second)
    [older] = scene.records("run", "older")
    assert (older["status"], older["classified"]) == ("complete", 1)


def test_a_run_whose_execution_ended_before_its_report_is_reported_by_the_next(
    scene: Scene,
) -> None:
    scene.put("A")
    first = scene.start("first")
    scene.send_all(first)
    scene.answer(first)
    scene.stop(first)

    second = scene.start("second")
    told = scene.send_all(second)
    scene.stop(second)
    again = scene.send_all(scene.start("third"))

    assert (told["report"]["status"], told["tell"]) == ("complete", True)
    assert told["report"]["classified"] == 1
    assert (again["report"]["status"], again["tell"]) == ("nothing_to_do", False)


def test_an_execution_creates_a_bounded_number_of_batches_and_the_next_start_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit_module, "_MOST_BATCHES", 2)
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    scene.put("A", "B", "C")
    first = scene.start("first")

    waiting = scene.send_all(first)
    scene.answer(first)
    report = scene.send_all(first)["report"]
    scene.stop(first)
    scene.send_all(scene.start("second"))

    assert (waiting["next"], waiting["more"]) == ("wait", False)
    assert (report["status"], report["reason"], report["submitted"]) == ("partial", "batches", 2)
    assert scene.sent() == ["A", "B", "C"]


def test_a_call_says_what_it_has_sent(scene: Scene) -> None:
    scene.put("A", "B")
    night = scene.start()

    steps = [scene.submit(night) for _ in range(3)]

    [batch] = scene.records("batch#")
    [sent] = [step["sent"] for step in steps if "sent" in step]
    assert sent == {"batch_id": batch["batch_id"], "record": "batch#0001", "requests": 2}


def test_a_problem_of_an_older_run_is_told_once(scene: Scene) -> None:
    scene.put("A")
    first = scene.start("first")
    scene.send_all(first, run_id="older")
    scene.stop(first)
    second = scene.start("second")
    scene.send_all(second)
    [batch] = scene.stack.ledger.run("older").in_state("open")
    closed = replace(batch, tally=Tally(requeued=1, still_pending=1), disputed=True)
    scene.stack.ledger.close(closed, second, [LedgerMismatch("the numbers do not add up.")])

    step = scene.send_all(second)
    if step["next"] == "wait":
        scene.answer(second)
        step = scene.send_all(second)
    said = scene.submit(second)["problem"]
    scene.tell(second)
    scene.stop(second)
    unfinished = scene.stack.lock.read().unfinished
    third = scene.send_all(scene.start("third"))

    assert step["problem"] == {"error": "LedgerMismatch", "cause": "the numbers do not add up."}
    assert said == step["problem"]
    assert unfinished == {"older", DAY}
    assert third["problem"] is None
    assert scene.stack.lock.read().unfinished == frozenset()
    assert scene.records("batch#", "older")[0]["told"]


def test_a_problem_of_which_nobody_was_told_is_said_by_the_next_start(scene: Scene) -> None:
    scene.put("A")
    first = scene.start("first")
    scene.send_all(first)
    [batch] = scene.stack.ledger.run(DAY).in_state("open")
    closed = replace(batch, tally=Tally(superseded=1), disputed=True)
    scene.stack.ledger.close(closed, first, [LedgerMismatch("the numbers do not add up.")])
    scene.tickets.delete_item(Key={"ticket_id": "A"})
    scene.send_all(first)
    scene.stop(first)  # before anybody was told

    second = scene.start("second")
    step = scene.send_all(second, run_id="next")

    assert step["problem"] == {"error": "LedgerMismatch", "cause": "the numbers do not add up."}
    assert scene.stack.lock.read().unfinished == {DAY, "next"}


@pytest.mark.parametrize("ticket_id", ODD_IDS)
def test_any_ticket_id_can_be_sent(scene: Scene, ticket_id: str) -> None:
    scene.put(ticket_id, subject="My invoice")

    scene.send_all(scene.start())

    [batch] = scene.records("batch#")
    [row] = scene.claude.control.rows()
    assert (batch["first"], batch["last"]) == (ticket_id, ticket_id)
    remembered = [item["ticket_id"] for item in scene.records("ticket#")]
    assert scene.sent() == [ticket_id] or remembered == [ticket_id]
    assert len(row["custom_id"]) <= 64


def test_tickets_of_all_ids_go_out_once_in_key_order(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=3)
    scene.put(*ODD_IDS, subject="Invoice of {id}")

    scene.send_all(scene.start())

    texts = scene.claude.control.paid()
    assert set(texts.values()) == {1}
    assert len(texts) == len(ODD_IDS)
    ranges = [(b["first"].encode(), b["last"].encode()) for b in scene.records("batch#")]
    assert sorted(ranges) == ranges
    assert all(last < first for (_, last), (first, _) in pairwise(ranges))


def test_without_a_key_nothing_is_intended_and_the_error_holds_the_command(scene: Scene) -> None:
    scene.secrets.create_secret(Name="none yet")
    scene.configure(API_KEY_SECRET="none yet")
    scene.put("A")

    with pytest.raises(ApiKeyMissing, match="put-secret-value --secret-id none yet"):
        scene.submit(scene.start())

    assert scene.records("batch#") == []
    assert scene.claude.control.requests() == []


@pytest.mark.parametrize("stored", ['{"api_key": "sk-ant-stand-in"}', '"sk-ant-stand-in"', "  "])
def test_what_is_no_plain_key_counts_as_none(scene: Scene, stored: str) -> None:
    scene.store_key(stored)
    scene.put("A")

    with pytest.raises(ApiKeyMissing) as raised:
        scene.submit(scene.start())

    assert "sk-ant-stand-in" not in str(raised.value)
    assert scene.records("batch#") == []


def test_a_key_stored_after_a_wrong_one_is_found_at_once(scene: Scene) -> None:
    scene.store_key('{"api_key": "sk-ant-stand-in"}')
    scene.put("A")
    night = scene.start()
    with pytest.raises(ApiKeyMissing):
        scene.submit(night)

    scene.store_key(scene.claude.api_key)
    scene.send_all(night)

    assert scene.sent() == ["A"]


def test_white_space_around_the_key_is_forgiven(scene: Scene) -> None:
    scene.store_key(f"\n  {scene.claude.api_key}\r\n")
    scene.put("A")

    scene.send_all(scene.start())

    assert [post["status"] for post in scene.posts()] == [200]


def _call(scene: Scene) -> SubmitCall:
    event = {"execution": scene.start(), "started_at": STARTED_AT, "input": {}}
    return SubmitCall.parse(event)


def _holding(scene: Scene, call: SubmitCall) -> str:
    """The execution of a call, once it holds the lock."""
    assert scene.stack.lock.take(call.execution, DAY)
    return call.execution


def _bound(scene: Scene, ticket_id: str) -> Decimal:
    """The most that a ticket of `put` can cost."""
    message = scene.stack.task.message_for(shown(f"Invoice of {ticket_id}", ""))
    assert message
    template = scene.stack.template
    return template.bound(scene.stack.price).of(template.most_input_tokens(message))


def _without_duration(report: Step) -> Step:
    return {name: value for name, value in report.items() if name != "duration_seconds"}


@pytest.mark.parametrize(("hours", "seconds"), [(0, 60), (1, 360), (100, 900)])
def test_a_record_that_moves_on_each_time_is_waited_for_ever_longer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, hours: int, seconds: int
) -> None:
    """100 hours of calls every minute would be more events than Step Functions allows."""

    def moved_on(*_: Any) -> Any:
        raise Stale

    monkeypatch.setattr(Ledger, "begin_round", moved_on)
    started = datetime.now(UTC) - timedelta(hours=hours)
    night = scene.start()
    call = SubmitCall.parse({"execution": night, "started_at": started.isoformat(), "input": {}})

    step = submit(call, scene.stack, lambda: 900.0)

    assert (step["next"], step["more"]) == ("wait", True)
    assert step["wait_seconds"] == pytest.approx(seconds, abs=1)


def test_the_night_refills_a_full_queue_until_all_is_sent(scene: Scene) -> None:
    """A queue at Claude that is smaller than the night: refilled as batches end."""
    scene.configure(MAX_REQUESTS_PER_BATCH=2)
    scene.claude.batches._queue_limit = 4
    ids = [f"T-{number}" for number in range(10)]
    scene.put(*ids)
    night = scene.start()

    opened = []
    for _ in range(3):
        step = scene.send_all(night)
        batches = [batch for batch in scene.records("batch#") if batch["state"] == "open"]
        opened.append([batch["requests"] for batch in batches])
        assert step["next"] == "wait"
        for batch in batches:
            scene.claude.control.end_batch(batch["batch_id"])
        scene.answer(night)
    last = scene.send_all(night)

    assert opened == [[2, 2], [2, 2], [2]]
    assert [post["status"] for post in scene.posts()].count(429) == 2
    assert scene.sent() == ids
    assert (last["report"]["status"], last["report"]["classified"]) == ("complete", 10)
