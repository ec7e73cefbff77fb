"""A fixed sample of the crash proof; `make crash-proof` plays all of it."""

from collections.abc import Iterator
from itertools import takewhile
from unittest import mock

import pytest

from tests.crash_proof.faults import Fault
from tests.crash_proof.nights import (
    IMPATIENT,
    PLAIN,
    SCENARIOS,
    Case,
    Scenario,
    clean,
    play,
    sampled,
    singles,
)
from tests.crash_proof.world import SMALL, Noted, Workshop, workshop


@pytest.fixture(scope="module")
def ours() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.fixture(scope="module")
def calls(ours: Workshop) -> tuple[Noted, ...]:
    """The calls of a night without a fault."""
    return play(clean(PLAIN), ours).calls


def number_of(operation: str, calls: tuple[Noted, ...]) -> int:
    """Where an operation comes first."""
    return next(call.number for call in calls if call.operation == operation)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_night_keeps_every_promise(scenario: Scenario, ours: Workshop) -> None:
    played = play(clean(scenario), ours)

    assert played.problems == ()


def test_faults_of_all_kinds_in_all_functions_are_survived(
    calls: tuple[Noted, ...], ours: Workshop
) -> None:
    cases = sampled(singles(PLAIN, calls), calls)[::3]

    broken = {str(case): found for case in cases if (found := play(case, ours).problems)}

    assert not broken


@pytest.mark.parametrize("goes_on", ["at once", "soon", "last moment"])
def test_of_two_calls_of_one_execution_no_ticket_is_sent_twice(
    calls: tuple[Noted, ...], ours: Workshop, goes_on: str
) -> None:
    """Step Functions calls submit again while the first call lives on, at every step of it."""
    steps = [call.number for call in calls if call.function == "submit" and call.changes_anything]
    cases = [Case(PLAIN, (Fault(number, f"forgotten, goes on {goes_on}"),)) for number in steps]

    broken = {str(case): found for case in cases if (found := play(case, ours).problems)}

    assert len(cases) > 10
    assert not broken


def test_starting_again_and_again_does_not_hurry_a_create_in_doubt(
    calls: tuple[Noted, ...], ours: Workshop
) -> None:
    before_create = number_of("create", calls) - 1
    old_one_lives_on = Fault(before_create, "stop, goes on last moment")

    played = play(Case(IMPATIENT, (old_one_lives_on,)), ours)

    assert played.problems == ()


def test_a_table_throttled_until_the_time_is_over_leaves_the_rest_to_the_next_call() -> None:
    # Both groups of a batch are under way before the first is written, so that the time runs out
    # when nothing is left to read. No checkpoint between, which a slow machine would make in one
    # night and not in the other: the calls of both must have the same numbers.
    at_once = {
        "_THREADS": 1, "_UNDER_WAY": 3, "KEYS_PER_READ": 2, "_SECONDS_PER_CHECKPOINT": 10**9,
    }  # fmt: skip
    with workshop(SMALL | {"nightshift.collect": at_once}) as hasty:
        calls = play(clean(PLAIN), hasty).calls
        last = max(c.number for c in calls if c.operation == "BatchExecuteStatement")
        played = play(Case(PLAIN, (Fault(last, "aws some done, time over"),)), hasty)

    called_again = takewhile(lambda call: call.function == "collect", played.calls[last:])
    assert played.problems == ()
    assert played.calls[last].operation == "BatchExecuteStatement"
    assert "results" in [call.operation for call in called_again]


def test_giving_up_a_create_too_early_is_found(calls: tuple[Noted, ...], ours: Workshop) -> None:
    late = Case(PLAIN, (Fault(number_of("create", calls), "done 14 minutes late"),))

    with mock.patch("nightshift.waits._LONGEST_LAMBDA_SECONDS", 0):
        problems = play(late, ours).problems

    assert any(problem.startswith("paid 2 times") for problem in problems)
