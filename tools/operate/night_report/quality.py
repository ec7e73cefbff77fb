"""How right the answers were, as the page draws it: the worst first, the rest behind a click."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from nightshift.ending import mail
from nightshift.quality.gold import Comparison, Gold
from nightshift.quality.statistics import ByClass, wilson
from tools.pages.rightness import Confusion, named
from tools.words import spoken

MOST_ROWS = 8


@dataclass(frozen=True)
class Drawn:
    """One output, or all outputs of a ticket together where `comparison` has no classes."""

    name: str
    comparison: Comparison

    @property
    def said(self) -> str:
        """The accuracy with its interval; what there is to say where nothing was compared."""
        compared = self.comparison
        if not compared.compared:
            return "nothing was compared"
        return mail.with_interval(compared.correct, compared.compared)

    @property
    def at(self) -> float:
        """The accuracy, from 0 to 1; 0 where nothing was compared."""
        return self.comparison.correct / max(1, self.comparison.compared)

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.comparison.correct, self.comparison.compared)

    @cached_property
    def classes(self) -> list[tuple[ByClass, int]]:
        """Every class with how often it was left to a person: most mistakes first."""
        found = [
            (
                ByClass(named(name), counts["expected"], counts["answered"], counts["correct"]),
                counts["unsure"],
            )
            for name, counts in self.comparison.classes.items()
        ]
        return sorted(
            found, key=lambda pair: (-_mistakes(pair[0]), -pair[0].expected, pair[0].name)
        )

    @property
    def worst(self) -> list[tuple[ByClass, int]]:
        """The first rows of these."""
        return self.classes[:MOST_ROWS]

    @cached_property
    def confusions(self) -> list[Confusion]:
        """What was taken for what, the most frequent first."""
        found = [
            Confusion(named(expected), answered, tickets)
            for expected, counts in self.comparison.confused.items()
            for answered, tickets in counts.items()
        ]
        return sorted(found, key=lambda each: (-each.tickets, each.expected, each.answered))

    @property
    def largest(self) -> list[Confusion]:
        """The first of these."""
        return self.confusions[:MOST_ROWS]

    @property
    def has_more(self) -> bool:
        return len(self.classes) > MOST_ROWS or len(self.confusions) > MOST_ROWS


def drawn(gold: Gold) -> Iterator[Drawn]:
    """What the page draws of the comparison: each output, and before several the whole tickets."""
    if len(gold.outputs) > 1:
        yield Drawn("Every output", Comparison(gold.tickets, gold.correct, gold.unsure))
    for name, comparison in gold.outputs.items():
        yield Drawn(spoken(name), comparison)


def _mistakes(counted: ByClass) -> int:
    """Answers of this class that are wrong, and tickets of it that got another one."""
    return counted.expected + counted.answered - 2 * counted.correct
