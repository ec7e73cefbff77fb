"""What the ledger writes has the names and values that releases before have stored."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nightshift import aws
from nightshift.aws import from_item, to_item
from nightshift.claude.money import Usage
from nightshift.errors import AnswersUnusable, BatchNotFound, LedgerMismatch
from nightshift.quality.gold import Comparison, Gold
from nightshift.runs import stored
from nightshift.runs.ledger import Ledger
from nightshift.runs.lock import LockItem
from nightshift.runs.records import TRY_LATER, Batch, Round, Tally, Trouble, Version

ME, EARLIER = "execution:me", "execution:earlier"
SENT, CREATED, ENDED = (datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in (2, 3, 4))
INTENT = Batch(
    run_id="run", record="batch#0001", token="t0ken", round=1, execution=ME, model="claude",
    first="A", last="Z", requests=10, bound=Decimal("0.5"), intent_at=SENT,
    largest=Decimal("0.05"), version="task@0123abcd", inputs=("title",), fixed_tokens=7,
    redacted=Counter(email=12, card=3),
)  # fmt: skip
TALLY = Tally(
    classified=1, superseded=2, requeued=3, failed=4, still_pending=5, rejected=6, succeeded=7,
    errored=1, canceled=1, expired=1, usage=Usage(1, 2, 3, 4, 5), categories=Counter(billing=1),
    failures=Counter(refusal=4), unusable=Counter(refusal=4), unsure=8,
    outputs={"category": Counter(billing=1), "size": Counter(numbers=2, sum=-3)},
)  # fmt: skip
GOLD = Gold(9, 7, 2, {
    "category": Comparison(
        9, 7, 2, {"billing": Counter(expected=8, answered=7, correct=7, unsure=2)},
        {"billing": Counter(other=1)}, 1,
    ),
})  # fmt: skip
STORED_GOLD = {
    "tickets": 9, "correct": 7, "unsure": 2,
    "outputs": {
        "category": {
            "compared": 9, "correct": 7, "unsure": 2,
            "classes": {"billing": {"expected": 8, "answered": 7, "correct": 7, "unsure": 2}},
            "confused": {"billing": {"other": 1}}, "other": 1,
        },
    },
}  # fmt: skip
USAGE = {"input_tokens": 1, "output_tokens": 2, "cache_write_5m": 3, "cache_write_1h": 4,
         "cache_read": 5}  # fmt: skip
STORED_INTENT = {
    "run_id": "run", "record": "batch#0001", "token": "t0ken", "state": "creating", "round": 1,
    "execution": ME, "model": "claude", "version": "task@0123abcd", "inputs": ["title"],
    "first": "A", "last": "Z", "requests": 10, "bound": Decimal("0.5"),
    "largest": Decimal("0.05"), "fixed_tokens": 7, "intent_at": "2026-11-22T02:00:00+00:00",
    "redacted": {"email": 12, "card": 3},
}  # fmt: skip
STORED_TALLY = {
    "classified": 1, "superseded": 2, "requeued": 3, "failed": 4, "left": 5, "rejected": 6,
    "succeeded": 7, "errored": 1, "canceled": 1, "expired": 1, "usage": USAGE,
    "long_usage": dict.fromkeys(USAGE, 0), "categories": {"billing": 1},
    "failures": {"refusal": 4}, "unusable": {"refusal": 4}, "unsure": 8,
    "outputs": {"category": {"billing": 1}, "size": {"numbers": 2, "sum": -3}},
}  # fmt: skip


@pytest.fixture
def ledger(account: None) -> Ledger:
    """A run table with an intent, whose lock is held by this execution."""
    lock = LockItem(aws.dynamodb(), "RunTable", lambda _: "RUNNING")
    assert lock.take(ME, "run")
    made = Ledger(aws.dynamodb(), "RunTable")
    made.record_intent(INTENT, None)
    return made


def item(ledger: Ledger, record: str = "batch#0001", run_id: str = "run") -> dict[str, Any]:
    """What stands in the table, but for when it may be forgotten."""
    key = {"run_id": {"S": run_id}, "record": {"S": record}}
    found = from_item(ledger.dynamodb.get_item(TableName="RunTable", Key=key)["Item"])
    found.pop("expires_at")
    return found


def now(ledger: Ledger) -> Batch:
    return ledger.batch("run", "batch#0001")


def test_an_intent(ledger: Ledger) -> None:
    assert item(ledger) == STORED_INTENT


def test_a_batch_that_is_found_in_the_list_and_confirmed(ledger: Ledger) -> None:
    ledger.count_missed_poll(INTENT)
    ledger.mark_polled(INTENT, ME)
    before = item(ledger)
    ledger.open(INTENT, "msgbatch_1", CREATED, confirmed=False)
    ledger.confirm(now(ledger))

    assert (before["looks"], before["turned_by"]) == (1, ME)
    assert item(ledger) == STORED_INTENT | {
        "state": "open", "batch_id": "msgbatch_1", "created_at": "2026-11-22T03:00:00+00:00",
        "looks": 0, "turned_by": ME, "proved": True,
    }  # fmt: skip


def test_a_batch_that_was_not_created(ledger: Ledger) -> None:
    ledger.mark_not_created(INTENT, TRY_LATER)

    assert item(ledger) == STORED_INTENT | {"state": "void", "refusal": "refused"}
    assert (now(ledger).state, now(ledger).why_not_created) == ("not_created", TRY_LATER)


def test_a_batch_of_somebody_else(ledger: Ledger) -> None:
    ledger.open(INTENT, "msgbatch_1", CREATED, confirmed=False)
    ledger.release(now(ledger))

    expected = {"state": "creating", "proved": False, "looks": 0, "foreign": {"msgbatch_1"}}
    assert item(ledger) == STORED_INTENT | expected


def test_a_batch_that_is_set_aside_and_closed_after_all(ledger: Ledger) -> None:
    ledger.open(INTENT, "msgbatch_1", CREATED, confirmed=True)
    ledger.set_aside(now(ledger), EARLIER, unknown=True, problem=BatchNotFound("gone"))
    aside = item(ledger)
    batch = replace(now(ledger), tally=TALLY, cost=Decimal("0.1"), ended_at=ENDED, readings=1)
    ledger.checkpoint(replace(batch, seen=b"\x01", rejection="no"))
    saved = item(ledger)
    ledger.close(replace(batch, disputed=True), ME)
    closed = item(ledger)

    trouble = {"error": "BatchNotFound", "cause": "gone", "noticed_by": EARLIER, "told": False}
    assert aside.items() >= {"aside_by": EARLIER, "unknown": True, **trouble}.items()
    assert (saved["seen"], saved["readings"], saved["rejection"]) == (b"\x01", 1, "no")
    assert saved["tally"] == closed["tally"] == STORED_TALLY
    assert closed.pop("closed_at")
    assert closed == STORED_INTENT | trouble | {
        "state": "closed", "batch_id": "msgbatch_1", "created_at": "2026-11-22T03:00:00+00:00",
        "proved": True, "looks": 0, "aside_by": EARLIER, "unknown": True, "tally": STORED_TALLY,
        "readings": 1, "rejection": "no", "cost": Decimal("0.1"), "disputed": True,
        "ended_at": "2026-11-22T04:00:00+00:00", "closed_by": ME,
    }  # fmt: skip


def test_what_was_answered_is_read_back_output_by_output(ledger: Ledger) -> None:
    ledger.open(INTENT, "msgbatch_1", CREATED, confirmed=True)
    ledger.close(replace(now(ledger), tally=TALLY), ME)

    read = now(ledger).tally
    assert read == TALLY
    numbers = [count for counts in read.outputs.values() for count in counts.values()]
    assert {type(number) for number in numbers} == {int}
    assert (read + read).outputs["size"] == Counter(numbers=4, sum=-6)


def test_what_was_known_beforehand_is_stored_with_the_tally_and_read_back(ledger: Ledger) -> None:
    ledger.open(INTENT, "msgbatch_1", CREATED, confirmed=True)
    ledger.checkpoint(replace(now(ledger), tally=replace(TALLY, gold=GOLD), seen=b"\x01"))

    assert item(ledger)["tally"] == STORED_TALLY | {"gold": STORED_GOLD}
    assert now(ledger).tally.gold == GOLD


def test_a_tally_from_before_outputs_were_counted_is_read_without_them(ledger: Ledger) -> None:
    ledger.open(INTENT, "msgbatch_1", CREATED, confirmed=True)
    old = {name: value for name, value in STORED_TALLY.items() if name not in ("unsure", "outputs")}
    set_values(ledger, {"tally": {"M": to_item(old)}})

    assert now(ledger).tally == replace(TALLY, unsure=0, outputs={})


def test_two_errors_of_one_batch_are_kept_apart(ledger: Ledger) -> None:
    ledger.open(INTENT, "msgbatch_1", CREATED, confirmed=True)
    both = [LedgerMismatch("one is missing."), AnswersUnusable("all of them.")]
    ledger.close(now(ledger), ME, both)

    assert item(ledger).items() >= {
        "error": "AnswersUnusable", "cause": "all of them.", "noticed_by": ME, "told": False,
        "also": "LedgerMismatch: one is missing.",
    }.items()  # fmt: skip


def test_a_problem_of_release_0_1_0_is_read_and_gives_way_to_a_new_one(ledger: Ledger) -> None:
    ledger.open(INTENT, "msgbatch_1", CREATED, confirmed=True)
    old = {"problem": "BatchNotFound: gone: quite", "noticed_by": EARLIER, "aside_by": EARLIER}
    set_values(ledger, to_item(old))
    read = now(ledger).trouble
    ledger.close(now(ledger), ME, [LedgerMismatch("one is missing.")])

    assert read == Trouble("BatchNotFound", "gone: quite", EARLIER)
    assert now(ledger).trouble == Trouble("LedgerMismatch", "one is missing.", ME)


def test_what_was_redacted_is_read_back_and_an_intent_from_before_has_nothing(
    ledger: Ledger,
) -> None:
    read = now(ledger).redacted
    key = {"run_id": {"S": "run"}, "record": {"S": "batch#0001"}}
    ledger.dynamodb.update_item(TableName="RunTable", Key=key, UpdateExpression="REMOVE redacted")

    assert read == ledger.run("run").batches[0].redacted + read == Counter(email=12, card=3)
    assert {type(count) for count in read.values()} == {int}
    assert now(ledger).redacted == Counter()


def set_values(ledger: Ledger, values: dict[str, Any]) -> None:
    ledger.dynamodb.update_item(
        TableName="RunTable",
        Key={"run_id": {"S": "run"}, "record": {"S": "batch#0001"}},
        UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )


def test_a_round_that_was_scanned_to_its_end(ledger: Ledger) -> None:
    ledger.begin_round("run", Round(1, ME, scanned=False, begun_at=SENT))
    ledger.end_scan("run", 1)

    assert item(ledger, "round#001") == {
        "run_id": "run", "record": "round#001", "execution": ME, "walked": True,
        "begun_at": "2026-11-22T02:00:00+00:00",
    }  # fmt: skip


def test_what_is_known_of_a_version(ledger: Ledger) -> None:
    ledger.open(INTENT, "msgbatch_1", CREATED, confirmed=True)
    moment = SENT.replace(microsecond=5)
    known = Version("task@0123abcd", moment, ME, 7, Counter(refusal=4), False, "t0ken", 7)
    ledger.close(now(ledger), ME, learned=known)

    assert item(ledger, "version", "task#task@0123abcd") == {
        "run_id": "task#task@0123abcd", "record": "version", "execution": ME, "answers": 7,
        "unusable": {"refusal": 4}, "failed": False, "last_closed": "t0ken",
        "passed_at": "2026-11-22T02:00:00+00:00", "fixed_tokens": 7,
    }  # fmt: skip


def test_every_other_name_in_code_stands_for_one_that_release_0_1_0_wrote() -> None:
    table = Path(__file__).parents[1] / "unit" / "run_table_0_1_0.json"
    items = [from_item(each) for each in json.loads(table.read_text(encoding="utf-8"))]
    written = {name for each in items for name in each}
    written |= {name for each in items for name in each.get("tally", ())}

    assert set(stored.NAMES.values()) <= written
    assert not set(stored.NAMES) & written
