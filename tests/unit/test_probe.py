"""What the answers of one execution say of a task version."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from nightshift.runs.probe import has_passed, learn, problem, says_nothing
from nightshift.runs.records import Batch, Tally, Version

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
ME, ANOTHER = "arn:night", "arn:earlier"
NEW = Version("task@12345678")
PASSED = replace(NEW, passed_at=NOW - timedelta(days=1))


def batch(answers: int, unusable: int = 0, **values: Any) -> Batch:
    """A batch of the version with so many answers, some of them no categories."""
    tally = Tally(succeeded=answers, unusable=Counter({"unreadable_answer": unusable}))
    made = Batch(
        run_id="2026-11-22",
        record="batch#0001",
        token="t0ken",
        state="open",
        round=1,
        execution=ME,
        model="claude-haiku-4-5",
        first="A",
        last="Z",
        requests=100,
        bound=Decimal(1),
        intent_at=NOW,
        version=NEW.name,
        tally=tally,
    )
    return replace(made, **values)


def learned(version: Version, *batches: Batch, execution: str = ME) -> Version:
    for each in batches:
        version = learn(version, each, execution, NOW)
    return version


@pytest.mark.parametrize(
    ("answers", "unusable", "passes", "fails"),
    [
        (19, 0, False, False),
        (19, 19, False, False),
        (20, 0, True, False),
        (20, 10, True, False),
        (20, 11, False, True),
        (100, 50, True, False),
        (100, 51, False, True),
    ],
)
def test_a_new_version_is_judged_from_20_answers_on(
    answers: int, unusable: int, passes: bool, fails: bool
) -> None:
    version = learned(NEW, batch(answers, unusable))

    assert (has_passed(version, NOW), version.failed) == (passes, fails)


@pytest.mark.parametrize(
    ("answers", "unusable", "fails"),
    [(19, 19, False), (99, 99, False), (100, 50, False), (100, 51, True), (100_000, 50_001, True)],
)
def test_a_passed_version_is_judged_from_100_answers_on(
    answers: int, unusable: int, fails: bool
) -> None:
    version = learned(PASSED, batch(answers, unusable))

    assert (version.failed, has_passed(version, NOW)) == (fails, not fails)


def test_answers_of_all_batches_of_one_execution_are_judged_together() -> None:
    version = learned(NEW, batch(10, 10), batch(9, 9))
    assert not version.failed

    version = learned(version, batch(1))
    assert version.failed
    assert (version.answers, version.unusable) == (20, Counter(unreadable_answer=19))


def test_another_execution_judges_anew() -> None:
    version = learned(NEW, batch(19, 19), execution=ANOTHER)

    version = learned(version, batch(19, 19))

    assert (version.failed, version.answers, version.execution) == (False, 19, ME)


def test_what_has_failed_does_not_pass_in_the_same_execution() -> None:
    version = learned(NEW, batch(20, 20), batch(1_000))

    assert (version.failed, version.passed_at) == (True, None)
    assert has_passed(learned(version, batch(20), execution=ANOTHER), NOW)


def test_few_unusable_answers_leave_what_has_passed_as_it_was() -> None:
    assert learned(PASSED, batch(50, 50)).passed_at == PASSED.passed_at
    assert learned(PASSED, batch(20)).passed_at == NOW


def test_what_has_passed_is_believed_for_90_days() -> None:
    passed = replace(NEW, passed_at=NOW)

    assert has_passed(passed, NOW + timedelta(days=89))
    assert not has_passed(passed, NOW + timedelta(days=90))
    assert not has_passed(NEW, NOW)


def test_what_claude_counted_is_kept_with_the_version() -> None:
    version = learned(NEW, batch(1, fixed_tokens=185), batch(1))

    assert version.fixed_tokens == 185


@pytest.mark.parametrize(
    ("values", "nothing"),
    [
        ({"tally": Tally(expired=100, still_pending=100)}, True),
        ({"tally": Tally(succeeded=1, expired=99, still_pending=99)}, False),
        ({"tally": Tally(errored=1)}, False),
        ({"tally": Tally(requeued=4, still_pending=4), "unread": "lost"}, True),
    ],
)
def test_a_probe_without_an_answer_says_nothing(values: dict[str, Any], nothing: bool) -> None:
    assert says_nothing(batch(0, state="closed", **values)) == nothing


def test_a_probe_that_was_set_aside_says_nothing() -> None:
    assert says_nothing(batch(5, aside_by=ME))
    assert not says_nothing(batch(5))


def test_what_is_told_names_the_counts_and_what_to_look_at() -> None:
    unusable = Counter(refusal=2, unreadable_answer=50, max_tokens=5)
    version = replace(NEW, answers=100, unusable=unusable, failed=True)

    said = problem(version, "claude-haiku-4-5")

    assert said.startswith("57 of 100 answers of claude-haiku-4-5 to task@")
    assert "(50 unreadable_answer, 5 max_tokens, 2 refusal)" in said
    for place in ("the prompt", "the outputs in the task file", "max_tokens in the task file"):
        assert place in said
    assert "at most 100 requests" in said
