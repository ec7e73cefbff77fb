"""The requests of a few tickets, each asked once, and what came back."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from nightshift.claude import custom_id, results
from nightshift.claude.client import Claude
from nightshift.claude.custom_id import CustomId
from nightshift.claude.money import NOTHING, Price, Usage
from nightshift.claude.results import Result
from nightshift.errors import ClaudeRejected, ClaudeUnavailable
from nightshift.task.answer import Answer
from nightshift.task.html_text import cut, plain
from nightshift.task.request import RequestTemplate
from nightshift.task.task import Task
from nightshift.tickets import attribute
from nightshift.writing.decision import answer_of
from tools.desk.labelled import Row

AT_ONCE = 4
"""Requests on their way at the same time: few enough for the limits of a new account."""
EMPTY = "no text in any input: never sent"


@dataclass(frozen=True)
class Tried:
    """A ticket beside its answer. `cut` is how many characters of an input were left out;
    `problem` says why there is no answer that the task allows."""

    row: Row
    message: str | None
    cut: Mapping[str, int]
    redacted: Mapping[str, int]
    said: str = ""
    answer: Answer | None = None
    problem: str = ""
    usage: Usage = NOTHING


@dataclass(frozen=True)
class Trial:
    """All that was tried, with one task and one model."""

    task: Task
    model: str
    template: RequestTemplate
    price: Price
    tried: list[Tried] = field(default_factory=list)

    @property
    def answered(self) -> list[Tried]:
        return [each for each in self.tried if each.usage != NOTHING]

    @property
    def usage(self) -> Usage:
        return sum((each.usage for each in self.tried), NOTHING)

    @property
    def cost(self) -> Decimal:
        """USD of what was tried, in real time."""
        return sum((self.price.request_cost(each.usage) for each in self.tried), Decimal(0))

    @property
    def params(self) -> dict[str, Any]:
        """What every request says beside its message."""
        params = self.template.params("")
        del params["messages"], params["system"]
        return params


def ask_all(rows: Sequence[Row], trial: Trial, claude: Claude) -> Iterator[Tried]:
    """Ask each ticket once, a few at a time; in the order of the rows.

    Raises ClaudeRejected if Claude refuses the account, the model or the task.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda row: ask(row, trial, claude), rows)


def ask(row: Row, trial: Trial, claude: Claude) -> Tried:
    message, redacted = trial.task.counted_message_for(row.shown)
    left_out = _left_out(row, trial.task)
    if message is None:
        return Tried(row, None, left_out, redacted, problem=EMPTY)
    try:
        raw = claude.message(trial.template.params(message))
    except ClaudeUnavailable as error:
        return Tried(row, message, left_out, redacted, problem=str(error))
    encoding, name = custom_id.name_ticket(row.ticket_id)
    digest = attribute.digest([{"S": message}])
    asked = CustomId(custom_id.new_token(), 0, digest, encoding, name)
    result = results.of_message(asked, raw)
    if result is None:
        raise ClaudeRejected(
            "What answers is not Claude: a proxy or gateway on the way may have answered in its "
            "place. Look at ANTHROPIC_BASE_URL."
        )
    answer = answer_of(result, trial.task)
    problem = "" if answer else _problem(result)
    return Tried(row, message, left_out, redacted, result.answer, answer, problem, result.usage)


def _problem(result: Result) -> str:
    if result.stop_reason == "end_turn":
        return "an answer that the task does not allow"
    return f"no whole answer ({result.stop_reason})"


def _left_out(row: Row, task: Task) -> dict[str, int]:
    """Characters of each input that are not sent, counted before anything is redacted."""
    found = {}
    for (text, markup), (name, most) in zip(row.shown, task.input.items(), strict=True):
        visible = plain(text) if markup else text
        if more := len(visible) - len(cut(visible, most)):
            found[name] = more
    return found
