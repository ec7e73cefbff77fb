"""`make review`: what the terminal says, and how it ends."""

import os
import re
import signal
from contextlib import nullcontext
from threading import Thread
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.doubts import TABLE, put, sorting
from tests.moto.scene import client
from tools.operate.review import __main__ as command
from tools.operate.stack import Stack, Unusable

OUTPUTS = {"TicketTableName": TABLE, "RunTableName": "RunTable", "WorkflowArn": "arn:night"}


@pytest.fixture(autouse=True)
def stack(account: None, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack named helpdesk, which the command finds, on a machine without a screen."""
    made = Stack("helpdesk", OUTPUTS, {"Task": "sorting"}, client("dynamodb"), None)
    monkeypatch.setattr(command, "find", lambda name: made)
    monkeypatch.setattr(command, "load", lambda name: sorting())
    monkeypatch.setattr(command.browser, "is_there", lambda: False)
    return made


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert command.main(["--stack", "helpdesk", *arguments]) == code
    return " ".join(capsys.readouterr().out.split())


def test_where_nothing_waits_it_says_so_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    put("T-1", classification_status="pending")

    assert "No ticket of helpdesk waits for a person." in said(capsys, 0)


def test_what_cannot_be_decided_here_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    put("T-1", category="billing", classified_as="billing")

    assert "1 ticket has the status review, but nothing of it is open" in said(capsys, 1)


def test_a_stack_that_is_not_there_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> Stack:
        raise Unusable(f"There is no stack {name!r}.")

    monkeypatch.setattr(command, "find", find)

    assert "There is no stack 'helpdesk'." in said(capsys, 2)


def test_a_table_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    client("dynamodb").delete_table(TableName=TABLE)

    assert "There is no table TicketTable" in said(capsys, 2)


def test_it_opens_the_page_and_ctrl_c_ends_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put("T-1", "T-2")
    answers: list[int] = []

    def look_and_end(address: str) -> None:
        try:
            urlopen(address)  # noqa: S310 (a page of this very process)
        except HTTPError as refused:  # a visitor without cookies is let in and then knows nothing
            answers.append(refused.code)
        os.kill(os.getpid(), signal.SIGINT)

    def visit(address: str) -> None:
        Thread(target=look_and_end, args=[address]).start()

    monkeypatch.setattr(command.browser, "visit", visit)

    text = said(capsys, 0)

    assert re.search(r"2 tickets of helpdesk to decide.* http://127\.0\.0\.1:\d+/\S{43}/ ", text)
    assert "Ended. You have decided 0 tickets; 2 to go." in text
    assert answers == [403]


def test_it_may_leave_the_browser_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put("T-1")
    visited: list[str] = []
    server = SimpleNamespace(serve_forever=lambda: None)
    listening = nullcontext(("http://127.0.0.1:1/x/", server))
    monkeypatch.setattr(command, "listening", lambda *_: listening)
    monkeypatch.setattr(command.browser, "visit", visited.append)

    assert "http://127.0.0.1:1/x/" in said(capsys, 0, "--no-open")
    assert visited == []
