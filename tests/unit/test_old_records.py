"""Runs that version 0.1.0 recorded are read as it reported them.

`run_table_0_1_0.json` is a run table as 0.1.0 left it, item by item: its own code played a week of
nights in the crash proof's world. It is never made anew.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nightshift.aws import from_item
from nightshift.ending import report
from nightshift.ending.report import Ending
from nightshift.runs import budget
from nightshift.runs.ledger import Ledger
from tests.crash_proof.world import workshop
from tests.unit.test_night_report import Read
from tools.operate.night_report.page import page
from tools.operate.night_report.record import read
from tools.operate.stack import Stack
from tools.words import usd

ITEMS = json.loads(Path(__file__).with_name("run_table_0_1_0.json").read_text(encoding="utf-8"))
RECORDS = [
    {"run_id": item["run_id"]["S"], "record": item["record"]["S"], "item": item} for item in ITEMS
]
RUNS = sorted({each["run_id"] for each in RECORDS if each["run_id"].startswith("2026-")})
KEPT = {each["run_id"]: each["item"] for each in RECORDS if each["record"] == "run"}
# The nights of a week, by what was special about them.
ALL_WELL, DISPUTED, REJECTED, REFUSED, BUDGET, SET_ASIDE, STOPPED = RUNS
WHY_RED = {DISPUTED: "LedgerMismatch", REJECTED: "ClaudeRejected", SET_ASIDE: "BatchNotFound"}
COUNTS = (
    *("batches", "submitted", "classified", "superseded", "requeued", "failed", "empty", "pending"),
    *("input_tokens", "output_tokens"),
)
MONEY = ("cost_usd", "realtime_cost_usd", "saved_usd")
STATES = {"void": "not_created"}  # what a stored state is called in code
A_DAY_LATER = datetime(2026, 11, 23, 8, tzinfo=UTC)


class Executions:
    """Step Functions, as far as a page asks: every execution is over."""

    class exceptions:  # noqa: N801
        class ExecutionDoesNotExist(Exception): ...

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803
        return {"status": "ABORTED"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose run table is that of 0.1.0."""
    workflow = "arn:aws:states:eu-west-1:123456789012:stateMachine:nightshift-Workflow-q7Zk2mPx0c1V"
    outputs = {"TicketTableName": "tickets", "RunTableName": "runs", "WorkflowArn": workflow}
    with workshop() as ours:
        ours.make_tables()
        for item in ITEMS:
            request = msgspec.json.encode({"TableName": "runs", "Item": item})
            status, _, answer = ours.engine("PutItem", request)
            assert status == 200, answer
        yield Stack("helpdesk", outputs, {}, ours.plain_client, Executions())


@pytest.fixture
def ledger(stack: Stack) -> Ledger:
    return Ledger(stack.dynamodb, stack.run_table)


def kept_of(run: str) -> dict[str, Any]:
    """What the run's own item says."""
    return from_item(KEPT[run])


def batches_of(run: str) -> list[dict[str, Any]]:
    found = [each for each in RECORDS if each["run_id"] == run]
    items = [from_item(each["item"]) for each in found if each["record"].startswith("batch#")]
    return sorted(items, key=lambda item: item["record"])


def test_the_table_holds_every_kind_of_record() -> None:
    batches = [batch for run in RUNS for batch in batches_of(run)]

    assert {each["record"].partition("#")[0] for each in RECORDS} >= {
        *("batch", "canary", "empty", "failure", "lock", "model", "round", "run", "ticket"),
    }
    assert {each["run_id"].partition("#")[0] for each in RECORDS} == {
        *RUNS,
        "lock",
        "month",
        "task",
    }
    assert {batch["state"] for batch in batches} == {"closed", "open", "void"}
    assert {batch["refusal"] for batch in batches if "refusal" in batch} == {
        *("refused", "rejected", "too_large", "unseen"),
    }
    problems = {batch["problem"].partition(":")[0] for batch in batches if "problem" in batch}
    assert problems == set(WHY_RED.values())


@pytest.mark.parametrize("run", RUNS)
def test_the_batches_of_a_run_are_read(ledger: Ledger, run: str) -> None:
    found = ledger.run(run).batches

    stored = batches_of(run)
    assert [(b.record, b.state, b.requests) for b in found] == [
        (item["record"], STATES.get(item["state"], item["state"]), item["requests"])
        for item in stored
    ]
    assert [(b.batch_id, b.trouble and str(b.trouble)) for b in found] == [
        (item.get("batch_id"), item.get("problem")) for item in stored
    ]
    assert [(b.bound, b.cost) for b in found] == [
        (item["bound"], item.get("cost", 0)) for item in stored
    ]


def test_a_batch_that_was_collected_in_part_knows_how_far(ledger: Ledger) -> None:
    batch = ledger.batch(STOPPED, "batch#0001")

    assert (batch.state, batch.seen, batch.tally.classified) == ("open", b"\x05", 2)


@pytest.mark.parametrize("run", KEPT)
def test_a_run_comes_to_what_its_item_says(ledger: Ledger, run: str) -> None:
    kept = kept_of(run)
    ending = Ending(kept["status"], kept.get("reason", ""))

    said = report.flat(ledger.run(run), ending, int(kept["pending"]), A_DAY_LATER)

    assert {name: said[name] for name in COUNTS} == {name: kept[name] for name in COUNTS}
    assert {name: said[name] for name in MONEY} == pytest.approx(
        {name: float(kept[name]) for name in MONEY}
    )
    assert (said["run_id"], said["status"], said.get("reason")) == (
        run, kept["status"], kept.get("reason"),
    )  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
def test_the_month_has_cost_what_its_runs_have(ledger: Ledger, run: str) -> None:
    spent = float(budget.spent_in("2026-11", ledger.run(run), ledger))

    assert spent == pytest.approx(float(sum(kept_of(each)["cost_usd"] for each in KEPT)))
    assert spent == pytest.approx(float(kept_of(SET_ASIDE)["month_cost_usd"]))


@pytest.mark.parametrize("run", KEPT)
def test_the_page_of_a_run_has_its_numbers(stack: Stack, run: str) -> None:
    kept = kept_of(run)

    text = Read(page(read(stack, run), now=A_DAY_LATER)).text

    assert f"{kept['submitted']} submitted they balance" in text
    assert f"Answered {kept['classified']} " in text
    assert f"Given up {kept['failed']} " in text
    assert f"Pending {kept['pending']} at the end" in text
    assert f"Spent {usd(float(kept['cost_usd']))} " in text
    for batch in batches_of(run):
        assert batch.get("batch_id", "") in text


@pytest.mark.parametrize(("run", "error"), WHY_RED.items())
def test_the_page_of_a_red_night_says_why(stack: Stack, run: str, error: str) -> None:
    [problem] = [batch["problem"] for batch in batches_of(run) if "problem" in batch]

    text = Read(page(read(stack, run), now=A_DAY_LATER)).text

    assert problem.startswith(f"{error}: ")
    assert f"{error} {problem.removeprefix(f'{error}: ')}" in text


def test_the_page_of_a_run_that_was_stopped_says_so(stack: Stack) -> None:
    text = Read(page(read(stack, STOPPED), now=A_DAY_LATER)).text

    assert "This run was stopped before it could report." in text
    assert "3 requests are still with Claude" in text
