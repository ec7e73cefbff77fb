"""The sums over the tickets of a table: shares with intervals, changes with their ids. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from nightshift.quality.statistics import wilson
from nightshift.task.task import Task
from nightshift.tickets import attribute
from tools.operate.quality.compare import Became, Compared, Item, Pair, compared, is_answered


@dataclass(slots=True)
class Rate:
    """So many of so many answers were changed by people."""

    of: int = 0
    changed: int = 0

    def count(self, is_changed: bool) -> None:
        self.of += 1
        self.changed += is_changed

    @property
    def share(self) -> float:
        return self.changed / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share of all such answers is, with 95 % certainty."""
        return wilson(self.changed, self.of)


@dataclass(frozen=True, order=True, slots=True)
class Correction:
    """A ticket that was corrected, by when it had been answered; not when somebody corrected it,
    which nobody records."""

    answered_at: str
    ticket_id: str


@dataclass(frozen=True, slots=True)
class Confusion:
    """One kind of change: of an output, from what to what, and its tickets, newest first."""

    output: str
    pair: Pair
    corrections: tuple[Correction, ...]


@dataclass
class Figures:
    """What people have changed and decided. `other` tickets were read but could not be compared."""

    task: Task
    tickets: int = 0
    other: int = 0
    waiting: int = 0
    all: Rate = field(default_factory=Rate)
    classes: dict[str, dict[str, Rate]] = field(default_factory=dict)
    versions: dict[Pair, Rate] = field(default_factory=lambda: defaultdict(Rate))
    decided: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _changes: dict[tuple[str, Pair], list[Correction]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, item: Item, key: str) -> None:
        """Count one ticket, whose id is in the attribute `key`."""
        self.tickets += 1
        outputs = list(compared(item, self.task)) if is_answered(item) else []
        self.other += not outputs
        self.waiting += any(each.became == Became.WAITS for each in outputs)
        for each in outputs:
            self._add_output(each)
        changes = [each for each in outputs if each.became == Became.CHANGED]
        if changes or any(each.became == Became.KEPT for each in outputs):
            self.all.count(bool(changes))
            self.versions[_version(item)].count(bool(changes))
        correction = Correction(attribute.text(item.get("classified_at")), item[key]["S"])
        for each in changes:
            for pair in each.pairs:
                self._changes[each.output, pair].append(correction)

    def _add_output(self, each: Compared) -> None:
        if each.became == Became.DECIDED:
            self.decided[each.output].update(word for word, _ in each.classes)
        elif each.became != Became.WAITS:
            rates = self.classes.setdefault(each.output, {})
            for word, is_changed in each.classes:
                rates.setdefault(word, Rate()).count(is_changed)

    def by_class(self) -> Iterator[tuple[str, list[tuple[str, Rate]]]]:
        """Of each output every answer with its rate, the most frequent answer first."""
        for name in self.task.output:
            if rates := self.classes.get(name):
                yield name, sorted(rates.items(), key=lambda each: (-each[1].of, each[0]))

    def by_version(self) -> list[tuple[Pair, Rate]]:
        """Every version with its model and its rate, the most frequent one first."""
        return sorted(self.versions.items(), key=lambda each: (-each[1].of, each[0]))

    def confusions(self) -> list[Confusion]:
        """From what to what, the most frequent change first."""
        ranked = sorted(self._changes.items(), key=lambda each: (-len(each[1]), each[0]))
        return [
            Confusion(output, pair, tuple(sorted(changes, reverse=True)))
            for (output, pair), changes in ranked
        ]


def _version(item: Item) -> Pair:
    return (
        attribute.text(item.get("classified_with")),
        attribute.text(item.get("classified_by")),
    )
