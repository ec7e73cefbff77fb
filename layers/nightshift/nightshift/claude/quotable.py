"""Which words of Claude's errors may be shown: none that could quote a ticket. Pure."""

import re

from nightshift.claude.results import ACCOUNT_ERRORS

_LONGEST = 600  # a sentence of IAM with two ARNs is longer than 300
# Errors of the account, the key or the model: their messages do not depend on the request.
_OF_THE_ACCOUNT = ACCOUNT_ERRORS | {"rate_limit_error"}
# Error codes of invalid requests that are about the organization, the workspace or the key, as a
# create may return them (SDK 2.13.0, batches.create, 2026-11).
_CODES_OF_THE_ACCOUNT = frozenset(
    {
        "claude_code_key_creator_not_member",
        "cmek_key_disabled",
        "organization_on_hold",
        "workspace_human_review_disabled",
    }
)
# Complete messages of invalid requests that hold no words of the request (Claude's rate limits and
# errors, 2026-11).
_KNOWN = re.compile(
    r"You have reached your specified \w* ?API usage limits\b.*"
    r"|Your credit balance is too low\b.*"
    r"|This organization has been disabled\b.*"
    r"|Outbound web identity federation is disabled for your account\.?"
    r"|prompt is too long: \d+ tokens > \d+ maximum",
    re.ASCII,
)
# The path of a parameter, as the Messages API spells it, in front of the message.
_NAME = (
    r"(?:requests|custom_id|params|messages|content|role|text|type|system|model|max_tokens"
    r"|temperature|stop_sequences|thinking|output_config|cache_control|metadata|\d+)"
)
_PATH = re.compile(rf"({_NAME}(?:\.{_NAME})*):", re.ASCII)


def quotable(error_type: str, message: str, error_code: str = "") -> str:
    """The message of an error, or a replacement where the message could quote a ticket.

    The message of an invalid request may quote the request. Only complete messages that are known,
    and those with a known error code, are passed on; of all others the parameter's path.
    """
    of_the_account = error_type in _OF_THE_ACCOUNT or error_code in _CODES_OF_THE_ACCOUNT
    if of_the_account or _KNOWN.fullmatch(message):
        return message[:_LONGEST]
    path = _PATH.match(message)
    where = f"about {path[1]}, " if path else ""
    return f"({where}in words that may quote a ticket and are not repeated)"
