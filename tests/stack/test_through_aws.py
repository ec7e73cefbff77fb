"""Nights that reach Claude through AWS: no key, every call signed by its function's role, and each
role allowed exactly what its function calls."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.stack.conftest import FUNCTIONS
from tests.stack.stack import CANARY, Stack
from tests.stack.test_roles import (
    OF_A_FUNCTION,
    RUN,
    Function,
    execution,
    is_of_claude,
    send,
    submission,
)
from tools.local.claude_standin.gateway import SERVICE
from tools.local.cloud.callers import role_of

CHATTER = {"type": "succeeded", "text": "I think that this is billing."}
REFUSED = {"status": 400, "message": f"requests.0.params.max_tokens: why {CANARY}?"}


def test_a_good_night_is_signed_by_the_roles_and_reads_no_secret(signed: Stack) -> None:
    signed.put("A", "B", "C")

    night = signed.run()

    assert (night.output["status"], night.counts) == ("complete", (3, 3, 0, 0, 0))
    assert signed.categories() == signed.answers() == dict.fromkeys("ABC", "billing")
    assert night.output["cost_usd"] == pytest.approx(float(signed.paid()), rel=1e-9)
    assert {call["status"] for call in signed.calls()} == {200}
    assert all(batch["deleted"] for batch in signed.batches())
    assert not signed.claude.control.trap_was_called()


def test_a_partial_night_keeps_its_budget(signed: Stack) -> None:
    signed.put(*(f"T-{n}" for n in range(8)))

    first = signed.run(limit=3)
    second = signed.run()

    assert (first.output["status"], first.output["reason"]) == ("partial", "limit")
    assert (first.output["submitted"], first.output["pending"]) == (3, 5)
    assert (second.output["status"], second.output["classified"]) == ("complete", 8)


def test_a_missing_permission_ends_red_in_iams_words_and_is_cured(signed: Stack) -> None:
    signed.put("A")
    role = Function(signed, signed.outputs["SubmitFunctionName"]).role
    create = f"{SERVICE}:CreateBatchInference"
    [permission] = [each for each in role.permissions if each.action == create]
    role.lose(permission)
    try:
        red = signed.run()
    finally:
        role.recover()
    told = signed.told()
    cured = signed.run()

    assert (red.status, red.error) == ("FAILED", "ClaudeRejected")
    assert f"is not authorized to perform: {create} on resource: {permission.resource}" in red.cause
    assert "service control policy" in red.cause
    assert [message.subject for message in told] == ["Nightshift failed: ClaudeRejected"]
    assert cured.output["status"] == "complete"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"skew": 400}, "Is the clock right to five minutes?"),
        ({"federation": False}, "aws iam enable-outbound-web-identity-federation"),
    ],
    ids=["a skewed clock", "an account that vouches for nobody"],
)
def test_what_the_account_must_mend_ends_red_with_the_cure(
    signed: Stack, change: dict[str, Any], words: str
) -> None:
    signed.put("A")
    signed.claude.control.set_gateway(**change)

    night = signed.run()

    assert (night.status, night.error) == ("FAILED", "ClaudeRejected")
    assert words in night.cause
    assert signed.pending() == ["A"]


def test_a_wrong_region_ends_red_with_the_cure(signed: Stack) -> None:
    gateway = signed.claude.gateway
    assert gateway is not None
    signed.put("A")
    gateway.region = "us-west-2"
    try:
        night = signed.run()
    finally:
        gateway.region = "eu-central-1"

    assert (night.status, night.error) == ("FAILED", "ClaudeRejected")
    assert "Is the workspace in eu-central-1?" in night.cause
    assert "WorkspaceRegion" in night.cause


def test_a_create_that_is_refused_in_a_tickets_words_is_told_without_them(signed: Stack) -> None:
    """That no word of it, no secret and no token was said anywhere is checked after each test."""
    signed.put("A", "B")
    signed.claude.control.add_faults({"on": "create", "do": {"answer": REFUSED}})

    red = signed.run()
    signed.claude.control.add_rows({"contains": "(B,", "outcome": CHATTER, "times": 1})
    cured = signed.run()

    assert (red.status, red.error) == ("FAILED", "ClaudeRejected")
    assert "about requests.0.params.max_tokens" in red.cause
    assert cured.output["status"] == "complete"


def test_a_role_may_call_exactly_what_its_function_calls(signed: Stack) -> None:
    """The local cloud knows no such service: what the gateway was asked for is compared with what
    the roles allow."""
    gateway = signed.claude.gateway
    assert gateway is not None
    gateway.asked.clear()
    submit, status, collect = (Function(signed, signed.outputs[each]) for each in FUNCTIONS)
    _look_for_a_batch_that_may_be_lost(signed, submit, status)
    _finish_a_batch(signed, submit, collect)
    signed.forget()
    _lose_a_create(signed, submit)
    _cancel_a_night(signed)

    for function in (submit, status, collect):
        session = role_of(signed.cloud, function.name).session
        asked = {action for caller, action in gateway.asked if caller == session}
        allowed = {each for each in function.role.permissions if is_of_claude(each)}
        assert {each.action for each in allowed} == asked, function.name
        assert {each.resource for each in allowed} == {gateway.resource, "*"}
        assert function.role.unchecked == OF_A_FUNCTION
        assert not [p for p in function.role.permissions if p.action.startswith("secretsmanager")]


def _look_for_a_batch_that_may_be_lost(stack: Stack, submit: Function, status: Function) -> None:
    """Status looks for a batch beyond the list, and submit asks once more for one that was set
    aside a day ago."""
    [batch] = send(stack, submit)
    status.call({"execution": execution(stack, "me"), "run_id": RUN})
    stack.put_record(batch | {"batch_id": "msgbatch_01Unheard"})
    status.call({"execution": execution(stack, "me"), "run_id": RUN})
    long_ago = (datetime.now(UTC) - timedelta(hours=30)).isoformat()
    aside = {"aside_by": "x", "unknown": True, "created_at": long_ago}
    stack.put_record(batch | {"batch_id": "msgbatch_01Unheard", "intent_at": long_ago} | aside)
    submit.call(submission(stack))


def _finish_a_batch(stack: Stack, submit: Function, collect: Function) -> None:
    [batch] = send(stack, submit)
    stack.claude.control.end_batch(batch["batch_id"])
    event = {"execution": execution(stack, "me"), "run_id": RUN, "record": batch["record"]}
    collect.call(event)


def _lose_a_create(stack: Stack, submit: Function) -> None:
    """Submit looks through the list for a batch whose create was not answered."""
    stack.forget_version()  # so that the constant part is counted
    stack.put("A")
    stack.claude.control.add_faults({"on": "create", "do": {"lose": "reset"}})
    for _ in range(2):
        submit.call(submission(stack))
    stack.forget()


def _cancel_a_night(stack: Stack) -> None:
    stack.put("A")
    first = stack.start_and_send()
    stack.run(action="cancel")
    first.wait()
