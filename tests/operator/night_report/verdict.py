"""The verdict: what happened, and what to do, in the words of whoever must act. Pure."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10
from shlex import quote
from typing import Literal

from nightshift.records import Batch
from tests.operator.night_report.facts import Facts
from tests.operator.night_report.record import Failure
from tests.operator.night_report.words import clock_on, count, duration, number, usd

type Tone = Literal["good", "attention", "bad", "busy"]

ALL_WELL = "All well"
# From this share of a run's tickets on, those that were given up deserve a look.
MANY_FAILED = 0.05
LEAST_FAILED = 3


@dataclass(frozen=True)
class Action:
    """One thing to do, with the command that does it, if there is one."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class Verdict:
    """`label` in two words, `title` in one sentence; `story` tells the rest, `actions` come in
    the order in which to do them. No actions: nothing is to be done."""

    tone: Tone
    label: str
    title: str
    story: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()


def verdict(facts: Facts) -> Verdict:
    """The gravest thing decides the tone; everything unusual is told."""
    judged = _judged(facts)
    unusual = tuple(_unusual(facts))
    trouble = facts.outages or facts.expired or facts.canceled or facts.late
    label = "All well in the end" if trouble and judged.label == ALL_WELL else judged.label
    return replace(judged, label=label, story=(*judged.story, *unusual))


def _judged(facts: Facts) -> Verdict:
    record = facts.record
    if record.running:
        return _running(facts)
    if record.standing_failures:
        return _failed(facts, record.standing_failures[-1])
    if facts.set_aside:
        return _set_aside(facts)
    if facts.disputed:
        return _disputed(facts)
    if record.report is None:
        return _unfinished(facts)
    if not facts.balanced:
        return Verdict(
            "bad",
            "Books do not balance",
            f"{count(facts.submitted, 'request')} went out, {number(facts.tally.accounted)} ends "
            "are written down.",
            actions=(Action("Keep the tables as they are and report this: it is a defect."),),
        )
    if record.report.status == "canceled":
        return _canceled(facts)
    if record.report.status == "partial":
        return _partial(facts, record.report.reason)
    return _complete(facts)


# The ends of a night.


def _complete(facts: Facts) -> Verdict:
    classified, failed = facts.tally.classified, facts.failed
    if not classified and not failed and not facts.tally.superseded:
        return Verdict("good", "Nothing to do", "No ticket asked for a category.")
    have = f"{count(classified, 'ticket has', 'tickets have')} a category"
    many = failed >= LEAST_FAILED and failed > MANY_FAILED * (classified + failed)
    if not failed:
        return Verdict("good", ALL_WELL, f"{have}; none was given up.")
    title = f"{have}, {number(failed)} {'was' if failed == 1 else 'were'} given up."
    look = Action("Those given up are below, with their reasons. To ask again for them:",
                  f"make tickets-retry STACK={facts.record.stack.name}")  # fmt: skip
    if many:
        return Verdict("attention", "Done, with failures", title, actions=(look,))
    return Verdict("good", ALL_WELL, title)


def _partial(facts: Facts, reason: str) -> Verdict:
    have = f"{count(facts.tally.classified, 'ticket has', 'tickets have')} a category"
    waiting = f"{count(_pending(facts), 'ticket still asks', 'tickets still ask')} for one"
    title = f"{have}, {waiting}."
    make = _PARTIAL.get(reason)
    if make:
        return make(facts, title)
    label = f"Stopped early: {reason.replace('_', ' ')}"
    return Verdict("attention", label, title, actions=(_start_again(facts),))


def _budget(facts: Facts, title: str) -> Verdict:
    enough = _enough(facts)
    more = f"To have the rest now, start with a larger budget for this run, such as {usd(enough)}:"
    asked = {"run_id": facts.record.night.run_id, "max_cost_usd": enough}
    return Verdict(
        "attention",
        "Budget used up",
        title,
        (
            f"This run spent {usd(facts.cost)} and stopped where another batch might have cost more "
            "than its budget allows. Nothing is wrong, and nothing is lost.",
        ),
        (
            Action("Nothing, if they can wait: the next night takes them, with a budget of its own."),
            Action(more, _start(facts, asked)),
            Action("If it happens every night, deploy with a larger MaxCostUsd."),
        ),
    )


def _rounds(facts: Facts, title: str) -> Verdict:
    return Verdict(
        "attention",
        "Some are left",
        title,
        (f"After {count(len(facts.record.night.rounds), 'round')} some requests were still "
         "without a usable answer.",),
        (Action("Nothing: the next night tries again."),),
    )  # fmt: skip


def _limit(facts: Facts, title: str) -> Verdict:
    return Verdict(
        "attention",
        "Limit reached",
        title,
        ("Whoever started it asked for at most so many requests.",),
        (_start_again(facts),),
    )


def _interrupted(facts: Facts, title: str) -> Verdict:
    return Verdict(
        "attention",
        "Only collected",
        title,
        ("This run was finished by a start that sent nothing new for it.",),
        (Action("Nothing: the next night takes what is left."),),
    )


