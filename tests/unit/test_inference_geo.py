"""Where a request is processed costs: a tenth more in the US, on models that can be told where."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nightshift.claude import results
from nightshift.claude.money import Price, Usage
from nightshift.claude.prices import published
from nightshift.errors import SettingsInvalid
from nightshift.task.request import RequestTemplate, template_for
from nightshift.task.task import Task, load
from tests.tasks import FILE, changed
from tests.unit.examples import name_of, raw, succeeded, ticket
from tools.desk.cost.compare import Tickets, offer

TENTH_MORE = Decimal("1.1")
OLD = {"claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5"}
MODEL = "claude-haiku-5-5"
NIGHT = Tickets("a file", count=1_000, empty=0, left_out=0, tokens=100_000)


def price_of(model: str) -> Price:
    return published().of(model)


def asked(geo: str | None, model: str = MODEL) -> RequestTemplate:
    settings: dict[str, Any] = {"thinking": {"type": "disabled"}}
    return template_for(
        changed(models={model: settings | ({"inference_geo": geo} if geo else {})}), model
    )


@pytest.mark.parametrize("model", sorted(published().rows))
def test_a_model_of_generation_4_6_or_later_costs_a_tenth_more_in_the_us(model: str) -> None:
    assert price_of(model).in_the_us == (1 if model in OLD else TENTH_MORE)


@pytest.mark.parametrize(("geo", "factor"), [(None, "1.1"), ("us", "1.1"), ("global", "1")])
@pytest.mark.parametrize("tokens", [10, 100_000, 100_001])
def test_a_request_is_bounded_at_the_dearer_price_unless_it_is_pinned_to_the_other(
    geo: str | None, factor: str, tokens: int
) -> None:
    price, template = price_of(MODEL), asked(geo)
    plain = price.bound(Usage(input_tokens=1), Usage(output_tokens=template.max_tokens))

    assert template.bound(price).of(tokens) == plain.of(tokens) * Decimal(factor)


def test_a_model_that_cannot_be_told_where_is_bounded_as_ever() -> None:
    template = template_for(changed(), "claude-haiku-4-5")
    price = price_of("claude-haiku-4-5")
    plain = price.bound(Usage(input_tokens=1), Usage(output_tokens=template.max_tokens))

    assert template.bound(price) == plain


@pytest.mark.parametrize(("geo", "factor"), [(None, "1"), ("us", "1.1"), ("global", "1")])
def test_an_estimate_is_dearer_only_where_the_task_says_so(geo: str | None, factor: str) -> None:
    price, usage = price_of(MODEL), Usage(7, 3, cache_write_1h=5, cache_read=2)

    expected = asked(geo).expected(price).batch_cost(usage, usage)

    assert expected == price.batch_cost(usage, usage) * Decimal(factor)


def test_what_is_offered_for_a_file_is_at_the_price_of_where_the_task_says() -> None:
    thinking = {"thinking": {"type": "disabled"}}
    plain, there = (
        offer(NIGHT, changed(models={MODEL: thinking | geo}), MODEL)
        for geo in ({}, {"inference_geo": "us"})
    )

    assert (there.batch, there.realtime) == (plain.batch * TENTH_MORE, plain.realtime * TENTH_MORE)


def test_where_it_is_asked_stands_in_every_request() -> None:
    assert asked("us").params("Hello")["inference_geo"] == "us"
    assert "inference_geo" not in asked(None).params("Hello")


@pytest.mark.parametrize(("geo", "is_us"), [("us", True), ("global", False), (None, False)])
def test_a_result_says_where_it_was_processed(geo: str | None, is_us: bool) -> None:
    answer = succeeded()
    answer["message"]["usage"]["inference_geo"] = geo

    found = results.read(raw(str(name_of(ticket())), answer))

    assert found is not None
    assert found.in_the_us == is_us


@pytest.mark.parametrize("tokens", [1000, 100_001])
def test_what_it_costs_more_is_a_tenth_of_its_own_price(tokens: int) -> None:
    price, usage = price_of(MODEL), Usage(tokens, 10)

    assert price.surcharge(usage) == price.request_cost(usage) / 2 / 10
    assert price_of("claude-haiku-4-5").surcharge(usage) == 0


@pytest.mark.parametrize(
    ("model", "geo", "said"),
    [
        (MODEL, '"eu"', 'models.claude-haiku-5-5.inference_geo: must be "us" or "global"'),
        (MODEL, "1", 'models.claude-haiku-5-5.inference_geo: must be "us" or "global"'),
        ("claude-haiku-4-5-20251001", '"us"', "this model cannot be told where: leave it out"),
    ],
)
def test_a_wrong_place_is_refused_at_load(tmp_path: Path, model: str, geo: str, said: str) -> None:
    file = tmp_path / "sorting.toml"
    without = FILE.read_text().replace(f"[models.{MODEL}]", "[models.claude-unheard-of]")
    file.write_text(f"{without}\n[models.{model}]\ninference_geo = {geo}\n")

    with pytest.raises(SettingsInvalid) as refused:
        load(str(file))

    assert said in str(refused.value)


def test_a_model_that_the_task_prices_may_be_told_where() -> None:
    priced = {"prices": {"claude-haiku-6": {"input": 1, "output": 2}}}
    settings = {"models": {"claude-haiku-6": {"inference_geo": "us"}}}

    found = Task.model_validate(changed().model_dump() | priced | settings)

    assert found.price_table.of("claude-haiku-6").in_the_us == TENTH_MORE
