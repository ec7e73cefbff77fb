"""Which of Claude's words may be passed on to people: none that could quote a ticket. Pure."""

import re

from nightshift.claude.results import ACCOUNT_ERRORS

_LONGEST = 300
# Said of the account, the key or the model, whatever the request holds.
_OF_THE_ACCOUNT = ACCOUNT_ERRORS | {"rate_limit_error"}
# Error codes of invalid requests that speak of the organization, the workspace or the key: those
# that a create may be answered with (SDK 2.13.0, batches.create, 2026-11).
_CODES_OF_THE_ACCOUNT = frozenset(
    {
        "claude_code_key_creator_not_member",
        "cmek_key_disabled",
        "organization_on_hold",
        "workspace_human_review_disabled",
    }
)
# Invalid requests whose messages are known whole (Claude's rate limits and errors, 2026-11).
_KNOWN = re.compile(
    r"You have reached your specified \w* ?API usage limits\b.*"
    r"|Your credit balance is too low\b.*"
    r"|This organization has been disabled\b.*"
    r"|prompt is too long: \d+ tokens > \d+ maximum",
    re.ASCII,
)
# The path of a parameter, as the Messages API spells it, and then its own words.
_NAME = (
    r"(?:requests|custom_id|params|messages|content|role|text|type|system|model|max_tokens"
    r"|temperature|stop_sequences|thinking|output_config|cache_control|metadata|\d+)"
)
_PATH = re.compile(rf"({_NAME}(?:\.{_NAME})*):", re.ASCII)


def quotable(error_type: str, message: str, error_code: str = "") -> str:
    """The words of an error as far as they cannot hold what a ticket says.

    An invalid request may be explained by quoting it: of such words only those that are known
    whole, or by their error code, are passed on, and which parameter they complain of.
    """
    of_the_account = error_type in _OF_THE_ACCOUNT or error_code in _CODES_OF_THE_ACCOUNT
    if of_the_account or _KNOWN.fullmatch(message):
        return message[:_LONGEST]
    path = _PATH.match(message)
    where = f"about {path[1]}, " if path else ""
    return f"({where}in words that may quote a ticket and are not repeated)"
