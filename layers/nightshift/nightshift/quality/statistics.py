"""What a share that was found in a sample says about all. Pure."""

from math import sqrt
from statistics import NormalDist


def wilson(correct: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval around a share: in so many of a hundred samples, it holds the true share.

    Both ends are between 0 and 1; without a sample nothing is known, and the interval is all of
    that (E. B. Wilson, Probable inference, 1927: the score interval without correction).
    """
    if of == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / of
    middle = share + z * z / (2 * of)
    reach = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    whole = 1 + z * z / of
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)
