"""Claude's refusals, in words that say what to do. Pure.

A refusal is an answer of 400 and above that asking again would not change.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from nightshift.errors import ClaudeRejected

# Names that AWS gives to "too often", whatever the status (botocore's retry rules, 2026-11).
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# What a refusal says of the time until the next try is believed up to here. Seconds.
_LONGEST_RETRY_AFTER = 900
_LONGEST = 600  # characters of a sentence of AWS
_XML = re.compile(r"<(Code|Message)>([^<]*)</")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error.

    `type` is Claude's name of the error, None where the answer has another shape than Claude's.
    `said` are Claude's words as far as they may be shown, `sentence` those of AWS, and `aws_name`
    what AWS calls the error; empty where there are none. `request` names the request for support.
    """

    status: int
    type: str | None
    said: str
    request: str
    aws_name: str = ""
    sentence: str = ""

    @property
    def is_throttling(self) -> bool:
        """Whether a layer of AWS in front of Claude says "too often", with a status of its own."""
        return self.aws_name in _THROTTLED


def rejected(refusal: Refusal) -> ClaudeRejected:
    """What to do where a key or a token was sent to Claude's own API."""
    if refusal.type is None:
        return ClaudeRejected(
            f"What answers at the base URL is not Claude ({refusal.status}, without an error of "
            "Claude's). The base URL is wrong, or a proxy on the way refuses us: look at the "
            "stack's AnthropicBaseUrl, then start again."
        )
    if refusal.status == 404:
        return ClaudeRejected(
            f"The base URL is wrong, or the model ({refusal.status} {refusal.type}): "
            f"{refusal.said} Look at the stack's AnthropicBaseUrl and Model, then start again. "
            f"{refusal.request}"
        )
    return ClaudeRejected(
        f"Claude refuses our requests ({refusal.status} {refusal.type}): {refusal.said} "
        f"Mend the account, the key or the task, then start again. {refusal.request}"
    )


def in_aws_shape(body: object, headers: Mapping[str, str]) -> tuple[str, str]:
    """The name and the sentence of an error as services of AWS write it: JSON or XML. Both are
    empty where the body has another shape."""
    found: dict[str, Any] = {}
    if isinstance(body, Mapping):
        found = {str(name).lower(): value for name, value in body.items()}
    elif isinstance(body, str):
        found = {name.lower(): value for name, value in _XML.findall(body)}
    name = headers.get("x-amzn-errortype") or found.get("__type") or found.get("code") or ""
    sentence = found.get("message")
    # The name may have a namespace in front and an address behind.
    short = re.sub(r"^.*#|:.*$", "", str(name))
    return short[:64], sentence[:_LONGEST] if isinstance(sentence, str) else ""


def request_ids(headers: Mapping[str, str]) -> str:
    """A sentence with the ids by which Claude's and AWS's support find a request."""
    claudes, of_aws = headers.get("request-id"), headers.get("x-amzn-requestid")
    if claudes and of_aws:
        return f"Request {claudes}, at AWS {of_aws}."
    if of_aws:
        return f"Request at AWS {of_aws}."
    return f"Request {claudes}." if claudes else "The answer names no request."


def retry_after(headers: Mapping[str, str]) -> int:
    """Whole seconds, as a Wait state takes them; 0 where it is not said in seconds."""
    try:
        seconds = float(headers.get("retry-after", 0))
    except ValueError:
        return 0
    return ceil(min(_LONGEST_RETRY_AFTER, seconds)) if seconds > 0 else 0
