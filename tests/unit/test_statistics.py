"""Intervals and figures by class, beside those that statistics libraries gave once."""

from itertools import chain
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.quality.statistics import ByClass, by_class, confusions, sign_test, wilson

CLASSES = st.sampled_from(["a", "b", "c"])
PAIRS = st.lists(st.tuples(CLASSES, CLASSES))

# statsmodels 0.15.0, statsmodels.stats.proportion.proportion_confint(correct, of, alpha=0.05,
# method="wilson"); scipy 1.18.1, binomtest(correct, of).proportion_ci(0.95, "wilson") agrees.
INTERVALS = [
    (0, 1, 0.0, 0.7934506856227627),
    (1, 1, 0.2065493143772374, 1.0),
    (0, 20, 0.0, 0.1611251580528194),
    (20, 20, 0.8388748419471804, 1.0),
    (1, 30, 0.005908590381612455, 0.16670390991409176),
    (15, 30, 0.3315412564053376, 0.6684587435946624),
    (97, 120, 0.7287884399579755, 0.8687497407504908),
    (283, 300, 0.9111340419775253, 0.9643225235367106),
    (2999, 3000, 0.9981141811156959, 0.9999411560581286),
]
# The same with alpha=0.1 and alpha=0.01.
OTHER_CONFIDENCE = [
    (0.90, 0.9171564672593094, 0.9615852860787436),
    (0.99, 0.8984039201036823, 0.9690772535936044),
]
# scipy 1.18.1, binomtest(better, better + worse, 0.5).pvalue.
SIGN_TESTS = [
    (1, 0, 1.0),
    (5, 0, 0.0625),
    (3, 9, 0.14599609375),
    (12, 4, 0.076812744140625),
    (40, 25, 0.08168153394154003),
    (7, 7, 1.0),
]
# scikit-learn 1.9.1, sklearn.metrics.precision_recall_fscore_support(expected, answered,
# labels=list("abcde"), zero_division=nan), of the answers below; None stands for nan.
ANSWERED = {
    "a": "a" * 33 + "b" * 5 + "c" * 2,
    "b": "b" * 20 + "a" * 4 + "c",
    "c": "c" * 6 + "a" * 3 + "b",
    "d": "e" * 2 + "a" * 3,
}
FIGURES = {
    "a": (0.7674418604651163, 0.825, 0.7951807228915663),
    "b": (0.7692307692307693, 0.8, 0.7843137254901961),
    "c": (0.6666666666666666, 0.6, 0.631578947368421),
    "d": (None, 0.0, 0.0),
    "e": (0.0, None, 0.0),
}


@pytest.mark.parametrize(("correct", "of", "low", "high"), INTERVALS)
def test_the_interval_of_a_share_is_wilsons(correct: int, of: int, low: float, high: float) -> None:
    assert wilson(correct, of) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize(("confidence", "low", "high"), OTHER_CONFIDENCE)
def test_a_wider_interval_is_surer(confidence: float, low: float, high: float) -> None:
    assert wilson(283, 300, confidence) == pytest.approx((low, high), abs=1e-12)


def test_of_nothing_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_interval_touches_the_ends_where_all_or_none_are_right() -> None:
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == 1.0


def test_figures_by_class_are_those_of_the_field_and_none_where_there_is_no_denominator() -> None:
    pairs = list(chain(*([((e,), (a,)) for a in said] for e, said in ANSWERED.items())))

    found = {each.name: each for each in by_class(pairs)}

    for name, figures in FIGURES.items():
        each = found[name]
        assert (each.precision, each.recall, each.f1) == pytest.approx(figures, abs=1e-12)
    assert sum(each.correct for each in found.values()) / len(pairs) == 0.7375  # accuracy_score
    assert (ByClass("x", 0, 0, 0).f1, list(found)) == (None, ["a", "b", "c", "d", "e"])


def test_confusions_come_with_the_most_frequent_first() -> None:
    pairs = [(("a",), ("b",)), (("a",), ("c",)), (("b",), ("b",)), (("a",), ("c",))]

    assert confusions(pairs) == [((("a",), ("c",)), 2), ((("a",), ("b",)), 1)]


@pytest.mark.parametrize(("better", "worse", "chance"), SIGN_TESTS)
def test_the_sign_test_is_exact(better: int, worse: int, chance: float) -> None:
    assert sign_test(better, worse) == pytest.approx(chance, abs=1e-12)
    assert sign_test(worse, better) == sign_test(better, worse)


def test_of_no_answers_there_is_nothing_to_say() -> None:
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
