"""The record of runs: every step is one conditional write, and none happens out of order."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from nightshift import aws
from nightshift.claude.money import Usage
from nightshift.errors import BatchNotFound, LedgerMismatch
from nightshift.runs.ledger import Ledger, Stale
from nightshift.runs.lock import LockItem
from nightshift.runs.records import Batch, Round, Run, Tally, Trouble, UnaskedGroup
from nightshift.writing.bitmap import Bitmap
from tests.definitions import TEMPLATE
from tests.moto.scene import table

ME, OTHER = "execution:me", "execution:other"
CREATED_AT = datetime(2026, 11, 22, 2, 1, tzinfo=UTC)
TALLY = Tally(
    classified=3, unsure=2, superseded=1, requeued=2, failed=4, still_pending=5, rejected=1,
    succeeded=8, errored=2, canceled=1, expired=1, usage=Usage(1000, 200, 30, 4, 5),
    long_usage=Usage(900, 2), outputs={"stars": Counter(numbers=3, sum=-4)},
)  # fmt: skip

GONE = BatchNotFound("gone")

type Step = Callable[[Ledger, Batch], None]

STEPS: dict[str, Step] = {
    "open": lambda ledger, batch: ledger.open(batch, "msgbatch_1", CREATED_AT, False),
    "not_created": lambda ledger, batch: ledger.mark_not_created(batch, "refused"),
    "confirm": lambda ledger, batch: ledger.confirm(batch),
    "release": lambda ledger, batch: ledger.release(batch),
    "checkpoint": lambda ledger, batch: ledger.checkpoint(replace(batch, tally=TALLY)),
    "close": lambda ledger, batch: ledger.close(batch, ME),
    "mark_deleted": lambda ledger, batch: ledger.mark_deleted(batch),
    "mark_cancel_asked": lambda ledger, batch: ledger.mark_cancel_asked(batch),
    "set_aside": lambda ledger, batch: ledger.set_aside(batch, ME, unknown=True, problem=GONE),
}
WAY = {
    "creating": [],
    "open": ["open"],
    "closed": ["open", "close"],
    "not_created": ["not_created"],
}
ALLOWED = {
    "creating": {"open", "not_created"},
    "open": {"confirm", "release", "checkpoint", "close", "mark_cancel_asked", "set_aside"},
    "closed": {"mark_deleted", "set_aside"},
    "not_created": set[str](),
}


@pytest.fixture
def ledger(account: None) -> Ledger:
    """A run table whose lock is held by this execution."""
    dynamodb = aws.dynamodb()
    assert LockItem(dynamodb, "RunTable", lambda _: "RUNNING").take(ME, "run")
    return Ledger(dynamodb, "RunTable")


def intent(number: int = 1, execution: str = ME) -> Batch:
    return Batch(
        run_id="run",
        record=f"batch#{number:04}",
        token=f"token{number:03}",
        state="creating",
        round=1,
        execution=execution,
        model="claude-haiku-4-5",
        first="A",
        last="Z",
        requests=10,
        bound=Decimal("0.0123456789"),
        intent_at=CREATED_AT - timedelta(minutes=1),
        version="task@0123abcd",
        inputs=("title", "words"),
    )


def write_intent(ledger: Ledger, batch: Batch) -> None:
    """As a call does that has just read the lock."""
    ledger.record_intent(batch, lock_of(ledger).read().last_intent)


def lock_of(ledger: Ledger) -> LockItem:
    return LockItem(ledger.dynamodb, ledger.name, lambda _: "RUNNING")


def bring(ledger: Ledger, state: str) -> Batch:
    """A batch that has come as far as this state, as it is in the table now."""
    write_intent(ledger, intent())
    for step in WAY[state]:
        STEPS[step](ledger, ledger.batch("run", "batch#0001"))
    return ledger.batch("run", "batch#0001")


def test_an_intent_is_read_back_as_it_was_written(ledger: Ledger) -> None:
    write_intent(ledger, intent())

    assert ledger.batch("run", "batch#0001") == intent()
    assert ledger.run("run").batches == (intent(),)


def test_a_batch_of_release_0_1_0_read_subject_and_body(ledger: Ledger) -> None:
    write_intent(ledger, intent())
    ledger.dynamodb.update_item(
        TableName="RunTable",
        Key={"run_id": {"S": "run"}, "record": {"S": "batch#0001"}},
        UpdateExpression="REMOVE version, inputs",
    )

    batch = ledger.batch("run", "batch#0001")

    assert (batch.version, batch.inputs) == ("", ("subject", "body"))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", WAY)
def test_a_step_happens_in_its_own_state_only(ledger: Ledger, state: str, step: str) -> None:
    batch = bring(ledger, state)

    if step in ALLOWED[state]:
        STEPS[step](ledger, batch)
        assert ledger.batch("run", "batch#0001") != batch
    else:
        with pytest.raises(Stale):
            STEPS[step](ledger, batch)
        assert ledger.batch("run", "batch#0001") == batch


@pytest.mark.parametrize(("state", "step"), [("creating", "open"), ("open", "close")])
def test_of_two_callers_only_one_moves_a_batch_on(ledger: Ledger, state: str, step: str) -> None:
    batch = bring(ledger, state)

    STEPS[step](ledger, batch)

    with pytest.raises(Stale):
        STEPS[step](ledger, batch)


def test_a_batch_that_was_let_go_cannot_be_closed_by_who_still_holds_it(ledger: Ledger) -> None:
    held = bring(ledger, "open")
    ledger.release(held)
    ledger.open(ledger.batch("run", "batch#0001"), "msgbatch_2", CREATED_AT, False)

    for step in ("confirm", "checkpoint", "close", "release", "set_aside"):
        with pytest.raises(Stale):
            STEPS[step](ledger, held)

    batch = ledger.batch("run", "batch#0001")
    assert (batch.batch_id, batch.state, batch.not_ours) == ("msgbatch_2", "open", {"msgbatch_1"})


def test_every_foreign_batch_is_remembered(ledger: Ledger) -> None:
    write_intent(ledger, intent())
    for number in (1, 2):
        batch = ledger.batch("run", "batch#0001")
        ledger.open(batch, f"msgbatch_{number}", CREATED_AT, False)
        ledger.release(ledger.batch("run", "batch#0001"))

    batch = ledger.batch("run", "batch#0001")
    assert batch.not_ours == {"msgbatch_1", "msgbatch_2"}
    assert (batch.state, batch.batch_id, batch.created_at) == ("creating", None, None)


def test_an_intent_needs_the_lock(ledger: Ledger) -> None:
    with pytest.raises(Stale):
        write_intent(ledger, intent(execution=OTHER))

    assert ledger.run("run").batches == ()


def test_no_intent_once_a_stop_was_asked_for(ledger: Ledger) -> None:
    lock_of(ledger).ask_to_stop()

    with pytest.raises(Stale):
        write_intent(ledger, intent())

    assert ledger.run("run").batches == ()


@pytest.mark.parametrize("before", [0, 1])
def test_of_two_calls_that_read_the_same_records_one_writes_its_intent(
    ledger: Ledger, before: int
) -> None:
    for number in range(1, before + 1):
        write_intent(ledger, intent(number))
    seen = lock_of(ledger).read().last_intent
    ledger.record_intent(intent(before + 1), seen)

    with pytest.raises(Stale):
        ledger.record_intent(intent(before + 2), seen)

    assert len(ledger.run("run").batches) == before + 1


def test_a_run_is_not_finished_once_an_intent_was_written_since_its_records_were_read(
    ledger: Ledger,
) -> None:
    write_intent(ledger, intent(1))
    seen = lock_of(ledger).read().last_intent
    write_intent(ledger, intent(2))

    assert not lock_of(ledger).finish(ME, ["run"], seen)
    assert lock_of(ledger).read().unfinished == {"run"}


def test_an_intent_makes_its_run_unfinished_again(ledger: Ledger) -> None:
    lock = lock_of(ledger)
    assert lock.finish(ME, ["run"], None)

    write_intent(ledger, intent())

    assert (lock.read().unfinished, lock.read().last_intent) == ({"run"}, "token001")


def test_numbers_are_sorted_as_numbers(ledger: Ledger) -> None:
    for number in (9_999, 10_000, 2):
        write_intent(ledger, intent(number))
    for number in (999, 1_000):
        ledger.begin_round("run", Round(number, ME, scanned=False))

    run = ledger.run("run")

    assert [batch.number for batch in run.batches] == [2, 9_999, 10_000]
    assert [round_.number for round_ in run.rounds] == [999, 1_000]
    assert (run.next_batch, run.next_round) == ("batch#10001", 1_001)


def test_a_round_that_the_table_forgot_before_its_batches_is_not_begun_again(
    ledger: Ledger,
) -> None:
    write_intent(ledger, replace(intent(3), round=7))

    run = ledger.run("run")

    assert (run.next_batch, run.next_round) == ("batch#0004", 8)


def test_no_update_makes_an_item_that_the_table_forgot(ledger: Ledger) -> None:
    with pytest.raises(Stale):
        ledger.end_scan("run", 1)
    with pytest.raises(Stale):
        ledger.batch("run", "batch#0001")
    with pytest.raises(Stale):
        ledger.set_aside(replace(intent(), state="open"), ME, unknown=True, problem=GONE)

    assert ledger.run("run") == Run("run")


def test_an_intent_never_overwrites_another(ledger: Ledger) -> None:
    write_intent(ledger, intent())

    with pytest.raises(Stale):
        write_intent(ledger, replace(intent(), token="another!"))

    assert ledger.batch("run", "batch#0001").token == "token001"


def test_a_round_begins_once_and_needs_the_lock(ledger: Ledger) -> None:
    first = Round(1, ME, scanned=False, begun_at=CREATED_AT)
    ledger.begin_round("run", first)

    for refused in (first, Round(2, OTHER, scanned=False)):
        with pytest.raises(Stale):
            ledger.begin_round("run", refused)

    assert ledger.run("run").rounds == (first,)


def test_a_round_is_walked_once_its_end_was_reached(ledger: Ledger) -> None:
    for number in (1, 2):
        ledger.begin_round("run", Round(number, ME, scanned=False))

    ledger.end_scan("run", 2)

    assert [round_.scanned for round_ in ledger.run("run").rounds] == [False, True]


def test_a_checkpoint_is_read_back_to_the_bit_and_to_the_cent(ledger: Ledger) -> None:
    seen = Bitmap(100_000)
    seen.add([0, 7, 8, 99_999])
    batch = bring(ledger, "open")
    so_far = replace(
        batch,
        seen=bytes(seen),
        tally=TALLY,
        cost=Decimal("0.000123456789"),
        readings=2,
        rejection="permission_error: no",
    )

    ledger.checkpoint(so_far)

    assert ledger.batch("run", "batch#0001") == so_far
    [listed] = ledger.run("run").batches
    assert (listed.tally, listed.cost, listed.seen) == (TALLY, so_far.cost, b"")


def test_a_closed_batch_keeps_its_tally_and_drops_its_bitmap(ledger: Ledger) -> None:
    batch = bring(ledger, "open")
    ledger.checkpoint(replace(batch, seen=b"\xff\x03"))

    ledger.close(replace(batch, tally=TALLY, disputed=True), ME, [LedgerMismatch("9 of 10")])

    closed = ledger.batch("run", "batch#0001")
    assert (closed.state, closed.tally, closed.seen) == ("closed", TALLY, b"")
    assert (closed.disputed, closed.closed_by) == (True, ME)
    assert closed.trouble == Trouble("LedgerMismatch", "9 of 10", noticed_by=ME)


def test_only_the_first_execution_to_meet_a_problem_is_named(ledger: Ledger) -> None:
    batch = bring(ledger, "open")
    ledger.set_aside(batch, ME, unknown=True, problem=GONE)

    again = BatchNotFound("still gone")
    ledger.set_aside(ledger.batch("run", "batch#0001"), OTHER, unknown=True, problem=again)

    aside = ledger.batch("run", "batch#0001")
    assert aside.aside_by == OTHER
    assert aside.trouble == Trouble("BatchNotFound", "gone", noticed_by=ME)


def test_missed_polls_are_counted_by_whoever_holds_the_batch_now(ledger: Ledger) -> None:
    batch = bring(ledger, "creating")
    for _ in range(3):
        ledger.count_missed_poll(ledger.batch("run", "batch#0001"))
    missed = ledger.batch("run", "batch#0001").missed_polls

    STEPS["open"](ledger, batch)

    assert missed == 3
    assert ledger.batch("run", "batch#0001").missed_polls == 0


def test_more_long_ids_than_one_write_takes_are_remembered(ledger: Ledger) -> None:
    ids = {f"name{n:03}": "長" * 300 + str(n) for n in range(60)}

    ledger.remember_ids("run", ids)

    assert ledger.recall_ids("run", [*ids, "never heard of"]) == ids


def test_a_night_holds_its_own_run_only(ledger: Ledger) -> None:
    write_intent(ledger, intent())
    write_intent(ledger, replace(intent(), run_id="run2"))
    ledger.remember_ids("run", {"name": "long"})

    run = ledger.run("run")

    assert [batch.run_id for batch in run.batches] == ["run"]


def test_a_night_of_more_than_one_page_is_read_whole(ledger: Ledger) -> None:
    long = "x" * 300_000
    for number in range(1, 6):
        write_intent(ledger, replace(intent(number), first=long))

    assert len(ledger.run("run").batches) == 5


def test_everything_but_the_lock_is_forgotten_one_day(ledger: Ledger) -> None:
    bring(ledger, "closed")
    ledger.begin_round("run", Round(1, ME, scanned=False))
    unasked = ledger.unasked_group("run", "empty#0001", UnaskedGroup(1, ME, 3, 2))
    ledger.transact([unasked], ME)
    ledger.remember_ids("run", {"name": "long"})
    ledger.save_report("run", {"status": "complete", "cost_usd": 0.1})

    attribute = TEMPLATE["Resources"]["RunTable"]["Properties"]["TimeToLiveSpecification"]
    items = table("RunTable").scan()["Items"]
    by_record = {item["record"]: item.get(attribute["AttributeName"]) for item in items}

    assert by_record.pop("lock") is None
    assert len(by_record) == 5
    in_a_month = (datetime.now(UTC) + timedelta(days=30)).timestamp()
    in_a_year = (datetime.now(UTC) + timedelta(days=365)).timestamp()
    assert all(in_a_month < when < in_a_year for when in by_record.values())
