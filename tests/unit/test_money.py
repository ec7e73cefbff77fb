"""Every model has its price, a batch costs half, and nothing unknown counts as free."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.errors import PriceUnknown
from nightshift.money import NOTHING, PRICES, Usage, batch_cost, price_of, realtime_cost

MILLION = 1_000_000
# USD per million tokens in real time: input, output, cache write 5 min, 1 h, cache read
# (platform.claude.com, pricing and model pages, 2026-08-22 to 2026-11-20).
PUBLISHED = {
    "claude-haiku-4-5": "1 5 1.25 2 0.10",
    "claude-haiku-5-5": "0.10 0.50 0.125 0.20 0.01",
    "claude-sonnet-4-5": "3 15 3.75 6 0.30",
    "claude-sonnet-4-6": "3 15 3.75 6 0.30",
    "claude-sonnet-5": "2 10 2.50 4 0.20",
    "claude-sonnet-5-5": "2 10 2.50 4 0.10",
    "claude-opus-4-5": "5 25 6.25 10 0.50",
    "claude-opus-4-6": "5 25 6.25 10 0.50",
    "claude-opus-4-7": "5 25 6.25 10 0.50",
    "claude-opus-4-8": "5 25 6.25 10 0.50",
    "claude-opus-5": "5 25 6.25 10 0.50",
    "claude-fable-5-1": "10 50 12.50 20 0.25",
}
EACH = [
    Usage(input_tokens=MILLION),
    Usage(output_tokens=MILLION),
    Usage(cache_write_5m=MILLION),
    Usage(cache_write_1h=MILLION),
    Usage(cache_read=MILLION),
]
COUNTS = st.integers(0, 10**12)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_million_tokens_of_each_kind_cost_what_is_published(model: str) -> None:
    usd = [Decimal(each) for each in PUBLISHED[model].split()]

    assert [realtime_cost(usage, model) for usage in EACH] == usd
    assert [batch_cost(usage, model) for usage in EACH] == [each / 2 for each in usd]


def test_no_price_is_invented() -> None:
    assert PRICES.keys() == PUBLISHED.keys()


def test_the_default_model_costs_half_of_one_and_of_five_dollars_in_a_batch() -> None:
    assert batch_cost(EACH[0], "claude-haiku-4-5") == Decimal("0.50")
    assert batch_cost(EACH[1], "claude-haiku-4-5") == Decimal("2.50")


@pytest.mark.parametrize(
    ("dated", "alias"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-5-5-20261007", "claude-haiku-5-5"),
        ("claude-sonnet-5-5-20260901", "claude-sonnet-5-5"),
    ],
)
def test_a_dated_id_costs_what_its_alias_costs(dated: str, alias: str) -> None:
    assert price_of(dated) == price_of(alias)


@pytest.mark.parametrize(
    "model",
    [
        "claude-haiku-6",
        "claude-haiku-4",
        "claude-haiku-4-5-latest",
        "claude-haiku-4-5-1",
        "claude-3-5-haiku-20241022",
        "gpt-5",
        "",
    ],
)
def test_an_unknown_model_is_refused_and_the_known_ones_are_named(model: str) -> None:
    with pytest.raises(PriceUnknown) as refused:
        batch_cost(NOTHING, model)

    assert repr(model) in str(refused.value)
    assert all(known in str(refused.value) for known in PUBLISHED)


def test_one_token_is_not_rounded_away() -> None:
    assert batch_cost(Usage(input_tokens=1), "claude-haiku-5-5") == Decimal("0.00000005")
    assert batch_cost(Usage(cache_read=1), "claude-haiku-5-5") == Decimal("0.000000005")


@given(st.lists(USAGES, max_size=20))
def test_the_cost_of_a_sum_is_the_sum_of_the_costs(usages: list[Usage]) -> None:
    each = sum((batch_cost(usage, "claude-sonnet-4-5") for usage in usages), Decimal(0))

    assert batch_cost(sum(usages, NOTHING), "claude-sonnet-4-5") == each
