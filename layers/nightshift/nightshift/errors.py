"""The errors that leave a function, each with what happened and what to do.

Step Functions matches the class names exactly. The message of an error names the thing that is
wrong and what to do about that thing; no message holds ticket text or a key. `label`, `happened`
and `advice` are the general words: the page of a night and docs/operate.md take them from here.
"""

from typing import ClassVar


class NightshiftError(Exception):
    """Anything that Nightshift itself reports.

    `label` is two words for a headline; `happened` and `advice` are sentences in plain text.
    """

    label: ClassVar[str]
    happened: ClassVar[str]
    advice: ClassVar[str]


class SettingsInvalid(NightshiftError):
    """An environment variable, the task file or the ticket table does not fit."""

    label = "Settings invalid"
    happened = "A parameter, the task file or the ticket table does not fit; the cause names it."
    advice = "Mend it, as the cause says, deploy if it is a parameter or the file, and start again."


class InvalidInput(NightshiftError):
    """The workflow's input has an unknown key or a value of the wrong type."""

    label = "Wrong input"
    happened = "The input has a key or a type that Nightshift does not know; the cause names it."
    advice = "Start again without it, with {} or with one of the files in events/."


class ApiKeyMissing(NightshiftError):
    """The secret holds no usable API key."""

    label = "No key"
    happened = "The stack has no API key yet, so nothing was sent."
    advice = "Store it with the command in the cause, and start again; no deploy is needed."


class PriceUnknown(NightshiftError):
    """The model is in no price table, so its cost could not be bounded."""

    label = "Price unknown"
    happened = "No price is known for the model, so its cost could not be bounded."
    advice = "Deploy with a model that the cause names, or add its price to the task file."


class ClaudeRejected(NightshiftError):
    """The provider refuses our requests as such: the account, the key, the model or the task."""

    label = "Rejected"
    happened = "Claude refuses the account, the key, the identity, the model or the task."
    advice = "Mend what the cause names: credit, key, model or task file. Then start again."


class AnswersUnusable(NightshiftError):
    """Most answers to a task version are none that the task allows."""

    label = "Answers unusable"
    happened = (
        "More than half of the answers were none that the task allows, cut off or refusals; the "
        "cause counts them. Nothing more was sent."
    )
    advice = (
        "Look at the prompt and the outputs in the task file (does the prompt ask for exactly "
        "that?), at max_tokens (is there room for the answer?), and at the model. Deploy the "
        "mended task and start again: a probe of at most 100 requests tries it."
    )


class ClaudeUnavailable(NightshiftError):
    """The provider could not answer now; the same call may be made again."""

    label = "Claude down"
    happened = "Claude could not be reached, or took no batch, for about a day."
    advice = "Start again when status.claude.com is green. Shorter outages end no night."


class BatchNotFound(NightshiftError):
    """The provider does not know one of our batches, and kept saying so."""

    label = "Batch not found"
    happened = "Claude does not know one of our batches, in 60 turns of waiting; its tickets wait."
    advice = (
        "Does the key belong to another workspace now? Then store the one that sent it and start "
        "again. Else nothing: 25 hours after its create it is closed as lost, and its tickets are "
        "asked again."
    )


class ResultsGone(NightshiftError):
    """The provider no longer holds the results of one of our batches."""

    label = "Results gone"
    happened = "Claude no longer holds the results of a batch; its tickets are pending again."
    advice = "Start again."


class LedgerMismatch(NightshiftError):
    """The books do not balance: results are missing, doubled or not ours."""

    label = "Disputed"
    happened = (
        "The results of a batch do not add up; what it answered stays, the rest is pending again."
    )
    advice = "Start again. The batch is kept at Claude: ask its support with the id in the cause."


class TableRefused(NightshiftError):
    """DynamoDB refused a write for a reason that waiting does not cure."""

    label = "Table refused"
    happened = "DynamoDB refused a write to the ticket table; the cause names its code."
    advice = "Look at the table: mostly a key policy or a quota is in the way. Then start again."


class Unexpected(NightshiftError):
    """None of the above. Its kind and place are told, its words not: they may quote a ticket."""

    label = "Failed"
    happened = "A bug, or AWS; the cause names its kind and its place, without words of tickets."
    advice = (
        "Open the execution in the Step Functions console: the log of the function whose state is "
        "orange has the traceback. Then start again."
    )


# Of several problems people hear first of the gravest.
_GRAVEST_FIRST = (
    ClaudeRejected,
    AnswersUnusable,
    LedgerMismatch,
    BatchNotFound,
    ResultsGone,
)


def gravity(error: str) -> int:
    """The place of an error, by its name, among several: the gravest is 0."""
    names = [kind.__name__ for kind in _GRAVEST_FIRST]
    return names.index(error) if error in names else len(names)
