"""The errors that leave a function. Step Functions matches their class names exactly.

Each message names what is wrong and what to do; none holds ticket text or a key.
"""


class NightshiftError(Exception):
    """Anything that Nightshift itself reports."""


class SettingsInvalid(NightshiftError):
    """An environment variable or the task file is missing or malformed."""


class InvalidInput(NightshiftError):
    """The workflow's input has an unknown key or a value of the wrong type."""


class ApiKeyMissing(NightshiftError):
    """The secret holds no usable API key."""


class PriceUnknown(NightshiftError):
    """The model is in no price table, so its cost could not be bounded."""


class ClaudeRejected(NightshiftError):
    """The provider refuses our requests as such: the account, the key, the model or the task."""


class AnswersUnusable(NightshiftError):
    """Most answers to a task version are none that the task allows."""


class ClaudeUnavailable(NightshiftError):
    """The provider could not answer now; the same call may be made again."""


class BatchNotFound(NightshiftError):
    """The provider does not know one of our batches, and kept saying so."""


class ResultsGone(NightshiftError):
    """The provider no longer holds the results of one of our batches."""


class LedgerMismatch(NightshiftError):
    """The books do not balance: results are missing, doubled or not ours."""


class TableRefused(NightshiftError):
    """DynamoDB refused a write for a reason that waiting does not cure."""


class Unexpected(NightshiftError):
    """None of the above. Its kind and place are told, its words not: they may quote a ticket."""
