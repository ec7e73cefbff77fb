"""The probe: small batches, one at a time, until the answers to a task version proved usable. Pure.

Claude accepts a batch with any prompt, and what the answers are shows hours later. So until a
version has passed, only one batch of it may be open, and a version whose answers cannot be used is
stopped before it is paid in bulk.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from nightshift.runs.records import Batch, Version

PROBE_REQUESTS = 100
# So many answers within one execution are enough to judge a new version, and one that has passed.
_ENOUGH, _ENOUGH_ONCE_PASSED = 20, 100
_KEEP = timedelta(days=90)
# What to look at, by the short names that `decision.unusable` gives.
_MEANINGS = {
    "max_tokens": "the answer was cut off: the prompt lets Claude say more than was asked, "
    "max_tokens in the task file is too low, or the model thinks before it answers",
    "refusal": "Claude declined to answer: look at what the tickets hold and at the prompt",
    "unreadable_answer": "the answer was none that the task allows: look at the prompt and at "
    "the outputs in the task file, and at the model",
}


def has_passed(version: Version, now: datetime) -> bool:
    """Whether a version may be sent in batches of any size."""
    return version.passed_at is not None and now < version.passed_at + _KEEP


def learn(version: Version, batch: Batch, execution: str, now: datetime) -> Version:
    """What is known of a version once this execution has closed a batch of it.

    An answer is a succeeded result. Only the answers of one execution are judged together: an
    operator who starts again has mended something, or wants to know.
    """
    mine = version if version.execution == execution else _forget(version, execution)
    learned = replace(
        mine,
        answers=mine.answers + batch.tally.succeeded,
        unusable=mine.unusable + batch.tally.unusable,
        fixed_tokens=mine.fixed_tokens or batch.fixed_tokens,
        last_closed=batch.token,
    )
    enough = _ENOUGH_ONCE_PASSED if has_passed(version, now) else _ENOUGH
    mostly_unusable = learned.unusable.total() * 2 > learned.answers
    if learned.failed or (learned.answers >= enough and mostly_unusable):
        return replace(learned, failed=True, passed_at=None)
    if learned.answers >= _ENOUGH and not mostly_unusable:
        return replace(learned, passed_at=now)
    return learned


def problem(version: Version, model: str) -> str:
    """For people: why a version has failed and what to do, as the cause of `AnswersUnusable`."""
    counts = ", ".join(f"{count} {reason}" for reason, count in version.unusable.most_common())
    what_to_do = ". ".join(f"{reason}: {_MEANINGS[reason]}" for reason in version.unusable)
    return (
        f"{version.unusable.total()} of {version.answers} answers of {model} to "
        f"{version.name} cannot be used ({counts}). Nothing more was sent. {what_to_do}. Mend and "
        f"deploy, then start again: the next batch holds at most {PROBE_REQUESTS} requests."
    )


def says_nothing(batch: Batch) -> bool:
    """Whether a probe brought no answer although its tickets still wait for one."""
    return batch.set_aside or (not batch.tally.succeeded and batch.tally.still_pending > 0)


def _forget(version: Version, execution: str) -> Version:
    """Start to count anew for this execution; that the version has passed stays."""
    none: Mapping[str, int] = {}
    return replace(version, execution=execution, answers=0, unusable=Counter(none), failed=False)
