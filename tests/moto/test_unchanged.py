"""A ticket that asks again although its last answer still stands: nothing is sent, nothing lost."""

from dataclasses import replace
from typing import Any

import pytest

from nightshift.events import SubmitCall
from nightshift.submit import submit
from nightshift.task.request import version_of
from nightshift.tickets import attribute
from tests.moto.scene import DAY, STARTED_AT, Item, Scene
from tests.moto.test_submit import BusyTable
from tests.tasks import task

TEXT = "Where is my invoice?"
VERSION = version_of(task(), "claude-haiku-4-5")
OF_A_PERSON = {"category": "feedback"}


def answered(ticket_id: str, **other: Any) -> Item:
    """A ticket that an earlier night has answered, and that asks again; None leaves one out."""
    item = {
        "ticket_id": ticket_id,
        "subject": TEXT,
        "classification_status": "pending",
        "category": "billing",
        "classified_as": "billing",
        "classified_at": "2026-11-20T02:10:00+00:00",
        "classified_by": "claude-haiku-4-5",
        "classified_from": attribute.digest([{"S": other.get("subject", TEXT)}, None]),
        "classified_with": VERSION,
        "classification_batch_id": "msgbatch_earlier",
    }
    return {name: value for name, value in (item | other).items() if value is not None}


def put(scene: Scene, *items: Item) -> None:
    for item in items:
        scene.tickets.put_item(Item=item)


def asks_no_more(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "classification_status"}


@pytest.mark.parametrize("other", [{}, OF_A_PERSON], ids=["Claude's", "a person's"])
def test_the_answer_is_kept_and_nothing_is_sent(scene: Scene, other: Item) -> None:
    items = [answered(f"T-{n}", **other) for n in range(3)]
    put(scene, *items)

    step = scene.send_all(scene.start())

    assert scene.claude.control.batches() == []
    assert [scene.ticket(item["ticket_id"]) for item in items] == list(map(asks_no_more, items))
    report = step["report"]
    assert (report["status"], report["unchanged"], report["submitted"]) == ("complete", 3, 0)
    assert (report["failed"], report["empty"], report["pending"]) == (0, 0, 0)
    assert "3 unchanged and not asked" in step["text"]


@pytest.mark.parametrize(
    "other",
    [
        {"classified_with": None},
        {"classified_with": "sorting@00000000"},
        {"classified_from": None},
        {"classified_from": "AAAAAAAA"},
        {"classified_as": None},
        {"category": None},
        {"expected_category": "billing"},
        {"body": "One more line."},
    ],
    ids=str,
)
def test_where_anything_differs_the_ticket_is_asked(scene: Scene, other: Item) -> None:
    put(scene, answered("T-1", **other))

    scene.send_all(scene.start())

    [batch] = scene.records("batch#")
    assert scene.sent(batch["batch_id"]) == ["T-1"]
    assert scene.ticket("T-1")["classification_status"] == "pending"


def test_of_many_only_the_edited_ones_are_sent(scene: Scene) -> None:
    items = [answered(f"T-{n:03}") for n in range(250)]
    edited = [item | {"subject": "Something else"} for item in items[::50]]
    put(scene, *items, *edited)

    scene.send_all(scene.start())

    [batch] = scene.records("batch#")
    assert scene.sent(batch["batch_id"]) == [item["ticket_id"] for item in edited]
    assert sum(item["unchanged"] for item in scene.records("empty#")) == 245


def test_unchanged_and_empty_tickets_share_a_transaction(scene: Scene) -> None:
    put(scene, answered("A"))
    scene.put("B", subject=" ")

    step = scene.send_all(scene.start())

    assert [(i["tickets"], i["unchanged"]) for i in scene.records("empty#")] == [(1, 1)]
    report = step["report"]
    assert (report["failed"], report["empty"], report["unchanged"]) == (1, 1, 1)


def test_a_ticket_that_is_edited_meanwhile_still_asks(scene: Scene) -> None:
    put(scene, answered("A"), answered("B"))
    busy = BusyTable(scene.stack.tickets.dynamodb, "TicketTable")
    object.__setattr__(busy, "edited", "A")
    call = SubmitCall.parse({"execution": scene.start(), "started_at": STARTED_AT, "input": {}})

    submit(call, replace(scene.stack, tickets=busy), lambda: 900)

    assert scene.ticket("A")["classification_status"] == "pending"
    assert "classification_status" not in scene.ticket("B")
    assert [item["unchanged"] for item in scene.records("empty#")] == [1]


def test_a_second_call_finds_the_count_of_the_first(scene: Scene) -> None:
    """A call that dies after its transaction has counted its tickets once."""
    put(scene, answered("A"))
    night = scene.start()
    scene.submit(night)

    step = scene.send_all(night)

    assert step["report"]["unchanged"] == 1


def test_a_dry_run_counts_them_and_changes_nothing(scene: Scene) -> None:
    item = answered("A")
    put(scene, item)
    scene.put("B", "C")

    report = scene.submit(scene.start(), dry_run=True)["report"]

    assert (report["unchanged"], report["pending"], report["batches"]) == (1, 3, 1)
    assert scene.ticket("A") == item


def test_the_group_is_kept_in_the_run(scene: Scene) -> None:
    put(scene, answered("A"))
    scene.send_all(scene.start())

    run = scene.stack.ledger.run(DAY)

    assert (run.unchanged, run.empty) == (1, 0)
