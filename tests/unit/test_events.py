"""What comes in at the door: every key of the contract, and nothing else."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.errors import InvalidInput
from nightshift.events import CollectCall, RunInput, StatusCall, SubmitCall

KEYS = ("run_id", "action", "limit", "max_cost_usd", "dry_run")
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:Workflow:night"
SCHEDULED: dict[str, Any] = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-22T02:00:00Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:events:eu-central-1:123456789012:rule/NightlyRule"],
    "detail": {},
}


def call(typed: object, started_at: str = "2026-11-22T02:00:00.000Z") -> SubmitCall:
    """A call of submit by an execution that was started with this input."""
    return SubmitCall.parse(
        {"execution": EXECUTION, "started_at": started_at, "input": typed, "estimate": None}
    )


def refusal(typed: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        call(typed)
    return str(refused.value)


def test_an_empty_input_runs_the_night() -> None:
    assert call({}).input == RunInput()
    assert RunInput().model_dump() == {
        "run_id": None,
        "action": "classify",
        "limit": None,
        "max_cost_usd": None,
        "dry_run": False,
    }


def test_a_scheduled_event_runs_the_night() -> None:
    assert call(SCHEDULED).input == RunInput()


def test_another_event_of_aws_is_refused() -> None:
    message = refusal({**SCHEDULED, "detail-type": "EC2 Instance State-change Notification"})

    assert "'detail-type' is not a known key" in message


@pytest.mark.parametrize(
    ("key", "typed", "meant"),
    [
        ("run_id", "2026-11-21", "2026-11-21"),
        ("run_id", "Lock", "Lock"),
        ("action", "classify", "classify"),
        ("action", "collect", "collect"),
        ("action", "cancel", "cancel"),
        ("limit", 1, 1),
        ("limit", 1_000_000, 1_000_000),
        ("max_cost_usd", 5, Decimal(5)),
        ("max_cost_usd", 0.1, Decimal("0.1")),
        ("max_cost_usd", 1e-05, Decimal("0.00001")),
        ("dry_run", True, True),
        ("dry_run", False, False),
    ],
)
def test_every_key_is_taken_as_it_was_typed(key: str, typed: object, meant: object) -> None:
    assert getattr(call({key: typed}).input, key) == meant


def test_all_keys_may_be_given_at_once() -> None:
    typed = {"run_id": "x", "action": "collect", "limit": 5, "max_cost_usd": 0.5, "dry_run": True}

    assert call(typed).input == RunInput(
        run_id="x", action="collect", limit=5, max_cost_usd=Decimal("0.5"), dry_run=True
    )


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        *(("run_id", wrong) for wrong in ("lock", "month#2026-11", "task#1")),
        *(("run_id", wrong) for wrong in (5, True, "", ["x"], {"x": 1}, "x" * 2_049)),
        *(("action", wrong) for wrong in ("", "Classify", "delete", 1, True, ["cancel"])),
        *(("limit", wrong) for wrong in (0, -1, 1.5, "5", True, False, [1], {})),
        *(("max_cost_usd", wrong) for wrong in (0, -1, 0.0, "5", True, False, [5], {})),
        *(("max_cost_usd", wrong) for wrong in (float("inf"), float("nan"))),
        *(("dry_run", wrong) for wrong in (1, 0, "true", "false", "", [True])),
    ],
)
def test_a_wrong_value_fails_at_once_and_its_key_is_named(key: str, typed: object) -> None:
    assert f"'{key}'" in refusal({key: typed}).partition("Known keys")[0]


@pytest.mark.parametrize("key", ["Limit", "runid", "dryrun", "comment", "estimate", "input"])
def test_an_unknown_key_is_named_with_the_known_ones(key: str) -> None:
    message = refusal({key: 1})

    assert f"{key!r} is not a known key" in message
    assert all(known in message for known in KEYS)


def test_every_offending_key_is_named() -> None:
    message = refusal({"Limit": 1, "limit": "many", "dry_run": True})

    assert "'Limit'" in message
    assert "'limit'" in message
    assert "'dry_run'" not in message


@pytest.mark.parametrize("key", ["Comment", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"])
def test_what_the_console_adds_is_ignored(key: str) -> None:
    typed = {key: "Insert your JSON here", "limit": 5}

    assert call(typed).input == RunInput(limit=5)
    assert typed.keys() == {key, "limit"}


@pytest.mark.parametrize("typed", [[], "classify", 5, True, None, [{}]])
def test_an_input_that_is_no_object_is_refused(typed: object) -> None:
    assert "'input'" in refusal(typed)


def test_a_refusal_repeats_no_value() -> None:
    assert "sk-ant-secret" not in refusal({"action": "sk-ant-secret", "key": "sk-ant-secret"})


def test_the_run_id_of_the_lock_is_refused() -> None:
    message = refusal({"run_id": "lock"})

    assert "'run_id'" in message
    assert "'lock'" in message


@pytest.mark.parametrize(
    ("started_at", "run_id"),
    [
        ("2026-11-22T02:00:00.000Z", "2026-11-22"),
        ("2026-11-22T23:59:59.999Z", "2026-11-22"),
        ("2026-11-23T00:00:00.000Z", "2026-11-23"),
        ("2026-11-22T01:00:00+02:00", "2026-11-21"),
    ],
)
def test_a_run_is_by_default_the_utc_date_of_its_start(started_at: str, run_id: str) -> None:
    assert call({}, started_at).run_id == run_id


def test_a_run_id_that_is_given_is_the_run() -> None:
    assert call({"run_id": "again"}).run_id == "again"


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans() | st.none()))
def test_any_object_is_taken_or_refused_in_our_own_words(typed: dict[str, Any]) -> None:
    with suppress(InvalidInput):
        call(typed)


def test_what_a_dry_run_has_counted_comes_back() -> None:
    counted = {"after": "T-9", "tickets": 9, "empty": 1, "tokens": 900, "sample": ["T-9"]}
    event = {"execution": EXECUTION, "started_at": "2026-11-22T02:00:00Z", "input": {}}

    estimate = SubmitCall.parse({**event, "estimate": counted}).estimate

    assert estimate is not None
    assert (estimate.after, estimate.tickets, estimate.empty) == ("T-9", 9, 1)
    assert (estimate.tokens, estimate.sample) == (900, ("T-9",))


@pytest.mark.parametrize("model", [SubmitCall, StatusCall, CollectCall])
@pytest.mark.parametrize("event", [{}, None, [], {"execution": EXECUTION}, {"surprise": 1}])
def test_a_function_called_with_something_else_says_so(model: Any, event: object) -> None:
    with pytest.raises(InvalidInput, match=r"execution|run_id|started_at|input"):
        model.parse(event)


def test_status_and_collect_take_what_the_workflow_sends() -> None:
    status = StatusCall.parse({"execution": EXECUTION, "run_id": "2026-11-22", "more": True})
    collect = CollectCall.parse(
        {"execution": EXECUTION, "run_id": "2026-11-22", "record": "batch#0001"}
    )

    assert (status.run_id, status.more) == ("2026-11-22", True)
    assert (collect.run_id, collect.record) == ("2026-11-22", "batch#0001")


@pytest.mark.parametrize("key", ["run_id", "limit", "max_cost_usd"])
def test_null_is_no_value(key: str) -> None:
    assert f"'{key}'" in refusal({key: None})
