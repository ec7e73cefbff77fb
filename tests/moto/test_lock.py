"""The lock: one execution may create batches, and only its own end frees it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nightshift import aws
from nightshift.runs.lock import LockItem
from tests.moto.scene import Scene, client, table

FIRST, SECOND, THIRD = "execution:first", "execution:second", "execution:third"


@dataclass
class Executions:
    """Step Functions, as far as a lock asks: an execution's status, or that there is none."""

    status: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def status_of(self, execution: str) -> str | None:
        self.asked.append(execution)
        return self.status.get(execution)


@pytest.fixture
def executions() -> Executions:
    return Executions({FIRST: "RUNNING", SECOND: "RUNNING", THIRD: "RUNNING"})


@pytest.fixture
def lock(account: None, executions: Executions) -> LockItem:
    return LockItem(client("dynamodb"), "RunTable", executions.status_of)


def item() -> dict[str, Any]:
    key = {"run_id": "lock", "record": "lock"}
    return dict(table("RunTable").get_item(Key=key)["Item"])


def test_a_free_lock_is_taken_by_the_first_who_comes(lock: LockItem) -> None:
    taken = lock.take(FIRST, "monday")

    assert taken is not None
    assert (taken.holder, taken.unfinished, taken.stop) == (FIRST, {"monday"}, False)
    assert lock.take(SECOND, "monday") is None
    assert item()["holder"] == FIRST


def test_the_holder_keeps_it_without_asking_anyone(lock: LockItem, executions: Executions) -> None:
    lock.take(FIRST, "monday")
    executions.asked.clear()

    again = lock.take(FIRST, "monday")

    assert again is not None
    assert again.holder == FIRST
    assert executions.asked == []


@pytest.mark.parametrize("end", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_the_end_of_its_holder_frees_the_lock(
    lock: LockItem, executions: Executions, end: str
) -> None:
    lock.take(FIRST, "monday")
    executions.status[FIRST] = end

    taken = lock.take(SECOND, "tuesday")

    assert taken is not None
    assert (taken.holder, taken.unfinished) == (SECOND, {"monday", "tuesday"})


@pytest.mark.parametrize("end", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_function_that_outlives_its_execution_takes_no_lock(
    lock: LockItem, executions: Executions, end: str
) -> None:
    executions.status[FIRST] = end

    assert lock.take(FIRST, "monday") is None
    assert lock.read().unfinished == frozenset()


@pytest.mark.parametrize("alive", ["RUNNING", "PENDING_REDRIVE"])
def test_nothing_but_an_end_frees_the_lock(
    lock: LockItem, executions: Executions, alive: str
) -> None:
    lock.take(FIRST, "monday")
    executions.status[FIRST] = alive

    assert lock.take(SECOND, "monday") is None
    assert item()["holder"] == FIRST


class AtomicLockItem(LockItem):
    """moto checks and writes in two steps, which threads can tell apart; DynamoDB in one."""

    _one_at_a_time = threading.Lock()

    def _update(self, update: str, values: dict[str, Any], condition: str) -> bool:
        with self._one_at_a_time:
            return super()._update(update, values, condition)


def test_of_many_who_see_it_free_at_once_exactly_one_takes_it(
    lock: LockItem, executions: Executions
) -> None:
    lock.take(FIRST, "monday")
    executions.status[FIRST] = "FAILED"
    together = threading.Barrier(4)

    def status_of(execution: str) -> str | None:
        if execution == FIRST:
            together.wait(60)  # all have read the old holder before any of them writes
        return executions.status_of(execution)

    racing = AtomicLockItem(lock.dynamodb, lock.name, status_of)
    rivals = [f"execution:{n}" for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda rival: racing.take(rival, "monday"), rivals))

    [winner] = [held.holder for held in taken if held is not None]
    assert item()["holder"] == winner
    assert winner in rivals


def test_an_execution_that_nobody_knows_keeps_the_lock_for_a_day(
    lock: LockItem, executions: Executions
) -> None:
    lock.take(FIRST, "monday")
    del executions.status[FIRST]

    soon = lock.take(SECOND, "monday")
    _set_back(timedelta(hours=23))
    same_day = lock.take(SECOND, "monday")
    _set_back(timedelta(hours=25))
    next_day = lock.take(SECOND, "monday")

    assert (soon, same_day) == (None, None)
    assert next_day is not None
    assert next_day.holder == SECOND


def test_a_redriven_holder_finds_its_lock_taken(lock: LockItem, executions: Executions) -> None:
    lock.take(FIRST, "monday")
    executions.status[FIRST] = "FAILED"
    lock.take(SECOND, "monday")
    executions.status[FIRST] = "RUNNING"

    assert lock.take(FIRST, "monday") is None
    assert item()["holder"] == SECOND


def test_a_redriven_execution_goes_on_while_nobody_took_its_lock(
    lock: LockItem, executions: Executions
) -> None:
    lock.take(FIRST, "monday")
    executions.status[FIRST] = "RUNNING"

    held = lock.take(FIRST, "monday")

    assert held is not None
    assert held.holder == FIRST


def test_a_stop_holds_until_the_next_start(lock: LockItem, executions: Executions) -> None:
    lock.take(FIRST, "monday")
    lock.ask_to_stop()

    still = lock.take(FIRST, "monday")
    executions.status[FIRST] = "SUCCEEDED"
    fresh = lock.take(SECOND, "monday")

    assert still is not None
    assert still.stop
    assert fresh is not None
    assert not fresh.stop


def test_a_stop_before_any_night_leaves_nothing_behind(lock: LockItem) -> None:
    lock.ask_to_stop()

    taken = lock.take(FIRST, "monday")

    assert taken is not None
    assert not taken.stop


def test_a_run_stays_unfinished_until_its_holder_says_so(
    lock: LockItem, executions: Executions
) -> None:
    lock.take(FIRST, "monday")
    executions.status[FIRST] = "ABORTED"
    lock.take(SECOND, "tuesday")

    by_others = lock.finish(FIRST, ["tuesday"], None)  # no longer its holder
    too_late = lock.finish(SECOND, ["tuesday"], "an older intent")
    done = lock.finish(SECOND, ["monday"], None)

    assert (by_others, too_late, done) == (False, False, True)
    assert lock.read().unfinished == {"tuesday"}


def test_the_lock_is_never_forgotten(lock: LockItem) -> None:
    lock.take(FIRST, "monday")

    assert "expires_at" not in item()


def test_step_functions_says_whether_an_execution_runs(scene: Scene) -> None:
    running, stopped = scene.start("running"), scene.start("stopped")
    scene.stop(stopped)
    unknown = running.replace("running", "unheard-of")

    statuses = [aws.execution_status(arn) for arn in (running, stopped, unknown)]

    assert statuses == ["RUNNING", "ABORTED", None]


def _set_back(age: timedelta) -> None:
    """As if the lock had been taken so long ago."""
    table("RunTable").update_item(
        Key={"run_id": "lock", "record": "lock"},
        UpdateExpression="SET held_since = :then",
        ExpressionAttributeValues={":then": (datetime.now(UTC) - age).isoformat()},
    )
