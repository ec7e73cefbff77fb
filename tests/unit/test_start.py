"""`make start`: what it refuses, what it starts, and how an ending reads."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tools.operate.stack import Stack
from tools.operate.start import __main__ as command

OUTPUT: dict[str, Any] = {
    "run_id": "2026-11-22", "status": "complete", "submitted": 3_000, "classified": 2_994,
    "pending": 0, "cost_usd": 0.4378, "duration_seconds": 3_900,
}  # fmt: skip


class States:
    """Step Functions with one workflow, whose execution ends at the second look."""

    def __init__(self, **ends: Any) -> None:
        self.ends, self.inputs = ends, []

    def start_execution(self, stateMachineArn: str, input: str) -> dict[str, str]:  # noqa: A002, N803
        assert stateMachineArn == "arn:workflow"
        self.inputs.append(json.loads(input))
        self.looks = iter([{"status": "RUNNING"}, self.ends])
        return {"executionArn": "arn:execution"}

    def describe_execution(self, executionArn: str) -> Any:  # noqa: N803
        assert executionArn == "arn:execution"
        found = next(self.looks)
        if isinstance(found, BaseException):
            raise found
        return found


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Call the command on a stack whose execution ends so; returns its code and what it said."""
    monkeypatch.setattr(command, "sleep", lambda seconds: None)

    def call(states: Any, *arguments: str) -> tuple[int, str]:
        stack = Stack("helpdesk", {"WorkflowArn": "arn:workflow"}, {}, None, states)
        monkeypatch.setattr(command, "find", lambda name: stack)
        code = command.main(["--stack", "helpdesk", *arguments])
        return code, " ".join(capsys.readouterr().out.split())

    return call


def succeeded(**more: Any) -> States:
    return States(status="SUCCEEDED", output=json.dumps(OUTPUT | more))


def test_a_good_night_is_started_with_its_input_and_read(start: Any) -> None:
    states = succeeded()

    code, said = start(states, "--input", '{"limit": 100, "max_cost_usd": 0.5}')

    assert (code, states.inputs) == (0, [{"limit": 100, "max_cost_usd": 0.5}])
    assert "complete: run 2026-11-22. 0 tickets ask for an answer now." in said
    assert "2,994 classified 0 pending $0.4378 cost of the whole run" in said
    assert said.endswith("1 h 5 min for this execution")


def test_without_an_input_the_night_is_the_scheduled_one(start: Any) -> None:
    states = succeeded()

    assert start(states)[0] == 0
    assert states.inputs == [{}]


def test_what_is_no_number_stands_below(start: Any) -> None:
    states = succeeded(status="dry_run", estimate_method="input: counted")

    assert start(states)[1].endswith("estimate method: input: counted")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"status": "nothing_to_do"}, 0),
        ({"status": "canceled"}, 0),
        ({"status": "partial", "reason": "limit"}, 0),
        ({"status": "partial", "reason": "budget"}, 1),
        ({"status": "already_running"}, 1),
    ],
    ids=str,
)
def test_the_code_says_whether_to_look(start: Any, more: dict[str, str], code: int) -> None:
    assert start(succeeded(**more))[0] == code


def test_a_red_night_says_why_and_where_to_look(start: Any) -> None:
    red = States(status="FAILED", error="ApiKeyMissing", cause="Store the\x1b[2J key")

    code, said = start(red)

    assert code == 1
    assert "ApiKeyMissing Store the" in said
    assert "\x1b" not in said
    assert "make night-report STACK=helpdesk" in said


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ('{"limits": 3}', "'limits'"),
        ('{"limit": "3"}', "'limit'"),
        ("{limit: 3}", "Quote it for the shell"),
        ("[]", "must be a JSON object"),
        ("file:///no/such/file.json", "No such file"),
    ],
)
def test_a_wrong_input_is_refused_before_anything_is_started(
    start: Any, given: str, says: str
) -> None:
    states = succeeded()

    code, said = start(states, "--input", given)

    assert (code, states.inputs) == (2, [])
    assert says in said


def test_the_files_for_the_console_are_inputs_too(start: Any) -> None:
    states = succeeded()

    start(states, "--input", "file://events/start-small.json")

    assert states.inputs == [{"limit": 100, "max_cost_usd": 0.5}]


def test_ctrl_c_leaves_the_night_running_and_says_so(start: Any) -> None:
    states = SimpleNamespace(
        start_execution=lambda **_: {"executionArn": "arn:execution"},
        describe_execution=lambda **_: (_ for _ in ()).throw(KeyboardInterrupt),
    )

    code, said = start(states)

    assert code == 130
    assert "The night goes on" in said
