"""A night of a task with an output of every type, from pending tickets to the books."""

from collections import Counter
from collections.abc import Iterator

import pytest

from nightshift.aws import to_item
from nightshift.tickets.ticket import REVIEW
from tests.crash.stack import Stack
from tests.crash_proof.world import Workshop, World, workshop
from tests.tasks import reviews
from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import Life

LIFE = Life(seconds=1000)
IDS = [f"R-{number:02}" for number in range(60)]
ODD = {"type": "succeeded", "text": '{"status": "good"}'}


@pytest.fixture(scope="module")
def ours() -> Iterator[Workshop]:
    with workshop({}) as made:
        yield made


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "task", reviews())


def test_a_night_of_several_outputs_balances_and_says_what_was_answered(ours: Workshop) -> None:
    stack = Stack.on(ours, LIFE)
    stack.put(*IDS)

    report = stack.night()

    tickets = stack.tickets()
    waiting = {i for i, each in tickets.items() if each.get("classification_status") == REVIEW}
    assert (report["status"], report["submitted"], report["requeued"]) == ("complete", 60, 0)
    assert 0 < report["unsure"] == len(waiting) < 60
    assert report["classified"] == 60 - len(waiting)
    assert report["pending"] == 0
    for ticket_id, ticket in tickets.items():
        answered = ticket.keys() & reviews().output.keys()
        assert ticket["classified_as"] == {name: ticket[name] for name in answered}
        assert (answered == reviews().output.keys()) == (ticket_id not in waiting)
    [run] = stack.records("run")
    assert run["items"] == ["review", "reviews"]
    assert run["waiting"] == len(waiting)
    sizes = [int(each["size"]) for each in tickets.values()]
    assert run["outputs"]["size"] == {
        "type": "integer",
        "counts": {"numbers": 60, "sum": sum(sizes)},
    }
    kinds = Counter(each.get("kind", "cannot say") for each in tickets.values())
    assert run["outputs"]["kind"]["counts"] == kinds


def test_an_answer_with_outputs_missing_is_asked_again_and_given_up_unwritten(
    ours: Workshop,
) -> None:
    stack = Stack.on(ours, LIFE, rules=[RowRule(ODD, contains="R-07")], max_attempts=3)
    stack.put(*IDS)

    report = stack.night()

    odd = stack.tickets()["R-07"]
    assert (report["failed"], report["requeued"], report["submitted"]) == (1, 2, 62)
    assert odd["classification_error"].startswith("unreadable_answer: ")
    assert not odd.keys() & reviews().output.keys()


def test_a_person_who_decides_takes_the_ticket_out_of_the_night(ours: Workshop) -> None:
    """What waits for a person is asked again only where that person says so."""
    stack = Stack.on(ours, LIFE)
    stack.put(*IDS)
    first = stack.night()
    before = stack.tickets()
    waiting = sorted(i for i, each in before.items() if "classification_status" in each)
    decided, again, *left = waiting
    for ticket_id, status in ((decided, None), (again, "pending")):
        ticket = {**before[ticket_id], "status": "bad", "classification_status": status}
        item = {name: value for name, value in ticket.items() if value is not None}
        stack.world.put("tickets", to_item(item))
    stack.world.wait_until(stack.world.now + 86_400)

    second = stack.night()

    assert (first["unsure"], second["submitted"]) == (len(waiting), 1)
    after = stack.tickets()
    assert after[decided]["status"] == "bad"
    assert "classification_status" not in after[decided]
    assert all(after[ticket_id] == before[ticket_id] for ticket_id in left)
    assert after[again]["classification_batch_id"] != before[again]["classification_batch_id"]
