"""What a night came to: sums that balance, in the contract's words and in an operator's."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.claude.money import Usage
from nightshift.claude.prices import published
from nightshift.ending import report
from nightshift.ending.report import Ending
from nightshift.errors import LedgerMismatch
from nightshift.quality.gold import Gold, compare
from nightshift.runs.records import Batch, Canary, Round, Run, Tally, UnaskedGroup
from nightshift.task.answer import Answer
from tests.tasks import changed, reviews, task

ME, OTHER = "execution:me", "execution:other"
NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
CONTRACT = {
    "run_id",
    "status",
    "batches",
    "submitted",
    "classified",
    "unsure",
    "superseded",
    "requeued",
    "failed",
    "empty",
    "unchanged",
    "pending",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "realtime_cost_usd",
    "saved_usd",
    "duration_seconds",
}


def batch(tally: Tally, number: int = 1, **fields: Any) -> Batch:
    """A closed batch whose requests are all accounted for."""
    closed = Batch(
        run_id="2026-11-22",
        record=f"batch#{number:04}",
        token="tok-en_1",
        state="closed",
        round=1,
        execution=ME,
        model="claude-haiku-4-5",
        first="T-1",
        last="T-9",
        requests=tally.accounted,
        bound=Decimal(1),
        intent_at=datetime(2026, 11, 22, 2, tzinfo=UTC),
        batch_id=f"msgbatch_{number}",
        tally=tally,
        cost=published().of("claude-haiku-4-5").batch_cost(tally.usage),
    )
    return replace(closed, **fields)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands still, however long a test takes."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return NOW

    monkeypatch.setattr(report, "datetime", Stopped)


def flat(run: Run, status: str = "complete", reason: str = "", pending: int = 0) -> Any:
    return report.flat(run, Ending(status, reason), pending, NOW)


RUN = Run(
    "2026-11-22",
    (
        batch(Tally(classified=70, requeued=20, failed=4, usage=Usage(1_000_000, 200_000))),
        batch(Tally(classified=15, unsure=6, superseded=5, usage=Usage(500_000, 100_000)), 2),
    ),
    unasked=(UnaskedGroup(1, ME, 3), UnaskedGroup(2, OTHER, 2, 4)),
)


def test_the_report_is_the_sum_over_the_run() -> None:
    found = flat(RUN, pending=7)

    assert found.pop("duration_seconds") == 0
    assert found == {
        "run_id": "2026-11-22",
        "status": "complete",
        "batches": 2,
        "submitted": 120,
        "classified": 85,
        "unsure": 6,
        "superseded": 5,
        "requeued": 20,
        "failed": 9,
        "empty": 5,
        "unchanged": 4,
        "pending": 7,
        "input_tokens": 1_500_000,
        "output_tokens": 300_000,
        "cost_usd": 1.5,
        "realtime_cost_usd": 3.0,
        "saved_usd": 1.5,
    }


def test_the_keys_are_those_of_the_contract_and_flat() -> None:
    found = flat(RUN)

    assert found.keys() == CONTRACT
    assert all(isinstance(value, str | int | float) for value in found.values())


def test_a_partial_run_says_why() -> None:
    assert flat(RUN, "partial", "budget")["reason"] == "budget"
    assert flat(RUN, "partial", "budget").keys() == CONTRACT | {"reason"}


def test_a_run_without_anything_is_all_zeros() -> None:
    found = flat(Run("2026-11-22"), "nothing_to_do")

    assert {found[key] for key in CONTRACT - {"run_id", "status"}} == {0}


COUNTS = st.integers(0, 100_000)
TALLIES = st.builds(
    Tally, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, usage=st.builds(Usage, COUNTS, COUNTS, COUNTS)
)


@given(st.lists(TALLIES, max_size=5), st.lists(COUNTS, max_size=3))
def test_the_books_balance(tallies: list[Tally], blank: list[int]) -> None:
    batches = tuple(batch(tally, number) for number, tally in enumerate(tallies, 1))
    found = flat(
        Run("2026-11-22", batches, unasked=tuple(UnaskedGroup(1, ME, count) for count in blank))
    )

    ends = ("classified", "unsure", "superseded", "requeued", "failed")
    assert found["submitted"] == sum(found[end] for end in ends) - found["empty"]
    assert found["saved_usd"] == pytest.approx(found["cost_usd"])


@pytest.mark.parametrize("requests", [93, 95, 0])
def test_books_that_do_not_balance_fail_loudly_with_the_numbers(requests: int) -> None:
    wrong = replace(RUN.batches[0], requests=requests)

    with pytest.raises(LedgerMismatch, match=f"2026-11-22: {requests} requests, but 94 accounted"):
        flat(replace(RUN, batches=(wrong,)))


@pytest.mark.parametrize("state", ["creating", "open", "not_created"])
def test_what_is_not_closed_is_in_no_sum(state: Any) -> None:
    unfinished = batch(Tally(classified=3), 3, state=state, requests=10, cost=Decimal(9))
    with_it = flat(replace(RUN, batches=(*RUN.batches, unfinished)))
    without = flat(RUN)

    assert with_it.pop("batches") - without.pop("batches") == (state == "open")
    assert with_it == without


def test_tokens_from_a_cache_are_tokens() -> None:
    usage = Usage(1, 2, cache_write_5m=10, cache_write_1h=100, cache_read=1_000)

    found = flat(Run("2026-11-22", (batch(Tally(classified=1, usage=usage)),)))

    assert (found["input_tokens"], found["output_tokens"]) == (1_111, 2)


def test_the_duration_is_that_of_the_execution() -> None:
    found = report.flat(RUN, Ending("complete"), 0, NOW - timedelta(hours=1))

    assert found["duration_seconds"] == 3_600


def test_a_run_at_two_prices_is_summed_at_both() -> None:
    usage = Usage(input_tokens=1_000_000)
    cheap = batch(Tally(classified=1, usage=usage), 2, model="claude-haiku-5-5")
    cheap = replace(cheap, cost=Decimal("0.05"))

    found = flat(Run("2026-11-22", (batch(Tally(classified=1, usage=usage)), cheap)))

    assert (found["cost_usd"], found["realtime_cost_usd"]) == (0.55, 1.1)


@pytest.mark.parametrize(
    ("run", "worked"),
    [
        (Run("x"), False),
        (Run("x", (batch(Tally()),)), True),
        (Run("x", (batch(Tally(), execution=OTHER, closed_by=ME),)), True),
        (Run("x", (batch(Tally(), execution=OTHER, closed_by=OTHER),)), False),
        (Run("x", (batch(Tally(), state="not_created"),)), False),
        (Run("x", unasked=(UnaskedGroup(1, ME, 1),)), True),
        (Run("x", unasked=(UnaskedGroup(1, OTHER, 1),)), False),
    ],
)
def test_an_execution_has_worked_if_it_sent_closed_or_gave_up_anything(
    run: Run, worked: bool
) -> None:
    assert run.has_work_of(ME) is worked


def canary_of(state: Any, **fields: Any) -> Canary:
    asked_at = datetime(2026, 11, 22, 2, tzinfo=UTC)
    asked = Canary("2026-11-22", "canary#0001", state, ME, "claude-haiku-4-5", Decimal(3), asked_at)
    return replace(asked, **fields)


def test_a_canary_is_in_the_money_and_in_the_tokens_and_in_nothing_else() -> None:
    asked = canary_of("answered", cost=Decimal("0.25"), usage=Usage(100, 10))
    lost, refused = canary_of("asked"), canary_of("refused")

    found = flat(replace(RUN, canaries=(lost, refused, asked)))

    money = {"cost_usd": 1.75, "realtime_cost_usd": 3.25, "saved_usd": 1.5}
    assert found == flat(RUN) | money | {"input_tokens": 1_500_100, "output_tokens": 300_010}


def test_the_details_say_what_tickets_became_and_why() -> None:
    one = Tally(classified=3, failed=1, categories=Counter(a=2, b=1), failures=Counter(refusal=1))
    two = Tally(classified=1, categories=Counter(b=1))
    one = replace(one, outputs={"category": Counter(a=2, b=1)})
    two = replace(two, outputs={"category": Counter(b=1)})
    run = Run("x", (batch(one), batch(two, 2)), unasked=(UnaskedGroup(1, ME, 3),))

    assert report.details(run, task()) == {
        "categories": {"a": 2, "b": 2},
        "failures": {"refusal": 1, "empty_ticket": 3},
        "items": ["ticket", "tickets"],
        "outputs": {"category": {"type": "label", "counts": {"a": 2, "b": 2}}},
        "redacted": {},
    }


def test_what_was_redacted_is_the_sum_over_closed_batches_and_no_part_of_the_output() -> None:
    one = batch(Tally(classified=1), redacted=Counter(email=2, card=1))
    two = batch(Tally(classified=1), 2, redacted=Counter(email=1, iban=1))
    still_open = batch(Tally(), 3, state="open", redacted=Counter(email=9))

    details = report.details(Run("x", (one, two, still_open)), task())

    assert details["redacted"] == {"email": 3, "card": 1, "iban": 1}
    assert report.output({**flat(RUN), **details}).keys() == CONTRACT


def test_what_was_known_beforehand_is_compared_over_the_closed_batches() -> None:
    right, wrong = (
        compare(task().output, {"category": known}, Answer({"category": "billing"}))
        for known in ("billing", "other")
    )
    one, two = batch(Tally(classified=2, gold=right + wrong)), batch(Tally(1, gold=right), 2)
    still_open = batch(Tally(gold=wrong), 3, state="open")
    run = Run("x", (one, two, still_open))

    found, details = flat(run), report.details(run, task())

    assert (found["gold"], found["correct"]) == (3, 2)
    assert found.keys() == CONTRACT | {"gold", "correct"}
    assert Gold.read(details["quality"]) == right + wrong + right
    assert report.output({**found, **details}).keys() == CONTRACT | {"gold", "correct"}


def test_where_all_that_was_known_was_left_to_a_person_gold_is_there_and_0() -> None:
    doubt = compare(reviews().output, {"status": "good"}, Answer({}, ("status",)))

    found = flat(Run("x", (batch(Tally(unsure=1, gold=doubt)),)))

    assert (found["gold"], found["correct"]) == (0, 0)


def test_the_details_name_each_output_with_its_type_and_the_items_in_the_tasks_words() -> None:
    output = {
        "stars": {"type": "integer", "minimum": -5, "maximum": 5},
        "spam": {"type": "boolean"},
    }
    reviews = changed(output=output, items=("review", "reviews"), max_tokens=100)
    counted = {
        "stars": Counter(numbers=2, sum=-7),
        "spam": Counter(no=2),
        "mood": Counter(good=1),  # an output that today's task does not know
    }

    details = report.details(Run("x", (batch(Tally(classified=2, outputs=counted)),)), reviews)

    assert details["items"] == ["review", "reviews"]
    assert details["outputs"] == {
        "stars": {"type": "integer", "counts": {"numbers": 2, "sum": -7}},
        "spam": {"type": "boolean", "counts": {"no": 2}},
        "mood": {"type": "label", "counts": {"good": 1}},
    }
    assert details["categories"] == {}


def test_what_was_answered_is_added_up_by_output_even_below_zero() -> None:
    one = Tally(outputs={"stars": Counter(numbers=1, sum=-3), "tags": Counter(a=1)})
    two = Tally(outputs={"stars": Counter(numbers=2, sum=1), "mood": Counter(good=1)})

    assert (one + two).outputs == {
        "stars": Counter(numbers=3, sum=-2),
        "tags": Counter(a=1),
        "mood": Counter(good=1),
    }
    assert one.outputs["stars"] == Counter(numbers=1, sum=-3)  # as before
    assert (one + Tally()).outputs == (Tally() + one).outputs == one.outputs


def test_what_is_kept_beyond_the_contract_is_not_returned() -> None:
    kept = flat(RUN) | report.details(RUN, task()) | {"month_cost_usd": 1.0, "notices": ["?"]}

    assert report.output(kept) == flat(RUN)


def intent(number: int, first: str, last: str, **fields: Any) -> Batch:
    """One of three tickets."""
    keys = {"first": first, "last": last, "requests": 3}
    return replace(batch(Tally(classified=3), number), **(keys | fields))


def round_of(*batches: Batch, scanned: bool = True) -> Run:
    return Run("x", batches, rounds=(Round(1, ME, scanned),))


UNSEEN: dict[str, Any] = {"state": "not_created", "why_not_created": "unseen", "tally": Tally()}


@pytest.mark.parametrize(
    ("run", "still_pending"),
    [
        # The round went on behind it, and then it proved to be somebody else's.
        (round_of(intent(1, "a", "c", **UNSEEN), intent(2, "d", "f"), scanned=False), 3),
        (round_of(intent(1, "a", "c"), intent(2, "d", "f", **UNSEEN)), 3),
        # Its keys were sent again, at once or in parts; or they are the next to be sent.
        (round_of(intent(1, "a", "c", **UNSEEN), intent(2, "a", "c")), 0),
        (round_of(intent(1, "a", "c", **UNSEEN), intent(2, "a", "b"), intent(3, "c", "c")), 0),
        (round_of(intent(1, "a", "c"), intent(2, "d", "f", **UNSEEN), scanned=False), 0),
        (round_of(), 0),
    ],
)
def test_tickets_that_a_round_passed_over_are_still_pending(run: Run, still_pending: int) -> None:
    assert report.tickets_still_pending(run) == still_pending
