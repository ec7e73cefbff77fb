"""Tickets in and out by command, in MiniStack's DynamoDB within this process."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nightshift.aws import from_item, to_item
from nightshift.tickets.table import Refused, TicketTable
from tests.crash_proof.world import Workshop
from tools.desk.export import __main__ as export
from tools.desk.files.cells import guarded, unguarded
from tools.desk.load import __main__ as load
from tools.operate.stack import Stack

CSV = "id,subject,body\nT-1,Hello,World\nT-2,Bye,Moon\n"
ANSWER = {
    "category": "billing",
    "classified_as": "billing",
    "classified_at": "2026-11-20T02:10:00+00:00",
    "classified_by": "claude-haiku-4-5",
    "classified_with": "sorting@0123abcd",
}


@pytest.fixture
def stack(helpdesk: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack named helpdesk, which the commands find."""
    for command in (load, export):
        monkeypatch.setattr(command, "find", lambda name: helpdesk)
    return helpdesk


def put(stack: Stack, *items: dict[str, Any]) -> None:
    for item in items:
        stack.dynamodb.put_item(TableName="tickets", Item=to_item(item))


def items(stack: Stack) -> dict[str, dict[str, Any]]:
    found = stack.dynamodb.scan(TableName="tickets", ConsistentRead=True)["Items"]
    return {item["ticket_id"]: item for item in map(from_item, found)}


def loaded(path: Path, capsys: pytest.CaptureFixture[str], *more: str, code: int = 0) -> str:
    arguments = ["--stack", "helpdesk", "--tickets", str(path), *more]
    assert load.main(arguments) == code
    return " ".join(capsys.readouterr().out.split())


def exported(path: Path, *more: str, code: int = 0) -> Path:
    assert export.main(["--stack", "helpdesk", "--out", str(path), *more]) == code
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def file(directory: Path, content: str, name: str = "t.csv") -> Path:
    path = directory / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


# In.


