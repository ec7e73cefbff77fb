"""Rare states, played on a virtual clock: what a night leaves behind, the next ones put right."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from nightshift.aws import to_item
from nightshift.errors import TableRefused
from nightshift.events import SubmitCall
from nightshift.submit import submit
from nightshift.tickets.table import TicketTable
from tests.crash.stack import Stack
from tests.crash_proof.driver import Error, Execution
from tests.crash_proof.edges import Process
from tests.crash_proof.world import DAWN, SMALL, Trouble, Workshop, workshop
from tools.local.claude_standin.batches import Life

HOUR, DAY = 3600.0, 86_400.0
EVERYTHING = ("retrieve", "results", "cancel", "delete", "list")


@pytest.fixture
def ours() -> Iterator[Workshop]:
    """With as many turns until a batch is not found as on AWS."""
    with workshop(SMALL | {"nightshift.runs.missing": {"POLLS_UNTIL_NOT_FOUND": 60}}) as made:
        yield made


def test_a_lost_batch_keeps_its_range_back_until_nothing_of_it_can_be_live(ours: Workshop) -> None:
    stack = Stack.on(ours, Life(seconds=4000), Trouble(EVERYTHING, 404))
    stack.put("10", "20", "30", "40")
    first = stack.night()
    stack.world.now = DAWN + DAY
    stack.put("15", "25", "99")

    second = stack.night()

    hours = (stack.world.now - DAWN - DAY) / HOUR
    assert first["error"].startswith("BatchNotFound")
    assert second["status"] == "complete"
    assert hours < 4
    assert stack.pending() == []
    assert stack.times_sent() == Counter(["10", "20", "30", "40"] * 2 + ["15", "25", "99"])
    [lost] = [record for record in stack.records("batch#") if "unread" in record]
    assert (lost["state"], lost["unread"], lost["tally"]["requeued"]) == ("closed", "lost", 4)
    assert not stack.world.alarms


def test_nights_before_are_green_and_short_and_never_say_that_nothing_is_to_do(
    ours: Workshop,
) -> None:
    stack = Stack.on(ours, Life(seconds=4000), Trouble(EVERYTHING, 404))
    stack.put("10", "20", "30", "40")
    stack.night()
    ended = stack.world.now
    stack.put("99")

    nights = []
    for _ in range(3):
        began, calls = stack.world.now, len(stack.world.journal)
        nights.append(stack.night())
        assert stack.calls("retrieve", calls) <= 1 + 2 * (nights[-1]["classified"] > 0)
        assert stack.world.now - began < 3 * HOUR

    assert stack.world.now - DAWN < 23 * HOUR, ended
    assert {(night["status"], night["reason"]) for night in nights} == {("partial", "set_aside")}
    assert stack.pending() == ["10", "20", "30", "40"]
    assert "category" in stack.tickets()["99"]


def test_results_that_cannot_be_read_cost_later_nights_one_reading(ours: Workshop) -> None:
    stack = Stack.on(ours, Life(seconds=1000), Trouble(("results",), 503))
    stack.put("10", "20", "30", "40")
    first = stack.night()
    stack.put("99")
    before = len(stack.world.journal)

    second = stack.night()

    create = next(
        number
        for number, call in enumerate(stack.world.journal[before:])
        if call.operation == "create"
    )
    assert first["error"].startswith("ClaudeUnavailable")
    assert stack.calls("results", before) == 1 + sum(
        call.operation == "results" for call in stack.world.journal[before + create :]
    )
    assert (second["status"], second["reason"]) == ("partial", "set_aside")
    assert "category" in stack.tickets()["99"]


def test_what_becomes_readable_after_its_tickets_were_asked_again_is_told_and_counted(
    ours: Workshop,
) -> None:
    stack = Stack.on(ours, Life(seconds=1000), Trouble(("results",), 503, 30 * HOUR))
    stack.put("10", "20", "30", "40")
    stack.night()
    stack.world.now = DAWN + 26 * HOUR
    again = stack.night()
    stack.world.now = DAWN + 50 * HOUR
    execution = stack.start(run_id="later")

    steps = _steps_of(stack, execution)

    assert again["classified"] == 4
    assert steps[-1]["notices"][0].endswith("0 tickets sorted, 4 answers too late, for $0.0004.")
    [late, *_] = stack.records("batch#")
    assert (late["state"], late["tally"]["superseded"]) == ("closed", 4)
    assert stack.times_sent() == Counter(["10", "20", "30", "40"] * 2)


def test_cancel_collects_what_an_earlier_night_could_not_write(
    ours: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack.on(ours, Life(seconds=1000, cancel_seconds=1))
    stack.put("10", "20", "30", "40")

    def refuse(*_: Any) -> Any:
        raise TableRefused("DynamoDB refused a write to tickets: AccessDenied.")

    with monkeypatch.context() as patch:
        patch.setattr(TicketTable, "write", refuse)
        first = stack.night()
    canceled = stack.night(action="cancel")

    assert first["error"].startswith("TableRefused")
    assert (canceled["status"], canceled["classified"]) == ("canceled", 4)
    assert stack.pending() == []


def test_cancel_asks_a_batch_once_that_the_provider_does_not_know(ours: Workshop) -> None:
    stack = Stack.on(ours, Life(seconds=40_000), Trouble(EVERYTHING, 404))
    stack.put("10", "20", "30", "40")
    night = stack.start()
    night.run(until=stack.created)
    stack.world.abort(night.arn)

    canceling = stack.start(action="cancel")
    steps = canceling.run()

    assert stack.calls("cancel") == 1
    assert steps < 200
    assert canceling.report is None  # it ends red: the batch was set aside on the way
    assert canceling.error.startswith("BatchNotFound")


def test_cancel_goes_on_where_a_batch_has_just_ended(ours: Workshop) -> None:
    stack = Stack.on(ours, Life(seconds=1000), max_requests_per_batch=2)
    stack.put("10", "20", "30", "40")
    night = stack.start()
    night.run(until=lambda: len(stack.world.claude.everything()) == 2)
    stack.world.claude.everything()[0].ends_at = stack.world.now - 1

    canceling = stack.start(action="cancel")
    canceling.run()
    night.run()

    assert (canceling.report or {})["status"] == "canceled"
    assert (night.report or {})["status"] == "canceled"
    assert (night.report or {})["classified"] == 2


def test_a_batch_that_is_sent_after_its_run_was_finished_is_found_by_the_next_night(
    ours: Workshop,
) -> None:
    """The month's budget is used up; submit says so, its answer is lost, and the next month has
    begun when it is called again."""
    stack = Stack.on(ours, Life(seconds=4000), max_monthly_cost_usd=Decimal("0.01"))
    stack.world.now = datetime(2026, 11, 29, 2, tzinfo=UTC).timestamp()
    stack.put("a")
    stack.night()
    spent = {"state": "closed", "deleted": True, "cost": Decimal("0.0095")}
    old = {"run_id": "2026-11-29", "intent_at": "2026-11-29T01:00:00+00:00", "requests": 0}
    stack.world.put("runs", _void(2) | to_item(spent | old))
    stack.world.now = datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC).timestamp()
    stack.put("10", "20")
    execution = stack.start()
    said = _steps_of(stack, execution, "report", "wait")[-1]
    unfinished = _lock(stack).get("unfinished", set())
    stack.world.now += 20

    sent = _steps_of(stack, execution, "report", "wait")[-1]
    stack.world.abort(execution.arn)
    report = stack.night()

    assert (said["report"]["status"], said["report"]["reason"]) == ("partial", "budget")
    assert unfinished == set()
    assert sent["next"] == "wait"
    assert report["status"] == "complete"
    assert stack.times_sent() == Counter(["a", "10", "20"])
    assert stack.pending() == []


@pytest.mark.parametrize("dies_in", ["count_pending", "count_failed"])
def test_a_red_night_stays_red_whatever_fails_while_it_finishes(
    ours: Workshop, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    stack = Stack.on(ours, Life(seconds=1000))
    stack.put("10", "20", "30", "40")
    first = stack.start()
    first.run(until=stack.created)
    stack.world.abort(first.arn)
    results, [batch] = stack.world.claude.results, stack.world.claude.everything()

    def cut(batch_id: str) -> Any:
        lines = results(batch_id)
        return list(lines)[:1] if batch_id == batch.id else lines

    monkeypatch.setattr(stack.world.claude, "results", cut)
    count, failures = getattr(TicketTable, dies_in), [RuntimeError("the function dies here")]

    def once(self: TicketTable) -> Any:
        if failures:
            raise failures.pop()
        return count(self)

    monkeypatch.setattr(TicketTable, dies_in, once)

    stack.world.now += DAY
    second = stack.night()

    assert second["error"].startswith("LedgerMismatch")
    assert failures == []
    assert stack.world.told == [second["error"]]


def test_a_run_of_ten_thousand_batches_sends_no_ticket_twice(ours: Workshop) -> None:
    stack = Stack.on(ours, Life(seconds=4000), max_requests_per_batch=2)
    stack.put(*(f"t{n}" for n in range(10, 24)))
    for number in (9_997, 9_998):
        stack.world.put("runs", _void(number))

    report = stack.night()

    assert report["status"] == "complete"
    assert set(stack.times_sent().values()) == {1}
    assert max(stack.records("batch#"), key=_number)["record"] == "batch#10005"


def test_a_run_of_a_thousand_rounds_begins_new_ones(ours: Workshop) -> None:
    stack = Stack.on(ours, Life(seconds=400))
    stack.put("10", "20")
    for number in (998, 999):
        item = {"run_id": "2026-11-22", "record": f"round#{number}", "execution": "old"}
        stack.world.put("runs", to_item({**item, "walked": True}))

    first, second = stack.night(), stack.night()

    assert (first["status"], first["classified"]) == ("complete", 2)
    assert second["status"] == "nothing_to_do"
    assert set(stack.times_sent().values()) == {1}


def test_a_run_id_can_be_used_for_longer_than_the_table_remembers(ours: Workshop) -> None:
    stack = Stack.on(ours, Life(seconds=400))
    reports = []
    for ticket_id, days in (("10", 60), ("20", 31), ("30", 0)):
        stack.put(ticket_id)
        reports.append(stack.night(run_id="backlog"))
        stack.world.now += days * DAY
        stack.forget_expired()

    assert [report["status"] for report in reports] == ["complete"] * 3
    assert stack.pending() == []


def test_a_batch_that_the_table_forgets_while_it_is_collected_is_not_made_anew(
    ours: Workshop,
) -> None:
    stack = Stack.on(ours, Life(seconds=1000))
    stack.put("10")
    night = stack.start()
    night.run(until=lambda: (night.answer or {}).get("next") == "collect")
    stack.forget("2026-11-22", "batch#0001")

    night.run()
    left = stack.records("batch#")
    later = [stack.night() for _ in range(2)]

    assert left == []
    assert [report["status"] for report in later] == ["complete", "nothing_to_do"]


def test_a_record_that_is_gone_is_not_set_aside_by_the_workflow(ours: Workshop) -> None:
    stack = Stack.on(ours, Life(seconds=1000))
    night = stack.start()

    night._set_aside("2026-11-22", "batch#0001", Error("ClaudeUnavailable", "no"))

    assert stack.records("batch#") == []


def test_what_was_never_read_counts_at_its_bound_for_ever(
    ours: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack.on(ours, Life(seconds=1000), max_attempts=1)
    stack.put("10", "20", "30", "40")
    results = stack.world.claude.results
    monkeypatch.setattr(stack.world.claude, "results", lambda batch_id: list(results(batch_id))[:1])

    red = stack.night()

    process = Process("checks", "none", stack.world.now, lambda _: None)
    with stack.world.deployment(process) as deployed:
        [batch] = deployed.ledger.run("2026-11-22").batches
    one = batch.bound / 4
    assert red["error"].startswith("LedgerMismatch")
    assert batch.tally.read == 1
    assert one * 3 < batch.counted <= batch.bound
    assert batch.counted >= batch.cost + one * 3 * Decimal("0.9")


def test_a_batch_that_is_known_again_is_not_sent_by_a_round_that_was_under_way(
    ours: Workshop,
) -> None:
    """A wrong key, a start whose create is refused, and then the right key."""
    stack = Stack.on(ours, Life(seconds=80_000), Trouble(EVERYTHING, 404, 12 * HOUR))
    stack.put("10", "20", "30", "40")
    stack.night()
    stack.put("05")
    _refuse_creates(stack, 1)
    second, before = stack.start(), len(stack.world.journal)
    second.run(until=lambda: stack.calls("create", before) >= 1)
    stack.world.abort(second.arn)
    stack.world.now = max(stack.world.now, DAWN + 13 * HOUR)
    _refuse_creates(stack, 1)

    third = stack.night()

    assert stack.world.alarms == []
    assert third["status"] == "complete"
    assert stack.times_sent() == Counter(["05", "10", "20", "30", "40"])


def test_results_that_claude_does_not_have_although_the_batch_has_ended_hold_no_night_up(
    ours: Workshop,
) -> None:
    stack = Stack.on(ours, Life(seconds=1000), Trouble(("results",), 404))
    stack.put("10", "20")
    first = stack.night()

    nights = []
    for day in (1, 2, 3):
        stack.world.now = max(stack.world.now, DAWN + day * DAY)
        began = stack.world.now
        stack.put(f"9{day}")
        nights.append(stack.night())
        assert stack.world.now - began < 4 * HOUR

    assert first["error"].startswith("BatchNotFound")
    assert ["error" in night for night in nights] == [False] * 3
    assert stack.pending() == []


def test_a_lost_batch_about_which_claude_cannot_be_asked_holds_no_night_up(ours: Workshop) -> None:
    stack = Stack.on(ours, Life(seconds=4000), Trouble(EVERYTHING, 404))
    stack.put("10", "20")
    stack.night()
    stack.world.trouble = Trouble(("retrieve", "list"), 503)
    stack.world.now = DAWN + 2 * DAY
    stack.put("99")

    night = stack.night()

    assert night["classified"] == 3
    assert stack.pending() == []


def test_creates_that_nobody_answers_end_the_night_before_its_history_is_full(
    ours: Workshop,
) -> None:
    stack = Stack.on(ours, Life(seconds=1000))
    stack.world._creates = iter(("500",) * 100)
    stack.put("10", "20")

    night = stack.night()

    assert night["error"].startswith("ClaudeUnavailable: 10 creates in a row")
    assert stack.calls("create") == 10
    assert stack.pending() == ["10", "20"]


def _refuse_creates(stack: Stack, times: int) -> None:
    stack.world._creates = iter(("529",) * times)


def _steps_of(stack: Stack, execution: Execution, *ends: str) -> list[dict[str, Any]]:
    """The answers of submit, until one says what comes next as asked; else all of the execution."""
    if not ends:
        seen: list[dict[str, Any]] = []
        execution.run(until=lambda: _note(seen, execution))
        return seen
    steps: list[dict[str, Any]] = []
    while not steps or steps[-1]["next"] not in ends:
        process = Process("submit", execution.arn, stack.world.now, lambda _: None)
        with stack.world.deployment(process) as deployed:
            call = SubmitCall.parse(execution._submit_event({}))
            steps.append(submit(call, deployed, lambda: 600.0))
    return steps


def _note(seen: list[dict[str, Any]], execution: Execution) -> bool:
    if execution.answer and "notices" in execution.answer:
        seen.append(execution.answer)
    return False


def _lock(stack: Stack) -> dict[str, Any]:
    return next(record for record in stack.records() if record["run_id"] == "lock")


def _number(record: dict[str, Any]) -> int:
    return int(record["record"].partition("#")[2])


def _void(number: int) -> dict[str, Any]:
    """An intent of another execution that came to nothing."""
    values = {
        "run_id": "2026-11-22", "record": f"batch#{number}", "token": "AAAAAAAA", "state": "void",
        "refusal": "too_large", "round": 0, "execution": "old", "model": "claude-haiku-4-5",
        "first": "a", "last": "a", "requests": 1, "bound": Decimal(0),
        "intent_at": "2026-11-22T01:00:00+00:00",
    }  # fmt: skip
    return to_item(values)
