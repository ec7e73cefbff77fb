"""A trouble of a batch fails one execution after the other until somebody was told of it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from nightshift.ending.troubles import Troubles
from nightshift.errors import AnswersUnusable, LedgerMismatch
from nightshift.runs.records import Batch, Run, Trouble

ME, OTHER = "execution:me", "execution:other"


def batch(number: int, trouble: Trouble | None = None) -> Batch:
    return Batch(
        run_id="2026-11-22", record=f"batch#{number:04}", token="tok-en_1", state="closed", round=1,
        execution=ME, model="claude-haiku-4-5", first="T-1", last="T-9", requests=1,
        bound=Decimal(1), intent_at=datetime(2026, 11, 22, 2, tzinfo=UTC), trouble=trouble,
    )  # fmt: skip


def with_troubles(*troubles: tuple[str, str], noticed_by: str = ME) -> Run:
    troubled = (
        batch(number, Trouble(error, cause, noticed_by))
        for number, (error, cause) in enumerate(troubles, 1)
    )
    return Run("2026-11-22", tuple(troubled))


def test_a_problem_is_said_until_somebody_was_told() -> None:
    run = with_troubles(("LedgerMismatch", "3 of 5"))
    said = {"error": "LedgerMismatch", "cause": "3 of 5"}
    told = replace(run, told=frozenset({ME}))

    assert Troubles([run], ME).gravest == said
    assert Troubles([run], OTHER).gravest == said
    assert Troubles([told], OTHER).gravest is None
    assert Troubles([told], OTHER).told_by_others == list(run.batches)


def test_an_execution_says_its_own_problem_whoever_was_told_before() -> None:
    """It was redriven after it had failed and told of what it had met until then."""
    run = replace(with_troubles(("LedgerMismatch", "3 of 5")), told=frozenset({ME}))

    assert Troubles([run], ME).gravest is not None
    assert Troubles([run], ME).told_by_others == []


def test_a_problem_that_is_marked_as_told_is_never_said_again() -> None:
    run = with_troubles(("LedgerMismatch", "3 of 5"))
    [batch] = run.batches
    told = replace(batch.trouble or Trouble("", "", ""), told=True)
    marked = replace(run, batches=(replace(batch, trouble=told),))

    assert Troubles([marked], OTHER).gravest is None


def test_of_several_problems_the_gravest_is_told_and_the_others_are_counted() -> None:
    run = with_troubles(
        ("Odd", "?"), ("BatchNotFound", "msgbatch_1"), ("ClaudeRejected", "no: money")
    )

    found = Troubles([run], ME).gravest

    assert found is not None
    assert found["error"] == "ClaudeRejected"
    assert found["cause"].startswith("no: money")
    assert "2 more" in found["cause"]


def test_a_night_without_problems_has_none() -> None:
    assert Troubles([Run("2026-11-22", (batch(1),))], ME).gravest is None


def test_the_lesser_error_of_a_batch_is_told_behind_the_gravest() -> None:
    both = Trouble.of([LedgerMismatch("3 of 5."), AnswersUnusable("all of them.")], ME)

    found = Troubles([Run("2026-11-22", (batch(1, both),))], ME).gravest

    assert found == {"error": "AnswersUnusable", "cause": "all of them. LedgerMismatch: 3 of 5."}


def test_only_what_this_execution_collected_counts_as_rejected() -> None:
    run = with_troubles(("ClaudeRejected", "no money"), ("LedgerMismatch", "3 of 5"))

    assert Troubles([run], ME).any_rejected
    assert not Troubles([run], OTHER).any_rejected
    assert not Troubles([with_troubles(("LedgerMismatch", "3 of 5"))], ME).any_rejected