_PARTIAL: dict[str, Callable[[Facts, str], Verdict]] = {
    "budget": _budget,
    "rounds": _rounds,
    "limit": _limit,
    "interrupted": _interrupted,
    "collect": _interrupted,
}


def _canceled(facts: Facts) -> Verdict:
    kept = count(facts.tally.classified, "ticket has a category", "tickets have a category")
    return Verdict(
        "attention",
        "Canceled",
        f"Somebody canceled this run. What had finished was kept: {kept}.",
        (f"{count(_pending(facts), 'ticket asks', 'tickets ask')} for a category now.",),
        (Action("Nothing: the next night takes them. To have it now:", _start(facts, {})),),
    )


def _set_aside(facts: Facts) -> Verdict:
    held = sum(batch.requests for batch in facts.set_aside)
    what = count(len(facts.set_aside), "batch", "batches")
    return Verdict(
        "bad",
        "Set aside",
        f"{what} cannot be read at Claude; {count(held, 'ticket waits', 'tickets wait')} for it.",
        tuple(batch.problem or "" for batch in facts.set_aside),
        (
            Action("If Claude shows it again (look in the Claude Console), start again:",
                   _start(facts, {})),
            Action("To give it up; its tickets are then sent again:",
                   _start(facts, {"action": "cancel"})),
        ),
    )  # fmt: skip


def _disputed(facts: Facts) -> Verdict:
    ids = ", ".join(str(batch.batch_id) for batch in facts.disputed)
    again = sum(batch.tally.requeued for batch in facts.disputed)
    return Verdict(
        "bad",
        "Disputed",
        f"The results of {count(len(facts.disputed), 'batch', 'batches')} do not add up.",
        tuple(batch.problem or "" for batch in facts.disputed)
        + (f"What it answered was kept; {count(again, 'request', 'requests')} went back to pending "
           "and were asked again.",),
        (Action(f"Compare it in the Claude Console, which keeps it for 29 days, and tell Anthropic "
                f"if it is theirs: {ids}"),),
    )  # fmt: skip


def _running(facts: Facts) -> Verdict:
    waiting = sum(batch.requests for batch in facts.open)
    return Verdict(
        "busy",
        "Running",
        f"The night is at work: {count(facts.tally.classified, 'ticket')} sorted so far, "
        f"{count(waiting, 'request is', 'requests are')} with Claude.",
        actions=(Action("Nothing: make this page again later."),),
    )


def _unfinished(facts: Facts) -> Verdict:
    waiting = sum(batch.requests for batch in facts.open)
    return Verdict(
        "bad",
        "Interrupted",
        "This run was stopped before it could report.",
        (f"{count(waiting, 'request is', 'requests are')} still with Claude: the next start "
         "collects them first, and nothing is sent twice.",) if waiting else (),
        (Action("Start again:", _start(facts, {})),),
    )  # fmt: skip


# Red ends.


def _failed(facts: Facts, failure: Failure) -> Verdict:
    make = _REDS.get(failure.error, _unexpected)
    judged = make(facts, failure)
    story = list(judged.story)
    story.append(_what_stands(facts))
    return Verdict("bad", judged.label, judged.title, tuple(story), judged.actions)


def _what_stands(facts: Facts) -> str:
    classified, pending = facts.tally.classified, _pending(facts)
    done = count(classified, "ticket has", "tickets have") if classified else "No ticket has"
    waits = count(pending, "asks", "ask") if pending else "none asks"
    return f"{done} a category from this run; {waits} for one. Nothing is lost or paid twice."


def _rejected(facts: Facts, failure: Failure) -> Verdict:
    if "API key" in failure.cause:
        return Verdict(
            "bad",
            "Key rejected",
            "Claude does not accept the API key, so the night stopped.",
            actions=(
                Action("Make a key in the Claude Console and store it; no deploy is needed:",
                       _store_key(facts)),
                _start_again(facts),
            ),
        )  # fmt: skip
    return Verdict(
        "bad",
        "Rejected",
        "Claude refuses our requests, so the night stopped.",
        (failure.cause,),
        (
            Action("Mend what Claude names: credit, key, model or task file."),
            _start_again(facts),
        ),
    )


def _no_key(facts: Facts, failure: Failure) -> Verdict:
    return Verdict(
        "bad",
        "No key",
        "The stack has no API key yet, so nothing was sent.",
        actions=(
            Action("Store it; the plain key is the whole string:", _store_key(facts)),
            _start_again(facts),
        ),
    )


def _unavailable(facts: Facts, failure: Failure) -> Verdict:
    return Verdict(
        "bad",
        "Claude down",
        "Claude could not be reached for about a day, so the night gave up.",
        (failure.cause,),
        (Action("Look at status.claude.com. When it is up again:", _start(facts, {})),),
    )


