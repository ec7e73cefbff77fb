"""The arithmetic of right and wrong, against values from elsewhere and against counting by hand."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.quality.statistics import by_class, confusions, sign_test, wilson

CLASSES = st.sampled_from(["a", "b", "c"])
PAIRS = st.lists(st.tuples(CLASSES, CLASSES))


@pytest.mark.parametrize(
    ("correct", "of", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(correct: int, of: int, low: float, high: float) -> None:
    assert wilson(correct, of) == pytest.approx((low, high), abs=5e-5)
    assert wilson(of - correct, of) == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_nothing_counted_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert sign_test(0, 0) == 1.0
    assert by_class([]) == confusions([]) == []


@given(PAIRS)
def test_classes_and_confusions_are_what_counting_by_hand_gives(
    pairs: list[tuple[str, str]],
) -> None:
    both = [((wanted,), (said,)) for wanted, said in pairs]
    for each in by_class(both):
        hits = pairs.count((each.name, each.name))
        wanted, said = (sum(pair[n] == each.name for pair in pairs) for n in (0, 1))
        assert each.recall == (hits / wanted if wanted else None)
        assert each.precision == (hits / said if said else None)
        assert each.f1 == pytest.approx(2 * hits / (wanted + said))
    assert {(w[0], s[0]): n for (w, s), n in confusions(both)} == {
        pair: pairs.count(pair) for pair in pairs if pair[0] != pair[1]
    }


def test_lists_of_labels_count_label_by_label_in_any_order() -> None:
    pairs = [(("a", "b"), ("b", "a")), (("a",), ("a", "c"))]
    assert [(e.name, e.expected, e.answered, e.correct) for e in by_class(pairs)] == [
        ("a", 2, 2, 2),
        ("b", 1, 1, 1),
        ("c", 0, 1, 0),
    ]
    assert confusions(pairs) == [((("a",), ("a", "c")), 1)]


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_sign_test_adds_up_all_outcomes_that_are_as_unlikely(better: int, worse: int) -> None:
    n = better + worse
    as_far = [comb(n, k) for k in range(n + 1) if abs(2 * k - n) >= abs(better - worse)]
    assert sign_test(better, worse) == pytest.approx(sum(as_far) / 2**n)
