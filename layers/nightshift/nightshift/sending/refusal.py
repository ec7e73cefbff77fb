"""What to do when the provider has certainly created no batch: wait in the workflow, or stop."""

from itertools import takewhile

from nightshift.claude.batch import KeyRefused, NotCreated
from nightshift.deployment import Deployment
from nightshift.errors import ClaudeRejected
from nightshift.observability import logger
from nightshift.runs.records import KEY_REFUSED, TRY_LATER, UNSEEN, Run
from nightshift.waits import after_failures

# So many refused creates take about a day, with the waits between them.
_MOST_IN_A_ROW = 100
# A create without an answer is looked for in the list for a quarter of an hour. If the list should
# be wrong, each of them may be paid: so there are few.
_MOST_UNSEEN = 10


def refusals_in_a_row(run: Run, execution: str) -> int:
    """How many of this execution's last creates were refused, one after the other."""
    count = 0
    for batch in reversed(run.batches):
        if batch.why_not_created not in (TRY_LATER, KEY_REFUSED) or batch.execution != execution:
            break
        count += 1
    return count


def too_often(run: Run, execution: str) -> str:
    """For people: why to stop, if the provider has taken no batch for about a day, or if nobody
    knows what became of many creates, a quarter of an hour each; else empty."""
    unseen = takewhile(
        lambda b: b.state == "not_created" and b.execution == execution, run.batches[::-1]
    )
    if sum(batch.why_not_created == UNSEEN for batch in unseen) >= _MOST_UNSEEN:
        return (
            f"{_MOST_UNSEEN} creates in a row were not answered, and no batch of them showed in "
            "Claude's list. What was open is collected; start again when Claude answers."
        )
    refusals = refusals_in_a_row(run, execution)
    if refusals < _MOST_IN_A_ROW:
        return ""
    return (
        f"Claude took no batch, {refusals} times in a row. What was open is collected; start "
        "again when Claude takes batches again."
    )


def seconds_to_wait(no: NotCreated, refusals: int, stack: Deployment) -> float:
    """Seconds until the next create may be tried, after so many refusals in a row."""
    logger.warning("refused", why=str(no), refusals=refusals)
    return max(no.retry_after, after_failures(refusals, stack.settings.poll_seconds))


def after_refused_key(no: KeyRefused, run: Run, execution: str, stack: Deployment) -> float:
    """Seconds until a create may be tried with a fresh key: once.

    Raises:
        ClaudeRejected: there is no fresh one, or it was refused as well.
    """
    last = run.batches[-1] if run.batches else None
    again = last and (last.why_not_created, last.execution) == (KEY_REFUSED, execution)
    if again or not stack.claude.renew_key():
        raise ClaudeRejected(no.cure)
    return 0
