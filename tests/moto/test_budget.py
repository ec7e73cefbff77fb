"""The budget of a calendar month: a sum over the record of its runs, under every start."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from nightshift.errors import BatchNotFound, InvalidInput
from nightshift.runs import budget, ledger
from nightshift.sending import send
from tests.moto.scene import DAY, Scene, Step
from tests.tasks import shown

NOVEMBER = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, 0, 1, tzinfo=UTC)


class Clock(datetime):
    moment = NOVEMBER

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.moment


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr(Clock, "moment", NOVEMBER)
    for module in ("runs.budget", "sending.send", "ending.finish", "runs.ledger"):
        monkeypatch.setattr(f"nightshift.{module}.datetime", Clock)
    return Clock


@pytest.fixture
def bound(scene: Scene, clock: type[Clock]) -> Decimal:
    """What one of this file's tickets counts while its batch is open."""
    message = scene.stack.task.message_for(shown("Invoice of A", ""))
    most = scene.stack.template.most_input_tokens(str(message))
    usd = scene.stack.template.bound(scene.stack.price).of(most)
    scene.configure(MAX_MONTHLY_COST_USD=usd * 3)
    return usd


def run(scene: Scene, name: str, cost: Decimal, **asked: Any) -> Step:
    """A whole execution; each of its batches costs the same in the end."""
    night = scene.start(name)
    step = scene.send_all(night, **asked)
    while step["next"] == "wait":
        scene.answer(night, asked.get("run_id", DAY), cost=str(cost))
        step = scene.send_all(night, **asked)
    scene.stop(night)
    return step


def test_runs_of_one_month_share_its_budget(scene: Scene, bound: Decimal) -> None:
    scene.put("A", "B")
    run(scene, "one", bound * 2, run_id="one")
    scene.put("C", "D")

    step = run(scene, "two", bound, run_id="two")

    report = step["report"]
    assert (report["status"], report["reason"], report["pending"]) == ("partial", "budget", 1)
    assert scene.sent() == ["A", "B", "C"]
    [notice] = step["notices"]
    assert notice.startswith(f"The budget of 2026-11 (${(bound * 3).normalize():,f})")
    assert "MaxMonthlyCostUsd" in notice


def test_what_the_operator_types_replaces_the_budget_of_the_run_only(
    scene: Scene, bound: Decimal
) -> None:
    scene.put("A", "B", "C", "D")

    step = run(scene, "one", bound * 3, max_cost_usd=1000)

    assert step["report"]["reason"] == "budget"
    assert scene.sent() == ["A", "B", "C"]


def test_the_tighter_budget_is_named(scene: Scene, bound: Decimal) -> None:
    scene.put("A", "B")

    step = run(scene, "one", bound, max_cost_usd=float(bound))

    assert "max_cost_usd" in step["notices"][0]


def test_a_batch_that_is_open_in_another_run_counts_at_its_bound(
    scene: Scene, bound: Decimal
) -> None:
    scene.put("A", "B")
    first = scene.start("first")
    scene.send_all(first, run_id="one")
    [batch] = scene.stack.ledger.run("one").in_state("open")
    night = scene.stack.ledger.run("two")

    remaining = budget.remaining(night, None, scene.stack.ledger, scene.stack.settings)
    scene.stack.ledger.set_aside(batch, first, unknown=True, problem=BatchNotFound("?"))

    assert remaining.month_usd == bound
    assert budget.spent_in("2026-11", night, scene.stack.ledger) == 0


def test_a_new_month_has_a_budget_of_its_own(
    scene: Scene, bound: Decimal, clock: type[Clock]
) -> None:
    scene.put("A", "B", "C", "D", "E", "F")
    night = scene.start()
    scene.send_all(night)
    scene.answer(night, cost=str(bound * 3))
    clock.moment = DECEMBER

    scene.send_all(night)

    assert scene.sent() == ["A", "B", "C", "D", "E", "F"]
    kept = scene.stack.ledger.run(DAY)
    assert [b.record for b in kept.batches] == ["batch#0001", "batch#0002"]
    assert [budget.counted(kept, month) for month in ("2026-11", "2026-12")] == [bound * 3] * 2
    assert scene.stack.ledger.runs_of("2026-12").keys() == {DAY}


def test_a_month_that_begins_while_a_chunk_is_built_is_asked_first(
    scene: Scene, bound: Decimal, clock: type[Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.put("A")
    built = send.Sender.build

    def slowly(self: send.Sender, *args: Any) -> Any:
        chunk = built(self, *args)
        clock.moment = DECEMBER
        return chunk

    monkeypatch.setattr(send.Sender, "build", slowly)
    night = scene.start()

    step = scene.submit(night)

    assert (step["next"], step["more"], scene.posts()) == ("wait", True, [])
    scene.submit(night)
    assert scene.sent() == ["A"]
    assert scene.stack.ledger.runs_of("2026-11") == {}


def test_the_month_is_marked_in_the_transaction_of_the_intent(scene: Scene, bound: Decimal) -> None:
    scene.put("A")
    scene.claude.control.add_faults({"on": "create", "do": {"lose": "drop"}})
    night = scene.start()

    scene.submit(night)

    assert [b["state"] for b in scene.records("batch#")] == ["creating"]
    remaining = budget.remaining(ledger.Run("x"), None, scene.stack.ledger, scene.stack.settings)
    assert remaining.month_usd == bound * 2


def test_without_a_limit_no_month_is_summed_up_before_a_payment(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.put("A")
    monkeypatch.setattr(ledger.Ledger, "runs_of", None)

    scene.submit(scene.start())

    assert scene.sent() == ["A"]


def test_a_report_knows_the_month_and_the_nights_before(scene: Scene, bound: Decimal) -> None:
    for number, ticket in enumerate("ABC", 1):
        scene.put(ticket)
        step = run(scene, ticket, Decimal(number), run_id=f"run {number}", max_cost_usd=9)
        scene.configure(MAX_MONTHLY_COST_USD=100)

    kept = scene.records("run", "run 3")[0]
    assert kept["month_cost_usd"] == 6
    assert kept["notices"] == []
    assert (kept["categories"], kept["failures"]) == ({}, {})
    assert "This month so far $6.00 of $100.00" in step["text"]
    before = scene.stack.ledger.reports_before("run 3", 7)
    assert {report["run_id"] for report in before} == {"run 1", "run 2"}
    assert not {"categories", "failures", "month_cost_usd", "notices"} & step["report"].keys()


@pytest.mark.parametrize("run_id", ["month#2026-11", "task#x", "lock"])
def test_a_name_of_the_record_is_no_run(scene: Scene, run_id: str) -> None:
    with pytest.raises(InvalidInput, match="run_id"):
        scene.submit(scene.start(), run_id=run_id)