def _not_found(facts: Facts, failure: Failure) -> Verdict:
    if facts.set_aside:
        return _set_aside(facts)
    return _cause("Batch not found", "Claude does not know one of our batches.")(facts, failure)


def _mismatch(facts: Facts, failure: Failure) -> Verdict:
    if facts.disputed:
        return _disputed(facts)
    return _unexpected(facts, failure)


def _cause(label: str, title: str, todo: str = "") -> Callable[[Facts, Failure], Verdict]:
    """A red end whose own words say what to mend."""

    def judge(facts: Facts, failure: Failure) -> Verdict:
        mend = (Action(todo),) if todo else ()
        return Verdict("bad", label, title, (failure.cause,), (*mend, _start_again(facts)))

    return judge


def _unexpected(facts: Facts, failure: Failure) -> Verdict:
    return Verdict(
        "bad",
        "Failed",
        f"The night failed: {failure.error}.",
        (failure.cause,),
        (
            Action("Open the execution in the Step Functions console; the logs of the functions "
                   "at that time say more."),
            _start_again(facts),
        ),
    )  # fmt: skip


_REDS: dict[str, Callable[[Facts, Failure], Verdict]] = {
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
        "Results gone", "Claude no longer holds the results of a batch: its tickets ask again.",
    ),
    "SettingsInvalid": _cause(
        "Settings invalid", "A parameter or the task file is malformed.", "Mend it and deploy.",
    ),
    "TableRefused": _cause("Table refused", "DynamoDB refused a write to the ticket table."),
}  # fmt: skip


# What else was unusual, whatever the end.


def _unusual(facts: Facts) -> Iterator[str]:
    start = facts.start
    if start is None:
        return
    day = start.date()
    for outage in facts.outages:
        if outage.end is None:
            yield f"Claude took nothing from {clock_on(outage.start, day)} on."
            continue
        tries = count(outage.refusals, "new batch was", "new batches were")
        yield (
            f"Claude was down or refused us for {duration(outage.end - outage.start)}, from "
            f"{clock_on(outage.start, day)} to {clock_on(outage.end, day)} ({tries} refused). "
            "The night waited and then went on by itself."
        )
    if facts.late and not facts.outages:
        longest = max(b.closed_at - b.ended_at for b in facts.late if b.closed_at and b.ended_at)
        yield (
            f"Results lay ready for up to {duration(longest)} before they were collected: Claude "
            "could not be asked, or the night had been stopped."
        )
    if facts.expired:
        lost = sum(batch.tally.expired for batch in facts.expired)
        yield (
            f"{count(len(facts.expired), 'batch', 'batches')} expired ({_names(facts.expired)}): "
            f"Claude did not answer {count(lost, 'request')} within its 24 hours. They cost "
            "nothing and were asked again."
        )
    strangers = [batch for batch in facts.canceled if not batch.cancel_asked]
    if strangers:
        yield (
            f"{count(len(strangers), 'batch was', 'batches were')} canceled by somebody else, such "
            "as in the Claude Console. What was cut off was asked again."
        )
    superseded = facts.tally.superseded
    if superseded:
        yield (
            f"{count(superseded, 'answer was', 'answers were')} not used: people had edited, sorted "
            "or deleted the tickets meanwhile."
        )
    made_good = len(facts.record.failures) - len(facts.record.standing_failures)
    if made_good:
        yield (
            f"{count(made_good, 'earlier start')} of this run failed; a later one finished it."
        )


def _names(batches: Sequence[Batch]) -> str:
    names = [str(int(batch.record.removeprefix("batch#"))) for batch in batches[:5]]
    more = len(batches) - len(names)
    return f"number {', '.join(names)}" + (f" and {more} more" if more else "")


def _pending(facts: Facts) -> int:
    report = facts.record.report
    return report.pending if report else facts.record.pending_now


def _enough(facts: Facts) -> float:
    """A budget with which everything pending fits, rounded up to two digits."""
    sent = sum(batch.requests for batch in facts.record.night.batches)
    bound = float(sum(batch.bound for batch in facts.record.night.batches))
    needed = facts.cost + (bound / sent if sent else 0.001) * _pending(facts) * 1.1
    digit = 10.0 ** (floor(log10(needed)) - 1) if needed else 0.01
    return round(ceil(needed / digit) * digit, 6)


def _start_again(facts: Facts) -> Action:
    return Action("Then start again; what is open is finished first:", _start(facts, {}))


def _start(facts: Facts, asked: dict[str, object]) -> str:
    arn = facts.record.stack.outputs["WorkflowArn"]
    text = json.dumps(asked)
    return f"aws stepfunctions start-execution --state-machine-arn {arn} --input {quote(text)}"


def _store_key(facts: Facts) -> str:
    secret = facts.record.stack.outputs.get("ApiKeySecretArn", "<ApiKeySecretArn>")
    return (
        f"aws secretsmanager put-secret-value --secret-id {secret} --secret-string sk-ant-..."
    )
