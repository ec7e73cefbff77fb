"""A task whose answers cannot be used costs cents, and what has proved itself goes as before."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from nightshift.runs.records import Version
from nightshift.task.request import version_of
from tests.crash.stack import Stack
from tests.crash_proof.world import BROKEN, HEALTHY, Prompt, Workshop, workshop
from tests.tasks import task
from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import Life

LIFE = Life(seconds=1000)
NEW, NEW_AND_BROKEN, BREAKS_LATER = Prompt(False), Prompt(False, True), Prompt(True, True)
MANY = 300


@pytest.fixture
def ours() -> Iterator[Workshop]:
    """With the package's own numbers: how many answers judge a version, how large a probe is."""
    with workshop({}) as made:
        yield made


def stack_with(ours: Workshop, tickets: int, prompt: Prompt, **settings: Any) -> Stack:
    known = {"max_requests_per_batch": 1000, "max_attempts": 3, **settings}
    stack: Stack = Stack.on(ours, LIFE, prompt=prompt, **known)
    stack.put(*(f"t{number:03}" for number in range(tickets)))
    return stack


def batches(stack: Stack) -> list[tuple[int, int]]:
    """Round and requests of each batch."""
    return [(int(b["round"]), int(b["requests"])) for b in stack.records("batch#")]


def version(stack: Stack, **changes: Any) -> Version:
    asked = task().model_copy(update=changes)
    return stack.world.ledger.version(version_of(asked, stack.world.settings.model))


def test_a_prompt_that_is_answered_with_prose_is_stopped_after_100_requests(ours: Workshop) -> None:
    stack = stack_with(ours, MANY, NEW_AND_BROKEN)

    red = stack.night()
    sent = stack.times_sent().total()
    mended = stack.night()

    assert red["error"].startswith("AnswersUnusable: 100 of 100 answers")
    assert sent == 100
    assert stack.world.told == [red["error"]]
    assert (mended["status"], mended["classified"]) == ("complete", MANY)
    assert batches(stack) == [(1, 100), (1, 100), (1, 100), (2, 100)]
    assert stack.times_sent().total() == MANY + 100
    assert all("category" in ticket for ticket in stack.tickets().values())


def test_a_stopped_night_is_partial_and_says_why(ours: Workshop) -> None:
    stack = stack_with(ours, MANY, NEW_AND_BROKEN)

    stack.night()

    [kept] = [record for record in stack.records("run") if record["record"] == "run"]
    assert (kept["status"], kept["reason"], kept["requeued"]) == ("partial", "unusable", 100)
    attempts = Counter(t.get("classification_attempts", 0) for t in stack.tickets().values())
    assert attempts == {1: 100, 0: 200}


def test_a_new_task_sends_a_hundred_first_and_the_rest_as_ever(ours: Workshop) -> None:
    stack = stack_with(ours, MANY, NEW)

    report = stack.night()

    assert (report["status"], report["classified"]) == ("complete", MANY)
    assert batches(stack) == [(1, 100), (1, 200)]
    assert stack.calls("count_tokens") == 1
    first, _ = stack.records("batch#")
    assert version(stack).fixed_tokens == first["fixed_tokens"] > 100


def test_a_task_that_has_passed_is_sent_at_once(ours: Workshop) -> None:
    stack = stack_with(ours, MANY, HEALTHY, max_requests_per_batch=120)

    night = stack.start()
    night.run(until=lambda: len(stack.records("batch#")) == 3)

    assert batches(stack) == [(1, 120), (1, 120), (1, 60)]
    assert not any(record["state"] == "closed" for record in stack.records("batch#"))


def test_a_task_that_passed_and_breaks_later_stops_at_100_answers(ours: Workshop) -> None:
    stack = stack_with(ours, MANY, BREAKS_LATER, max_requests_per_batch=60)

    red = stack.night()
    broken = version(stack, **BROKEN)
    mended = stack.night()

    assert red["error"].startswith("AnswersUnusable: 120 of 120 answers")
    assert (broken.failed, broken.passed_at) == (True, None)
    assert len(stack.world.told) == 1  # of five batches
    assert mended["classified"] == MANY
    assert stack.times_sent() == Counter({f"t{number:03}": 2 for number in range(MANY)})


def test_few_answers_are_judged_over_the_rounds_of_an_execution(ours: Workshop) -> None:
    stack = stack_with(ours, 12, NEW_AND_BROKEN)

    red = stack.night()

    assert red["error"].startswith("AnswersUnusable: 24 of 24 answers")
    assert batches(stack) == [(1, 12), (2, 12)]


def test_too_few_answers_judge_nothing(ours: Workshop) -> None:
    stack = stack_with(ours, 6, NEW_AND_BROKEN)

    report = stack.night()

    assert (report["status"], report["failed"]) == ("complete", 6)
    assert not version(stack, **BROKEN).failed


def test_an_old_task_whose_answers_come_late_fails_nothing_today(ours: Workshop) -> None:
    stack = stack_with(ours, MANY, NEW_AND_BROKEN)
    old = stack.start()
    old.run(until=stack.created)
    stack.world.abort(old.arn)
    stack.world.prompt = replace(stack.world.prompt, broken=False)  # mended and deployed

    report = stack.night()

    assert (report["status"], report["classified"]) == ("complete", MANY)
    assert stack.world.told == []
    assert version(stack, **BROKEN).failed
    assert version(stack).passed_at is not None
    assert not any("classification_attempts" in each for each in stack.tickets().values())


def test_a_probe_without_an_answer_ends_the_walk(ours: Workshop) -> None:
    stack = stack_with(ours, MANY, NEW)
    stack.world.claude.rules = [RowRule({"type": "expired"}, times=100)]

    report = stack.night()

    assert batches(stack) == [(1, 100), (2, 100), (2, 200)]
    assert (report["status"], report["classified"]) == ("complete", MANY)


def test_probes_that_are_never_answered_end_with_the_rounds(ours: Workshop) -> None:
    stack = stack_with(ours, MANY, NEW)
    stack.world.claude.rules = [RowRule({"type": "expired"})]

    report = stack.night()

    assert batches(stack) == [(1, 100), (2, 100), (3, 100)]
    assert (report["status"], report["reason"], report["pending"]) == ("partial", "rounds", MANY)


def test_a_failed_probe_of_which_nobody_was_told_is_told_by_the_next_start(ours: Workshop) -> None:
    stack = stack_with(ours, MANY, NEW_AND_BROKEN)
    night = stack.start()
    night.run(until=lambda: any("error" in b for b in stack.records("batch#")))
    stack.world.abort(night.arn)
    stack.world.prompt = replace(stack.world.prompt, broken=False)

    red = stack.night()

    assert red["error"].startswith("AnswersUnusable: 100 of 100 answers")
    assert stack.pending() == []  # it was mended: the work is done all the same
    assert stack.night()["status"] == "nothing_to_do"
