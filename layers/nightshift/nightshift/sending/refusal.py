"""What a no of the provider means for the next try: wait in the workflow, or stop."""

from itertools import takewhile

from nightshift.claude.client import KeyRefused, NotCreated
from nightshift.deployment import Deployment
from nightshift.errors import ClaudeRejected
from nightshift.observability import logger
from nightshift.runs.records import REFUSED, UNSEEN, Night
from nightshift.waits import after_failures

# With the waits between them about a day.
_MOST_IN_A_ROW = 100
# Each is looked for for a quarter of an hour. A POST that nobody answers may be paid, should the
# list be wrong: so there are few of them.
_MOST_UNSEEN = 10


def in_a_row(night: Night, execution: str) -> int:
    """How often this execution's creates were refused since the last that was not."""
    count = 0
    for batch in reversed(night.batches):
        if batch.refusal != REFUSED or batch.execution != execution:
            break
        count += 1
    return count


def too_often(night: Night, execution: str) -> str:
    """What to say of a provider that has taken no batch for about a day, or of which nobody knows
    what became of many creates, a quarter of an hour each; else empty."""
    unseen = takewhile(
        lambda b: b.state == "void" and b.execution == execution, night.batches[::-1]
    )
    if sum(batch.refusal == UNSEEN for batch in unseen) >= _MOST_UNSEEN:
        return (
            f"{_MOST_UNSEEN} creates in a row were not answered, and no batch of them showed in "
            "Claude's list. What was open is collected; start again when Claude answers."
        )
    refusals = in_a_row(night, execution)
    if refusals < _MOST_IN_A_ROW:
        return ""
    return (
        f"Claude took no batch, {refusals} times in a row. What was open is collected; start "
        "again when Claude takes batches again."
    )


def seconds_to_wait(no: NotCreated, refusals: int, stack: Deployment) -> float:
    """Certainly nothing was paid, for the `refusals`th time in a row: when may the next try be?

    Raises:
        ClaudeRejected: the key is refused, and there is no newer one.
    """
    if isinstance(no, KeyRefused):
        return _after_refused_key(stack)
    logger.warning("refused", why=str(no), refusals=refusals)
    return max(no.retry_after, after_failures(refusals, stack.settings.poll_seconds))


def _after_refused_key(stack: Deployment) -> float:
    if stack.claude.renew_key():
        return 0
    secret = stack.settings.api_key_secret
    raise ClaudeRejected(
        "Claude does not accept the API key. Store a valid one with: aws secretsmanager "
        f"put-secret-value --secret-id {secret} --secret-string sk-ant-... and start again."
    )
