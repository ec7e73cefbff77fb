"""What a verdict is made of, and the commands that it advises."""

import json
from dataclasses import dataclass
from shlex import quote
from typing import Literal

from tools.operate.night_report.facts import Facts
from tools.operate.night_report.record import Failure

type Tone = Literal["good", "attention", "bad", "busy"]


@dataclass(frozen=True)
class Action:
    """One thing to do, with the command that does it, if there is one."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class Verdict:
    """`label` in two words, `title` in one sentence; `story` tells the rest, `actions` come in
    the order in which to do them. No actions: nothing is to be done. `failure` is told in the
    words of the console."""

    tone: Tone
    label: str
    title: str
    story: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    failure: Failure | None = None


def start(facts: Facts, asked: dict[str, object]) -> str:
    """The command that starts the workflow with this input."""
    arn = facts.record.stack.outputs["WorkflowArn"]
    text = quote(json.dumps(asked))
    return (
        f"aws stepfunctions start-execution{_region(arn)} --state-machine-arn {arn} --input {text}"
    )


def start_again(facts: Facts) -> Action:
    first = "; what is open is finished first" if facts.open else ""
    return Action(f"Start again{first}:", start(facts, {}))


def store_key(facts: Facts) -> str:
    secret = facts.record.stack.outputs.get("ApiKeySecretArn", "<ApiKeySecretArn>")
    return (
        f"aws secretsmanager put-secret-value{_region(secret)} --secret-id {secret} "
        "--secret-string YOUR-NEW-KEY"
    )


def _region(arn: str) -> str:
    """As an argument, since the reader's own default may be another one."""
    parts = arn.split(":")
    return f" --region {parts[3]}" if len(parts) > 3 and parts[3] else ""


def pending(facts: Facts) -> int:
    """Tickets that ask for a category: when it reported, or now if it did not."""
    report = facts.record.report
    return report.pending if report else facts.record.pending_now
