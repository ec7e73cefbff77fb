"""How long to wait: between two looks, after a refusal, and for a create in doubt. Pure.

Waiting happens in the workflow, by the seconds that a function answers. Step Functions allows an
execution 25,000 events (docs.aws.amazon.com, Step Functions quotas, 2026-11), and a turn of the
wait loop takes nine.
"""

from collections.abc import Sequence
from datetime import datetime
from math import ceil

from nightshift.runs.records import Batch

# Seconds. Longer waits would let results lie; shorter ones would use up the events.
_LONGEST = 900
# A Lambda lives at most 15 minutes, and stopping an execution does not stop its Lambda
# (docs.aws.amazon.com, Lambda quotas, 2026-11): until then the intent's writer may still send.
_LONGEST_LAMBDA_SECONDS = 900


def until_next_look(waiting: Sequence[Batch], now: datetime, poll_seconds: int) -> int:
    """Seconds until the open batches are looked at again, by the age of the oldest one.

    A batch that an earlier execution has set aside is looked at, not waited for.
    """
    created = [batch.created_at or now for batch in waiting if not batch.set_aside]
    return growing((now - min(created, default=now)).total_seconds(), poll_seconds)


def growing(age: float, poll_seconds: int) -> int:
    """Seconds to wait for what began `age` seconds ago: a tenth of that, within bounds. So 24
    hours take some 125 turns."""
    return int(max(poll_seconds, min(_LONGEST, age / 10)))


def after_failures(failures: int, poll_seconds: int) -> float:
    """Seconds until the next try, after so many failures in a row: twice as long each time."""
    return min(_LONGEST, poll_seconds * 2.0 ** min(failures - 1, 10))


def looks_for_a_create(poll_seconds: int) -> int:
    """So many looks at the provider's list that the waits between them outlast the Lambda that
    may still be sending the batch in doubt."""
    return ceil(_LONGEST_LAMBDA_SECONDS / poll_seconds) + 1
