"""Every file in events/ is what it claims to be: an input to start with, or a function's event."""

import json
from pathlib import Path
from typing import Any

import pytest

from nightshift.events import CollectCall, RunInput, StatusCall, SubmitCall

EVENTS = Path(__file__).parents[2] / "events"
CALLS: dict[str, Any] = {
    "submit.json": SubmitCall,
    "status.json": StatusCall,
    "collect.json": CollectCall,
}
STARTS = {
    "start.json": RunInput(),
    "start-scheduled.json": RunInput(),
    "start-dry-run.json": RunInput(dry_run=True),
    "start-collect.json": RunInput(action="collect"),
    "start-cancel.json": RunInput(action="cancel"),
}


def load(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


def started_with(name: str) -> RunInput:
    event = {"execution": "arn", "started_at": "2026-11-22T02:00:00.000Z", "input": load(name)}
    return SubmitCall.parse(event).input


def test_every_file_is_known_here() -> None:
    others = {path.name for path in EVENTS.iterdir()} - CALLS.keys() - {"env.json"}

    assert STARTS.keys() | {"start-small.json"} == others


@pytest.mark.parametrize("name", STARTS)
def test_a_start_asks_for_what_its_name_says(name: str) -> None:
    assert started_with(name) == STARTS[name]


def test_a_small_start_is_bounded_in_requests_and_money() -> None:
    small = started_with("start-small.json")

    assert small.action == "classify"
    assert small.limit
    assert small.limit <= 100
    assert small.max_cost_usd
    assert small.max_cost_usd <= 1


@pytest.mark.parametrize(("name", "call"), CALLS.items())
def test_a_functions_event_is_what_it_takes(name: str, call: Any) -> None:
    parsed = call.parse(load(name))

    assert parsed.run_id == "2026-11-22"
    assert parsed.execution.startswith("arn:aws:states:")


def test_submit_by_hand_costs_nothing() -> None:
    assert SubmitCall.parse(load("submit.json")).input.dry_run


@pytest.mark.parametrize("state", ["Submit batches", "Check status", "Collect batch"])
def test_an_event_has_the_keys_that_the_workflow_sends(workflow: Any, state: str) -> None:
    inner = workflow["States"]["Collect results"]["ItemProcessor"]["States"]
    sent = {**workflow["States"], **inner}[state]["Arguments"]["Payload"]
    name = {"Submit batches": "submit", "Check status": "status"}.get(state, "collect")

    assert load(f"{name}.json").keys() == sent.keys()


def test_the_variables_to_fill_in_are_those_that_differ_between_stacks(template: Any) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    [scope] = load("env.json")

    assert scope == "Parameters"
    differ = {"TICKET_TABLE", "RUN_TABLE", "API_KEY_SECRET", "TASK"}
    assert load("env.json")[scope].keys() == differ
    assert differ <= variables.keys()
