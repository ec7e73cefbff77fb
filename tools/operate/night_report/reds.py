"""Nights that ended red, and batches that need somebody, whatever the end."""

from collections.abc import Callable
from dataclasses import replace

from tools.operate.night_report.advice import (
    Action,
    Verdict,
    pending,
    start,
    start_again,
    store_key,
)
from tools.operate.night_report.facts import Facts
from tools.operate.night_report.record import Failure
from tools.operate.night_report.words import count


def failed(facts: Facts, failure: Failure) -> Verdict:
    """An execution failed, and no later one made it good."""
    make = _REDS.get(failure.error, _unexpected)
    judged = make(facts, failure)
    # What the console says is shown as it is: once.
    console = f"{failure.error}: {failure.cause}"
    story = [sentence for sentence in judged.story if not console.startswith(sentence)]
    return replace(judged, story=(*story, _what_stands(facts)), failure=failure)


def set_aside(facts: Facts) -> Verdict:
    held = sum(batch.requests for batch in facts.set_aside)
    what = count(len(facts.set_aside), "batch", "batches")
    return Verdict(
        "bad",
        "Set aside",
        f"{what} cannot be read at Claude; {count(held, 'ticket waits', 'tickets wait')} for it.",
        tuple(str(batch.trouble or "") for batch in facts.set_aside),
        (
            Action("Every start looks for it once. When what kept it from being read is mended (a "
                   "key of another workspace, a table without permission), start again:",
                   start(facts, {})),
            Action("Else nothing: 25 hours after its create it is closed as lost if Claude does "
                   "not know it, and its tickets are asked again."),
        ),
    )  # fmt: skip


def disputed(facts: Facts) -> Verdict:
    ids = ", ".join(str(batch.batch_id) for batch in facts.disputed)
    again = sum(batch.tally.requeued for batch in facts.disputed)
    return Verdict(
        "bad",
        "Disputed",
        f"The results of {count(len(facts.disputed), 'batch', 'batches')} do not add up.",
        (
            *(str(batch.trouble or "") for batch in facts.disputed),
            f"What it answered was kept; {count(again, 'request')} went back to pending.",
        ),
        (Action(f"Compare it in the Claude Console, which keeps it for 29 days, and tell Anthropic "
                f"if it is theirs: {ids}"),),
    )  # fmt: skip


def _what_stands(facts: Facts) -> str:
    classified, left = facts.tally.classified, pending(facts)
    done = count(classified, "ticket has", "tickets have") if classified else "No ticket has"
    waits = f"{count(left, 'is', 'are')} pending" if left else "none is pending"
    return f"{done} a category from this run; {waits}. Nothing is lost or paid twice."


def _rejected(facts: Facts, failure: Failure) -> Verdict:
    if "API key" in failure.cause:
        return Verdict(
            "bad",
            "Key rejected",
            "Claude does not accept the API key, so the night stopped.",
            actions=(
                Action("Make a key in the Claude Console and store it, in place of YOUR-NEW-KEY; "
                       "no deploy is needed:",
                       store_key(facts)),
                start_again(facts),
            ),
        )  # fmt: skip
    return Verdict(
        "bad",
        "Rejected",
        "Claude refuses our requests, so the night stopped.",
        actions=(
            Action("Mend what Claude names: credit, key, model or task file."),
            start_again(facts),
        ),
    )


def _no_key(facts: Facts, failure: Failure) -> Verdict:
    return Verdict(
        "bad",
        "No key",
        "The stack has no API key yet, so nothing was sent.",
        actions=(
            Action("Store it, in place of YOUR-NEW-KEY:", store_key(facts)),
            start_again(facts),
        ),
    )


def _unavailable(facts: Facts, failure: Failure) -> Verdict:
    return Verdict(
        "bad",
        "Claude down",
        "Claude could not be reached or took no batch for about a day, so the night gave up.",
        actions=(Action("Look at status.claude.com. When it is up again:", start(facts, {})),),
    )


def _not_found(facts: Facts, failure: Failure) -> Verdict:
    if facts.set_aside:
        return set_aside(facts)
    return _cause("Batch not found", "Claude does not know one of our batches.")(facts, failure)


def _mismatch(facts: Facts, failure: Failure) -> Verdict:
    if facts.disputed:
        return disputed(facts)
    return _unexpected(facts, failure)


def _cause(label: str, title: str, todo: str = "") -> Callable[[Facts, Failure], Verdict]:
    """A red end whose own words say what to mend."""

    def judge(facts: Facts, failure: Failure) -> Verdict:
        mend = (Action(todo),) if todo else ()
        return Verdict("bad", label, title, actions=(*mend, start_again(facts)))

    return judge


def _unexpected(facts: Facts, failure: Failure) -> Verdict:
    return Verdict(
        "bad",
        "Failed",
        f"The night failed: {failure.error}.",
        actions=(
            Action("Open the execution in the Step Functions console; the logs of the functions "
                   "at that time say more."),
            start_again(facts),
        ),
    )  # fmt: skip


_REDS: dict[str, Callable[[Facts, Failure], Verdict]] = {
    "AnswersUnusable": _cause(
        "Answers unusable", "Most answers could not be used, so the night stopped.",
        "Mend the prompt, the categories or max_tokens in the task file, or choose another model; "
        "deploy. The next batch tries it with at most 100 requests.",
    ),
    "ApiKeyMissing": _no_key,
    "BatchNotFound": _not_found,
    "ClaudeRejected": _rejected,
    "ClaudeUnavailable": _unavailable,
    "InvalidInput": _cause(
        "Wrong input", "Somebody started it with an input that Nightshift does not know.",
        "Start with {} or with one of the files in events/.",
    ),
    "LedgerMismatch": _mismatch,
    "PriceUnknown": _cause(
        "Price unknown", "No price is known for the model, so its cost could not be bounded.",
        "Deploy with a model that the cause names.",
    ),
    "ResultsGone": _cause(
        "Results gone",
        "Claude no longer holds the results of a batch: its tickets are pending again.",
    ),
    "SettingsInvalid": _cause(
        "Settings invalid", "A parameter or the task file is malformed.", "Mend it and deploy.",
    ),
    "TableRefused": _cause("Table refused", "DynamoDB refused a write to the ticket table."),
}  # fmt: skip
