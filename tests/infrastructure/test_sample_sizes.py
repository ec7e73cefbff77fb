"""The table of sample sizes in docs/quality.md, reckoned anew."""

import re
from pathlib import Path

import pytest

from nightshift.quality.statistics import wilson

PAGE = (Path(__file__).parents[2] / "docs" / "quality.md").read_text()
ROWS = re.findall(r"^\| (\d\d) % \|(.+)\|$", PAGE, re.MULTILINE)
POINTS = [int(each) for each in re.findall(r"± (\d+) points", PAGE)]
SIZES = [
    (int(share), points, int(size.replace(",", "")))
    for share, sizes in ROWS
    for points, size in zip(POINTS, sizes.split("|"), strict=True)
]


def reach(share: int, size: int) -> float:
    """How many points the 95 % interval ends from what was found, at most."""
    low, high = wilson(share * size // 100, size)
    return max(share - 100 * low, 100 * high - share)


def test_there_are_rows() -> None:
    assert len(SIZES) == 12


@pytest.mark.parametrize(("share", "points", "size"), SIZES)
def test_a_sample_is_large_enough_and_no_larger(share: int, points: int, size: int) -> None:
    assert reach(share, size) <= points < reach(share, size - 20)


def test_the_example_is_right() -> None:
    low, high = wilson(180, 200)

    assert f"between {100 * low:.1f} % and {100 * high:.1f} %" in " ".join(PAGE.split())
