"""How long to wait: between two polls, after a refusal, and for a create in doubt. Pure.

Waiting happens in the workflow, by the seconds that a function answers. Step Functions allows an
execution 25,000 events (docs.aws.amazon.com, Step Functions quotas, 2026-11), and one poll takes
nine.
"""

from collections.abc import Sequence
from datetime import datetime
from math import ceil

from nightshift.runs.records import Batch

# Seconds. Longer waits would leave results lying; shorter ones would use up the events.
_LONGEST = 900
# A Lambda lives at most 15 minutes, and stopping an execution does not stop its Lambda
# (docs.aws.amazon.com, Lambda quotas, 2026-11): until then, the batch in doubt may still be sent.
_LONGEST_LAMBDA_SECONDS = 900


def until_next_poll(waiting: Sequence[Batch], now: datetime, poll_seconds: int) -> int:
    """Seconds until the next poll of the open batches, by the age of the oldest one.

    A batch that an earlier execution has set aside is polled too, but nobody waits for it.
    """
    created = [batch.created_at or now for batch in waiting if not batch.set_aside]
    return growing((now - min(created, default=now)).total_seconds(), poll_seconds)


def growing(age: float, poll_seconds: int) -> int:
    """Seconds to wait for what began `age` seconds ago: a tenth of that, within bounds. So 24
    hours take some 125 polls."""
    return int(max(poll_seconds, min(_LONGEST, age / 10)))


def after_failures(failures: int, poll_seconds: int) -> float:
    """Seconds until the next try, after so many failures in a row: twice as long each time."""
    return min(_LONGEST, poll_seconds * 2.0 ** min(failures - 1, 10))


def polls_for_a_create(poll_seconds: int) -> int:
    """How many polls must miss a batch in doubt until it is certain that it was not created: the
    waits between them outlast the Lambda that may still be sending it."""
    return ceil(_LONGEST_LAMBDA_SECONDS / poll_seconds) + 1