def test_new_tickets_ask(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = loaded(file(tmp_path, CSV), capsys)

    assert "2 new" in text
    assert items(stack)["T-1"] == {
        "ticket_id": "T-1",
        "subject": "Hello",
        "body": "World",
        "classification_status": "pending",
    }


def test_loading_again_writes_nothing(
    stack: Stack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded(file(tmp_path, CSV), capsys)
    writes: list[int] = []
    monkeypatch.setattr(
        TicketTable, "write", lambda _, changes: writes.append(len(changes)) or Refused()
    )

    text = loaded(file(tmp_path, CSV), capsys)

    assert "0 new" in text and "0 changed" in text and "2 unchanged" in text
    assert sum(writes) == 0


@pytest.mark.parametrize("status", [None, "pending", "failed", "review"])
def test_only_an_edited_ticket_asks_again_and_an_untouched_one_keeps_its_status(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: str | None
) -> None:
    asks = {"classification_status": status} if status else {}
    first = {"ticket_id": "T-1", "subject": "Hello", "body": "World", **ANSWER, **asks}
    second = {"ticket_id": "T-2", "subject": "Bye", "body": "Sun", "note": "theirs", **ANSWER}
    put(stack, first, second)

    text = loaded(file(tmp_path, CSV), capsys)

    assert "1 changed" in text and "1 unchanged" in text
    assert items(stack)["T-1"] == first
    changed = {"body": "Moon", "classification_status": "pending"}
    assert items(stack)["T-2"] == second | changed


def test_what_the_file_does_not_have_stays(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, {"ticket_id": "T-1", "subject": "Hello", "body": "World", "created_at": "2026"})

    loaded(file(tmp_path, "id,subject,body\nT-1,Hi,\n"), capsys)

    ticket = items(stack)["T-1"]
    assert (ticket["subject"], ticket["body"], ticket["created_at"]) == ("Hi", "World", "2026")


def test_a_right_answer_is_added_without_a_question_and_a_persons_stays(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = {"subject": "Hello", "body": "World", **ANSWER}
    put(stack, {"ticket_id": "A", **same}, {"ticket_id": "B", **same, "expected_category": "other"})
    content = "id,subject,body,expected_category\nA,Hello,World,billing\nB,Hello,World,billing\n"

    text = loaded(file(tmp_path, content), capsys)

    assert "1 noted" in text and "1 unchanged" in text
    found = items(stack)
    assert found["A"]["expected_category"] == "billing"
    assert found["B"]["expected_category"] == "other"
    assert not any("classification_status" in ticket for ticket in found.values())


def test_bad_lines_are_named_and_the_rest_is_loaded(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = loaded(file(tmp_path, CSV + ",no id,x\nT-1,twice,x\n"), capsys, code=1)

    assert "2 left out" in text
    assert "line 4: no ticket_id" in text
    assert "line 5: the same id as line 2" in text
    assert items(stack).keys() == {"T-1", "T-2"}


def test_a_wrong_file_changes_nothing(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = file(tmp_path, "id,subject,description\n1,Hello,World\n")

    assert "body=description" in loaded(wrong, capsys, code=2)
    assert items(stack) == {}
    assert "1 new" in loaded(wrong, capsys, "--map", "body=description")


def test_a_load_that_is_stopped_is_finished_by_the_next_one(
    stack: Stack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = "".join(f"T-{n:03},Hello,World\n" for n in range(250))
    path = file(tmp_path, f"id,subject,body\n{lines}")
    read, calls = TicketTable.read, iter(range(2))

    def stopped(*arguments: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return read(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(TicketTable, "read", stopped)
        assert "the same command loads the rest" in loaded(path, capsys, code=130)
    assert 0 < len(items(stack)) < 250

    text = loaded(path, capsys)

    assert "50 new" in text and "200 unchanged" in text
    assert len(items(stack)) == 250


def test_a_ticket_that_somebody_writes_meanwhile_is_compared_anew(
    stack: Stack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(stack, {"ticket_id": "T-1", "subject": "Hello", "body": "old"})
    write, times = TicketTable.write, iter([1])

    def after_a_person(self: TicketTable, changes: Any) -> Refused:
        if next(times, None):
            put(stack, {"ticket_id": "T-1", "subject": "Hello", "body": "theirs", "by": "a person"})
        return write(self, changes)

    monkeypatch.setattr(TicketTable, "write", after_a_person)

    assert "1 changed" in loaded(file(tmp_path, "id,subject,body\nT-1,Hello,new\n"), capsys)
    assert items(stack)["T-1"] == {
        "ticket_id": "T-1",
        "subject": "Hello",
        "body": "new",
        "by": "a person",
        "classification_status": "pending",
    }


def test_a_ticket_that_somebody_makes_meanwhile_is_not_overwritten(
    stack: Stack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = {"ticket_id": "T-1", "subject": "Hello", "body": "World", "by": "a person"}
    read, times = TicketTable.read, iter([1])

    def before_a_person(self: TicketTable, *asked: Any) -> Any:
        found = read(self, *asked)
        if next(times, None):
            put(stack, theirs)
        return found

    monkeypatch.setattr(TicketTable, "read", before_a_person)

    text = loaded(file(tmp_path, "id,subject,body\nT-1,Hello,World\n"), capsys)

    assert "0 new" in text and "1 unchanged" in text
    assert items(stack)["T-1"] == theirs


def test_a_throttled_table_is_written_more_slowly_and_nothing_is_lost(
    stack: Stack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, refusals = Workshop.engine, iter(range(3))

    def throttled(self: Workshop, operation: str, body: bytes) -> Any:
        if operation == "PutItem" and next(refusals, None) is not None:
            return 400, {}, b'{"__type": "ProvisionedThroughputExceededException"}'
        return engine(self, operation, body)

    monkeypatch.setattr(Workshop, "engine", throttled)

    assert "2 new" in loaded(file(tmp_path, CSV), capsys)
    assert next(refusals, None) is None
    assert items(stack).keys() == {"T-1", "T-2"}


# Out.


def everything(stack: Stack) -> None:
    """A ticket in every state, with texts that files could spoil."""
    put(
        stack,
        {"ticket_id": "T-1", "subject": "=1+1", "body": 'a "b"\r\nc;d', **ANSWER},
        {"ticket_id": "T-2", "subject": "'=x", "body": "-5 €", "classification_status": "pending"},
        {
            "ticket_id": "T-3",
            "body": {"price": 9, "tags": ["a", True, None]},
            "subject": -7,
            "classification_status": "failed",
            "classification_error": "refusal: Claude declined to answer in 3 attempts.",
        },
        {"ticket_id": "T-4", "subject": "ü", "body": "x", "classification_status": "review"},
        {"ticket_id": "T-5", "subject": "none", "body": ""},
        {"ticket_id": "T-6", "subject": {"b", "a"}, "body": b"\xff", "expected_category": "other"},
    )


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl", "t.jsonl.gz"])
def test_loading_an_export_changes_nothing(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    everything(stack)
    before = items(stack)

    text = loaded(exported(tmp_path / name), capsys)

    assert "6 tickets of helpdesk in" in text
    assert "0 new" in text and "0 changed" in text and "6 unchanged" in text
    assert items(stack) == before


def test_an_export_has_a_column_for_every_output(stack: Stack, tmp_path: Path) -> None:
    everything(stack)

    [first, *_] = sorted(rows(exported(tmp_path / "t.csv")), key=lambda row: row["ticket_id"])

    assert list(first)[:3] == ["ticket_id", "category", "expected_category"]
    assert (first["category"], first["classified_with"]) == ("billing", "sorting@0123abcd")
    assert (first["subject"], first["body"]) == ("'=1+1", 'a "b"\r\nc;d')


@pytest.mark.parametrize(
    ("status", "ids"),
    [("pending", {"T-2"}), ("failed", {"T-3"}), ("review", {"T-4"}), ("answered", {"T-1"})],
)
def test_a_status_chooses(stack: Stack, tmp_path: Path, status: str, ids: set[str]) -> None:
    everything(stack)

    path = exported(tmp_path / "t.jsonl.gz", "--status", status)

    lines = [json.loads(line) for line in gzip.open(path)]
    assert {line["ticket_id"] for line in lines} == ids


def test_an_export_that_is_stopped_leaves_no_file(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(stack)

    def stopped(*_: Any) -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(export, "scan", stopped)
    exported(tmp_path / "t.csv", code=130)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["t.xlsx", "missing/t.csv"])
def test_a_file_that_cannot_be_written_is_said(
    stack: Stack, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exported(tmp_path / name, code=2)

    said = " ".join(capsys.readouterr().out.split())
    assert "its name says what it is" in said or "cannot be written: No such file" in said


@pytest.mark.parametrize("text", ["=1", "'=1", "''@x", "-", "+49", "\tx", "'a", "a", "", "'"])
def test_a_cell_is_no_formula_and_comes_back(text: str) -> None:
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(text)) == text
