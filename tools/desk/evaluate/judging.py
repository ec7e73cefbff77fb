"""What came back, judged: right or wrong by row, and the figures of a series. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cached_property

from nightshift.claude.money import NOTHING, Usage
from nightshift.claude.results import Result
from nightshift.quality.gold import UNKNOWN, classes_of
from nightshift.quality.statistics import (
    ByClass,
    Classes,
    Pair,
    by_class,
    confusions,
    sign_test,
    wilson,
)
from nightshift.task.answer import Answer
from nightshift.writing.decision import answer_of
from tools.desk.evaluate.series import Series
from tools.desk.labelled import Row

NO_ANSWER = ":unusable"
"""The class of an answer that the task does not allow: such an answer counts as wrong."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One row: expected and answered by output, for the outputs that are compared."""

    pairs: Mapping[str, Pair]

    @property
    def right(self) -> bool:
        return all(set(expected) == set(answered) for expected, answered in self.pairs.values())

    @property
    def answered(self) -> dict[str, Classes]:
        return {name: answered for name, (_, answered) in self.pairs.items()}


@dataclass(frozen=True)
class Card:
    """The figures of one series. `rows` are the rows that are compared, by ticket id.

    `requests` were sent; of these `unsure` left an output to a person, `unusable` have an answer
    that the task does not allow, and `unanswered` have none at all. `unlabelled` rows have no right
    answer in the file, `empty` ones no text.
    """

    name: str
    task: str
    version: str
    model: str
    rows: Mapping[str, Judged]
    requests: int = 0
    unsure: int = 0
    unusable: int = 0
    unanswered: int = 0
    unlabelled: int = 0
    unknown: int = 0
    empty: int = 0
    usage: Usage = NOTHING
    cost: Decimal = Decimal(0)
    took: timedelta = field(default_factory=timedelta)

    @cached_property
    def correct(self) -> int:
        return sum(row.right for row in self.rows.values())

    @property
    def accuracy(self) -> float | None:
        """The share of compared rows with every output right; None where none was compared."""
        return self.correct / len(self.rows) if self.rows else None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.correct, len(self.rows))

    @property
    def thousand(self) -> Decimal:
        """USD in batches for a thousand requests that are answered."""
        answered = self.requests - self.unanswered
        return self.cost * 1_000 / answered if answered else Decimal(0)

    @property
    def outputs(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows.values() for name in row.pairs))

    def pairs(self, output: str) -> list[Pair]:
        return [row.pairs[output] for row in self.rows.values() if output in row.pairs]

    def classes(self, output: str) -> list[ByClass]:
        return by_class(self.pairs(output))

    def confusions(self, output: str) -> list[tuple[Pair, int]]:
        return confusions(self.pairs(output))


def judge(series: Series, found: Mapping[int, Result], took: timedelta) -> Card:
    """All figures of a series from the results by row."""
    judged: dict[str, Judged] = {}
    counts = dict.fromkeys(("unsure", "unusable", "unanswered", "unlabelled", "unknown"), 0)
    usage, cost = NOTHING, Decimal(0)
    sent = [row for row, message in enumerate(series.messages) if message is not None]
    for number in sent:
        row, result = series.rows[number], found.get(number)
        counts["unlabelled"] += not row.expected
        counts["unknown"] += any(UNKNOWN in each for each in row.expected.values())
        if result is None or result.kind != "succeeded":
            counts["unanswered"] += 1
            continue
        usage += result.usage
        cost += series.price.batch_cost(*_split(result.usage, series))
        if result.in_the_us:
            cost += series.price.surcharge(result.usage)
        answer = answer_of(result, series.task)
        counts["unusable"] += answer is None
        counts["unsure"] += bool(answer and answer.unsure)
        if pairs := _pairs(row, answer, series):
            judged[row.ticket_id] = Judged(pairs)
    return Card(
        series.name,
        series.task.name,
        series.version,
        series.model,
        judged,
        len(sent),
        empty=len(series.rows) - len(sent),
        usage=usage,
        cost=cost,
        took=took,
        **counts,
    )


def _split(usage: Usage, series: Series) -> tuple[Usage, Usage]:
    """A request's usage, and what of it is charged as that of a long prompt: all or nothing."""
    return usage, usage if series.price.is_long(usage) else NOTHING


def _pairs(row: Row, answer: Answer | None, series: Series) -> dict[str, Pair]:
    """What is compared of a row: as in a night, nothing where something is left to a person."""
    if answer is None:
        return {name: (expected, (NO_ANSWER,)) for name, expected in row.expected.items()}
    if answer.unsure:
        return {}
    return {
        name: (row.expected[name], classes_of(output, answer.values[name]))
        for name, output in series.task.output.items()
        if name in row.expected
    }


@dataclass(frozen=True)
class Flips:
    """What changes from one series to another, over the rows that both have compared: ids of rows
    that become right (`better`), wrong (`worse`), or wrong in another way (`other`)."""

    before: str
    after: str
    both: int
    better: Sequence[str]
    worse: Sequence[str]
    other: Sequence[str]

    @property
    def chance(self) -> float:
        """How likely such a difference is by chance alone."""
        return sign_test(len(self.better), len(self.worse))


def flips(before: Card, after: Card) -> Flips:
    both = [ticket_id for ticket_id in before.rows if ticket_id in after.rows]
    pairs = [(ticket_id, before.rows[ticket_id], after.rows[ticket_id]) for ticket_id in both]
    return Flips(
        before.name,
        after.name,
        len(both),
        [ticket_id for ticket_id, was, now in pairs if now.right and not was.right],
        [ticket_id for ticket_id, was, now in pairs if was.right and not now.right],
        [
            ticket_id
            for ticket_id, was, now in pairs
            if not was.right and not now.right and was.answered != now.answered
        ],
    )
