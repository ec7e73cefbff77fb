"""Every model has its price, a batch costs half, and nothing unknown counts as free."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nightshift.claude.money import NOTHING, Price, Usage, trillionths_within
from nightshift.claude.prices import published
from nightshift.errors import PriceUnknown

MILLION = 1_000_000
# USD per million tokens in real time: input, output, cache write 5 min, 1 h, cache read
# (platform.claude.com, pricing and model pages, 2026-08-22 to 2026-11-20; fable-5-2: see the file).
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
    "claude-opus-5-5": "4 20 5 8 0.20",
    "claude-fable-5": "10 50 12.50 20 1",
    "claude-fable-5-1": "10 50 12.50 20 0.25",
    "claude-fable-5-2": "8 40 10 16 0.80",
}
# The shortest prefix that is cached (platform.claude.com, prompt caching, 2026-09-26).
CACHEABLE_FROM = {
    512: "haiku-5-5 sonnet-5-5 opus-5 opus-5-5 fable-5 fable-5-1 fable-5-2",
    1024: "sonnet-4-5 sonnet-4-6 sonnet-5 opus-4-8",
    2048: "opus-4-7",
    4096: "haiku-4-5 opus-4-5 opus-4-6",
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


def price_of(model: str) -> Price:
    return published().of(model)


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_million_tokens_of_each_kind_cost_what_is_published(model: str) -> None:
    usd = [Decimal(each) for each in PUBLISHED[model].split()]

    assert [price_of(model).realtime_cost(usage) for usage in EACH] == usd
    assert [price_of(model).batch_cost(usage) for usage in EACH] == [each / 2 for each in usd]


def test_no_price_is_invented() -> None:
    assert published().rows.keys() == PUBLISHED.keys()


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_price_says_on_which_page_and_day_it_was_read(model: str) -> None:
    page, _, when = price_of(model).source.partition(", ")

    assert page
    assert date.fromisoformat(when[:10])


def test_every_model_knows_the_shortest_prefix_that_it_caches() -> None:
    for least, names in CACHEABLE_FROM.items():
        assert {price_of(f"claude-{name}").cacheable_from for name in names.split()} == {least}


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
        price_of(model)

    assert repr(model) in str(refused.value)
    assert all(known in str(refused.value) for known in PUBLISHED)


def test_one_token_is_not_rounded_away() -> None:
    haiku = price_of("claude-haiku-5-5")

    assert haiku.batch_cost(Usage(input_tokens=1)) == Decimal("0.00000005")
    assert haiku.batch_cost(Usage(cache_read=1)) == Decimal("0.000000005")


@given(st.lists(USAGES, max_size=20))
def test_the_cost_of_a_sum_is_the_sum_of_the_costs(usages: list[Usage]) -> None:
    price = price_of("claude-sonnet-4-5")
    each = sum((price.batch_cost(usage) for usage in usages), Decimal(0))

    assert price.batch_cost(sum(usages, NOTHING)) == each


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(100_000, 10), "0.010005"),
        (Usage(100_001, 10), "0.0500255"),
        (Usage(0, 10, cache_write_5m=40_000, cache_read=60_000), "0.005605"),
        (Usage(0, 10, cache_write_1h=40_000, cache_read=60_000), "0.008605"),
        (Usage(1, 10, cache_write_1h=40_000, cache_read=60_000), "0.0430255"),
    ],
)
def test_a_long_prompt_of_haiku_5_5_is_dearer_from_its_first_token(usage: Usage, usd: str) -> None:
    assert price_of("claude-haiku-5-5").request_cost(usage) == Decimal(usd)


SIZES = st.sampled_from([0, 1, 99_999, 100_000, 100_001, 10**6])
PROMPTS = st.builds(Usage, SIZES, COUNTS, SIZES, SIZES, SIZES)


@given(st.lists(PROMPTS, max_size=20))
def test_sums_that_keep_long_prompts_apart_cost_what_their_requests_do(usages: list[Usage]) -> None:
    haiku = price_of("claude-haiku-5-5")
    long = [usage for usage in usages if haiku.is_long(usage)]

    whole = haiku.batch_cost(sum(usages, NOTHING), sum(long, NOTHING))
    assert whole == sum(map(haiku.request_cost, usages), Decimal(0)) / 2


@given(SIZES, COUNTS, st.sampled_from(sorted(PUBLISHED)), st.data())
def test_no_request_costs_more_than_its_bound(
    tokens: int, output: int, model: str, data: st.DataObject
) -> None:
    price = price_of(model)
    written = data.draw(st.integers(0, tokens))
    read = data.draw(st.integers(0, tokens - written))
    usage = Usage(tokens - written - read, output, cache_write_1h=written, cache_read=read)

    bound = price.bound(Usage(cache_write_1h=1), Usage(output_tokens=output)).of(tokens)
    assert price.request_cost(usage) / 2 <= bound


def test_a_bound_is_rounded_up_and_a_budget_down() -> None:
    fine = Price.model_validate({"input": "0.0000011", "output": "0.0000033"})

    bound = fine.bound(Usage(input_tokens=1), Usage(output_tokens=1))

    assert bound.of(1) == Decimal("3e-12")
    assert bound.of(1) >= fine.request_cost(Usage(1, 1)) / 2
    assert trillionths_within(Decimal("2.9e-12")) == 2


def test_what_a_row_does_not_say_follows_the_providers_rule() -> None:
    price = Price.model_validate({"input": 0.4, "output": 2})

    assert [price.realtime_cost(usage) for usage in EACH] == [
        Decimal(usd) for usd in ("0.4", "2", "0.5", "0.8", "0.04")
    ]


def test_a_row_may_be_added_or_replaced_but_keeps_what_it_does_not_say_of_the_model() -> None:
    new = Price.model_validate({"input": 1, "output": 2})
    table = published().including({"claude-haiku-6-20270101": new, "claude-haiku-5-5": new})

    assert table.of("claude-haiku-6") == new
    assert table.of("claude-haiku-5-5").input == 1
    assert table.of("claude-haiku-5-5").long is None
    assert table.of("claude-haiku-5-5").cacheable_from == 512
    assert table.of("claude-haiku-4-5") == price_of("claude-haiku-4-5")


@pytest.mark.parametrize(
    "row",
    [
        {"input": 1},
        {"input": 0, "output": 5},
        {"input": -1, "output": 5},
        {"input": float("nan"), "output": 5},
        {"input": float("inf"), "output": 5},
        {"input": "free", "output": 5},
        {"input": 1, "output": 5, "cache_reads": 1},
        {"input": 1, "output": 5, "cache_read": 1.1},
        {"input": 1, "output": 5, "cache_write_1h": 1},
        {"input": 1, "output": 5, "long": {"input": 2, "output": 6}},
        {"input": 1, "output": 5, "long": {"input": 2, "output": 4, "over": 100_000}},
        {"input": 1, "output": 5, "cacheable_from": 0},
    ],
)
def test_a_price_that_could_not_bound_anything_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Price.model_validate(row)
