"""The arithmetic of right and wrong answers. Pure.

An answer is compared as a tuple of classes: one for a label, any number for a list of labels.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import comb, sqrt
from statistics import NormalDist

type Classes = tuple[str, ...]
type Pair = tuple[Classes, Classes]
"""What was expected, and what was answered."""


def wilson(correct: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval for a share (E. B. Wilson, 1927): unlike the usual plus or minus, it holds
    for few answers, and for shares near 0 and 1. From 0 to 1 where there is nothing to count."""
    if not of:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = correct / of, 1 + z * z / of
    center = (share + z * z / (2 * of)) / scale
    half = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / scale
    low = 0.0 if correct == 0 else max(0.0, center - half)
    high = 1.0 if correct == of else min(1.0, center + half)
    return low, high


@dataclass(frozen=True, slots=True)
class ByClass:
    """One class: how often it was expected, how often answered, and how often both."""

    name: str
    expected: int
    answered: int
    correct: int

    @property
    def precision(self) -> float | None:
        """Of the answers with this class, the share that is right; None where there are none."""
        return self.correct / self.answered if self.answered else None

    @property
    def recall(self) -> float | None:
        """Of the tickets of this class, the share that was found; None where there are none."""
        return self.correct / self.expected if self.expected else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both; None for a class that is neither expected nor answered."""
        both = self.expected + self.answered
        return 2 * self.correct / both if both else None


def by_class(pairs: Iterable[Pair]) -> list[ByClass]:
    """Every class that was expected or answered, the most expected first."""
    expected, answered, correct = Counter[str](), Counter[str](), Counter[str]()
    for wanted, said in pairs:
        expected.update(set(wanted))
        answered.update(set(said))
        correct.update(set(wanted) & set(said))
    names = sorted(expected | answered, key=lambda name: (-expected[name], name))
    return [ByClass(name, expected[name], answered[name], correct[name]) for name in names]


def confusions(pairs: Iterable[Pair]) -> list[tuple[Pair, int]]:
    """Wrong answers: what was expected, what was answered, how often; the most frequent first."""
    counts = Counter(pair for pair in pairs if set(pair[0]) != set(pair[1]))
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def sign_test(better: int, worse: int) -> float:
    """The exact two-sided sign test: how likely it is that as many changes or more go one way by
    chance alone, if each is as likely to go either way. 1.0 where nothing changed."""
    changes = better + worse
    tail = sum(comb(changes, k) for k in range(min(better, worse) + 1))
    return min(1.0, 2 * tail / 2**changes) if changes else 1.0
