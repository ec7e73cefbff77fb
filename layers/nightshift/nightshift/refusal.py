"""What a no of the provider means for the next try: wait in the workflow, or stop."""

from nightshift.claude import KeyRefused, NotCreated
from nightshift.deployment import Deployment
from nightshift.errors import ClaudeRejected, ClaudeUnavailable
from nightshift.observability import logger

_LONGEST_BACKOFF = 900
_REFUSALS_UNTIL_FAILURE = 100


def seconds_to_wait(no: NotCreated, refusals: int, stack: Deployment) -> float:
    """Certainly nothing was paid, for the `refusals`th time in a row: when may the next try be?

    Raises:
        ClaudeRejected: the key is refused, and there is no newer one.
        ClaudeUnavailable: so many refusals take about a day.
    """
    if isinstance(no, KeyRefused):
        return _after_refused_key(stack)
    logger.warning("refused", why=str(no), refusals=refusals)
    return max(no.retry_after, backoff(str(no), refusals, stack.settings.poll_seconds))


def backoff(why: str, failures: int, poll_seconds: int) -> float:
    """Seconds until the next try, after so many failures in a row.

    Raises:
        ClaudeUnavailable: so many take about a day.
    """
    if failures >= _REFUSALS_UNTIL_FAILURE:
        raise ClaudeUnavailable(f"{why}, {failures} times in a row. Start again when it is up.")
    return min(_LONGEST_BACKOFF, poll_seconds * 2.0 ** min(failures - 1, 10))


def _after_refused_key(stack: Deployment) -> float:
    if stack.claude.renew_key():
        return 0
    secret = stack.settings.api_key_secret
    raise ClaudeRejected(
        "Claude does not accept the API key. Store a valid one with: aws secretsmanager "
        f"put-secret-value --secret-id {secret} --secret-string sk-ant-... and start again."
    )
