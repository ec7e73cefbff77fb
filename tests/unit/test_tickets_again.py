"""Answered tickets that ask again by command, in MiniStack's DynamoDB within this process."""

from pathlib import Path
from typing import Any

import pytest

from nightshift.aws import from_item, to_item
from nightshift.claude.prices import published
from nightshift.tickets.table import Refused, TicketTable
from tests.tasks import FILE
from tests.versions import todays
from tools.desk.again import __main__ as command
from tools.operate.stack import Stack

MODEL = "claude-haiku-4-5"
OLD = "sorting@00000000"


@pytest.fixture
def stack(helpdesk: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack named helpdesk, which the command finds."""
    monkeypatch.setattr(command, "find_stack", lambda name: helpdesk)
    return helpdesk


def put(stack: Stack, *ids: str, **other: Any) -> None:
    """Tickets that a night has answered; None leaves an attribute out."""
    for ticket_id in ids:
        item = {
            "ticket_id": ticket_id,
            "body": "My invoice",
            "category": "billing",
            "classified_as": other.get("category", "billing"),
            "classified_at": "2026-11-20T02:10:00+00:00",
            "classified_by": MODEL,
            "classified_from": "AAAAAAAA",
            "classified_with": todays(MODEL),
            "classification_batch_id": "msgbatch_1",
        } | other
        kept = {name: value for name, value in item.items() if value is not None}
        stack.dynamodb.put_item(TableName="tickets", Item=to_item(kept))


def items(stack: Stack) -> dict[str, dict[str, Any]]:
    found = stack.dynamodb.scan(TableName="tickets", ConsistentRead=True)["Items"]
    return {item["ticket_id"]: item for item in map(from_item, found)}


def asking(stack: Stack) -> set[str]:
    return {i for i, t in items(stack).items() if t.get("classification_status") == "pending"}


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert command.main([*arguments, "--stack", "helpdesk"]) == code
    return " ".join(capsys.readouterr().out.split())


def test_answered_tickets_ask_again_and_keep_their_answer(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, *(f"T-{n:02}" for n in range(30)))

    text = said(capsys, "--yes")

    assert "30 tickets of helpdesk: about $" in text
    assert "30 tickets ask again" in text
    for ticket in items(stack).values():
        assert ticket["classification_status"] == "pending"
        assert ticket["category"] == "billing"
        assert "classified_with" not in ticket  # else it would be taken for unchanged


def test_tickets_that_are_not_answered_are_left_alone(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "new", classified_at=None, category=None, classified_as=None)
    for status in ("pending", "failed", "review"):
        put(stack, status, classification_status=status)
    before = items(stack)

    assert "nothing to ask again" in said(capsys, "--yes")
    assert items(stack) == before


def test_older_ones_are_those_of_another_version_and_of_none(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "today")
    put(stack, "old", classified_with=OLD)
    put(stack, "0.1.0", classified_with=None, classified_as=None, classified_from=None)

    said(capsys, "--older", "--yes")

    assert asking(stack) == {"old", "0.1.0"}


def test_an_older_version_may_have_had_a_single_output(
    stack: Stack, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What it wrote is no map then, and the new output is not there."""
    grown = tmp_path / "grown.toml"
    text = FILE.read_text(encoding="utf-8").replace("max_tokens = ", "max_tokens = 2")
    grown.write_text(f'{text}\n[output.urgent]\ntype = "boolean"\n', encoding="utf-8")
    put(stack, "ours", classified_with=OLD)
    put(stack, "corrected", classified_with=OLD, category="other", classified_as="billing")

    text = said(capsys, "--older", "--task", str(grown), "--yes")

    assert "1 ticket was corrected or decided by a person" in text
    assert asking(stack) == {"ours"}


def test_of_several_outputs_one_that_a_person_changed_is_enough(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "ours", classified_as={"category": "billing", "urgent": True}, urgent=True)
    put(stack, "corrected", classified_as={"category": "other", "urgent": True}, urgent=True)

    said(capsys, "--yes")

    assert asking(stack) == {"ours"}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("category=other", {"other"}),
        ("category=billing", {"billing"}),
        (f"classified_with={OLD}", {"other"}),
        ("category=technical", set()),
    ],
)
def test_an_answer_chooses(
    stack: Stack, capsys: pytest.CaptureFixture[str], where: str, expected: set[str]
) -> None:
    put(stack, "billing")
    put(stack, "other", category="other", classified_with=OLD)

    said(capsys, "--where", where, "--yes")

    assert asking(stack) == expected


@pytest.mark.parametrize("where", ["category", "subject=x", "colour=red"])
def test_what_is_no_answer_is_refused(
    stack: Stack, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    put(stack, "T-1")

    assert "say category=..., classified_by=..." in said(capsys, "--where", where, code=2)
    assert asking(stack) == set()


def test_the_task_may_be_named_where_the_stacks_is_no_file_here(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    object.__setattr__(stack, "parameters", {"Task": "of-theirs", "Model": MODEL})
    put(stack, "T-1")

    assert "There is no task 'of-theirs'" in said(capsys, "--yes", code=2)
    assert "1 ticket asks again" in said(capsys, "--task", str(FILE), "--yes")


def test_a_limit_bounds_how_many(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    put(stack, *(f"T-{n}" for n in range(5)))

    assert "2 tickets ask again" in said(capsys, "--limit", "2", "--yes")
    assert len(asking(stack)) == 2


def test_what_a_person_corrected_or_decided_is_left_alone(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "corrected", category="other", classified_as="billing")
    put(stack, "decided", classified_as=None)
    put(stack, "ours")

    text = said(capsys, "--yes")

    assert "2 tickets were corrected or decided by a person: left alone." in text
    assert asking(stack) == {"ours"}


def test_without_a_yes_nothing_is_changed_and_nobody_is_no_yes(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stack, "T-1")

    assert "say YES=1" in said(capsys, code=2)
    monkeypatch.setattr(command, "confirmed", lambda *_: False)
    assert "Nothing was changed" in said(capsys, code=1)
    assert asking(stack) == set()


def test_a_ticket_that_changes_meanwhile_is_left_as_it_is(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stack, "T-1", "T-2")
    write = TicketTable.write

    def after_a_person(self: TicketTable, changes: Any) -> Refused:
        put(stack, "T-1", category="feedback", classified_as="billing")
        return write(self, changes)

    monkeypatch.setattr(TicketTable, "write", after_a_person)

    assert "1 had changed meanwhile" in said(capsys, "--yes")
    assert asking(stack) == {"T-2"}


def test_the_cost_grows_with_the_tickets(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    put(stack, *(f"T-{n}" for n in range(10)))
    one = said(capsys, "--limit", "1", "--yes").partition("$")[2].split()[0]

    rest = said(capsys, "--yes").partition("$")[2].split()[0]

    assert float(rest) == pytest.approx(9 * float(one), abs=0.001)
    assert 0 < float(one) < float(published().of(MODEL).input)
