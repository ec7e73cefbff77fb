"""The verdict: what happened, why, and what to do, in the words of the mail and of the errors."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import ceil
from shlex import quote
from typing import Literal

from nightshift import errors
from nightshift.ending import mail
from nightshift.runs.records import TRY_LATER
from tools.operate.night_report.record import Failure, Record
from tools.words import count, duration

# The longest pause between two looks at a batch is 15 minutes: what lay longer than two was late.
LATE = timedelta(minutes=35)
# From here on those given up deserve a look; the alarm ManyTicketsFailed says the same.
MANY_FAILED, LEAST_FAILED = 0.05, 5
_ERRORS = {error.__name__: error for error in errors.NightshiftError.__subclasses__()}


@dataclass(frozen=True)
class Step:
    """One thing to do, with the command that does it, if there is one."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class Verdict:
    """`label` in two words, `title` in one sentence; `story` tells the rest, `steps` come in the
    order in which to do them. `failure` is told in the words of the console."""

    tone: Literal["good", "attention", "bad", "busy"]
    label: str
    title: str
    story: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    failure: Failure | None = None


def verdict(record: Record) -> Verdict:
    """The gravest thing decides; all that was unusual is told."""
    if record.running:
        judged = _running(record)
    elif record.problem:
        judged = _red(record, record.problem)
    elif record.kept is None:
        judged = _interrupted(record)
    else:
        judged = _ended(record)
    return replace(judged, story=(*judged.story, *causes(record)))


def _running(record: Record) -> Verdict:
    classified = count(record.output["classified"], "ticket")
    title = f"The night is at work: {classified} sorted so far."
    later = Step("Nothing: make this page again later.")
    return Verdict("busy", "Running", title, tuple(_at_claude(record)), (later,))


def _interrupted(record: Record) -> Verdict:
    title = "This run was stopped before it could report."
    again = _start_again(record)
    return Verdict("bad", "Interrupted", title, tuple(_at_claude(record)), (again,))


def _at_claude(record: Record) -> Iterator[str]:
    if waiting := sum(batch.requests for batch in record.open):
        yield f"{count(waiting, 'request is', 'requests are')} still with Claude."


def _red(record: Record, failure: Failure) -> Verdict:
    kind = _ERRORS.get(failure.error, errors.Unexpected)
    output = record.output
    story = [
        f"{count(output['classified'], 'ticket')} sorted, {output['pending']:,} pending. "
        "Nothing is lost or paid twice."
    ]
    aside = [batch for batch in record.run.in_state("open") if batch.set_aside]
    if aside:
        names = ", ".join(str(batch.batch_id) for batch in aside)
        waiting = count(sum(batch.requests for batch in aside), "ticket waits", "tickets wait")
        story.append(f"Set aside: {names}; {waiting} for that.")
    steps = [Step(kind.advice)]
    if kind is errors.ApiKeyMissing or "API key" in failure.cause:
        secret = record.stack.outputs.get("ApiKeySecretArn", "<ApiKeySecretArn>")
        put = f"aws secretsmanager put-secret-value{_region(secret)} --secret-id {secret}"
        text = "Store a key of the Claude Console, in place of YOUR-NEW-KEY:"
        steps.append(Step(text, f"{put} --secret-string YOUR-NEW-KEY"))
    steps.append(_start_again(record))
    return Verdict("bad", kind.label, kind.happened, tuple(story), tuple(steps), failure)


def _ended(record: Record) -> Verdict:
    output = record.output
    notices = tuple(map(Step, output["notices"]))
    judged = Verdict("attention", "Not all is done", mail.verdict(output), steps=notices)
    if output["status"] in ("partial", "canceled"):
        label = "Canceled" if output["status"] == "canceled" else judged.label
        return replace(judged, label=label, steps=(*notices, *_go_on(record)))
    failed, classified = output["failed"], output["classified"]
    many = failed >= LEAST_FAILED and failed > MANY_FAILED * (failed + classified)
    if many or (failed and not classified):
        look = Step("Look at the reasons below: they say why the tickets were given up.")
        return replace(judged, label="Done, with failures", steps=(*notices, look))
    if notices:
        return replace(judged, label="Done, but look at this")
    label = "All well in the end" if any(causes(record)) else "All well"
    rest = "Nothing for the night. The tickets given up are below, with what can be done for them."
    return Verdict("good", label, judged.title, steps=(Step(rest),) if record.failed else ())


def _go_on(record: Record) -> Iterator[Step]:
    """When what is pending is taken. Where a month's budget binds, the notice says all."""
    output, batches = record.output, record.run.batches
    of_budget = output.get("reason") == "budget"
    if of_budget and not any("max_cost_usd" in notice for notice in output["notices"]):
        return
    yield Step("Nothing, if they can wait: the next night takes what is pending.")
    if not of_budget:
        yield Step("To have it now:", _start(record, {}))
    elif batches:
        each = sum(batch.bound for batch in batches) / sum(batch.requests for batch in batches)
        # Of what is pending a tenth more than its bound, rounded up.
        enough = output["cost_usd"] + 1.1 * float(each) * output["pending"]
        asked = {"run_id": output["run_id"], "max_cost_usd": ceil(10_000 * enough) / 10_000}
        yield Step("To have it now, with a larger budget of the whole run:", _start(record, asked))


def _start_again(record: Record) -> Step:
    first = "; what is open is finished first" if record.open else ""
    return Step(f"Start again{first}:", _start(record, {}))


def _start(record: Record, asked: dict[str, object]) -> str:
    """The command that starts the workflow with this input."""
    arn = record.stack.outputs["WorkflowArn"]
    start = f"aws stepfunctions start-execution{_region(arn)} --state-machine-arn {arn}"
    return f"{start} --input {quote(json.dumps(asked))}"


def _region(arn: str) -> str:
    """As an argument, since the reader's own default may be another one."""
    parts = arn.split(":")
    return f" --region {parts[3]}" if len(parts) > 3 else ""


def causes(record: Record) -> Iterator[str]:
    """Why a night took longer or cost more tries than usual, whatever its end."""
    run, closed = record.run, record.run.in_state("closed")
    tries = [b.intent_at for b in run.in_state("not_created") if b.why_not_created == TRY_LATER]
    if tries and not record.problem:
        first, last = (clock(moment, tries[0].date()) for moment in (tries[0], tries[-1]))
        when = f"from {first} to {last} ({len(tries):,} tries)" if tries[1:] else f"at {first}"
        yield f"Claude took no batch {when}: down, or too busy. The night waits and tries again."
    waits = [b.closed_at - b.ended_at for b in closed if b.closed_at and b.ended_at]
    if waits and max(waits) > LATE:
        yield (
            f"Results lay ready for up to {duration(max(waits))} before they were collected: "
            "Claude could not be asked, or the night had been stopped."
        )
    if expired := sum(batch.tally.expired for batch in closed):
        yield (
            f"Claude did not answer {count(expired, 'request')} within its 24 hours. They cost "
            "nothing and are asked again."
        )
    if canceled := sum(batch.tally.canceled for batch in closed if not batch.cancel_asked):
        yield (
            f"{count(canceled, 'request was', 'requests were')} canceled by somebody else, such "
            "as in the Claude Console, and are asked again."
        )
    if made_good := len(record.failures) - len(record.standing_failures):
        yield f"{count(made_good, 'earlier start')} of this run failed; a later one finished it."


def clock(moment: datetime, day: date) -> str:
    """The time, with its day where that is another one."""
    return f"{moment:%H:%M}" if moment.date() == day else f"{moment:%a %H:%M}"
