"""A long task is cheaper to keep than to read 3,000 times: by the usage of the stand-in's answers.

`python -m pytest tests/unit/test_caching.py -rP` prints the numbers.
"""

from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest

from nightshift.claude.money import NOTHING, Usage
from nightshift.claude.prices import published
from nightshift.dry_run.forecast import CACHE_HITS, Forecast
from nightshift.task.request import RequestTemplate, template_for
from nightshift.task.task import Task
from tests.tasks import shown, task
from tools.local import sample
from tools.local.claude_standin import Life
from tools.local.claude_standin.batches import Batches
from tools.local.claude_standin.params import NEW_VERSION
from tools.local.claude_standin.params import template as judge

MODEL = "claude-haiku-4-5"
PRICE = published().of(MODEL)
# 6,000 tokens: what a helpdesk with some hundred kinds of tickets would have to explain.
TAXONOMY = "\n".join(
    f"{number}: money, a charge, an invoice, a refund or a plan of kind {number}"
    for number in range(350)
)


def with_taxonomy() -> Task:
    return task().model_copy(update={"system": f"{task().system}\n{TAXONOMY[:21_000]}"})


@cache
def messages() -> list[str]:
    """What the tickets of the sample that have any text are asked as."""
    texts = ((ticket.get("subject", ""), ticket.get("body", "")) for ticket in sample.tickets())
    return [message for text in texts if (message := task().message_for(shown(*text))) is not None]


@cache
def used_by_the_sample(template: RequestTemplate) -> Usage:
    """What the stand-in says that the 3,000 tickets of the sample used."""
    claude = Batches("http://stand-in", "seed", Life(), 200_000)
    shared = template.params("-")
    del shared["messages"]
    judged = judge(shared, NEW_VERSION, batch=True)
    total = NOTHING
    for ticket in sample.tickets():
        message = task().message_for(shown(ticket.get("subject", ""), ticket.get("body", "")))
        if message is not None:
            row = claude.answer("", judged, [{"role": "user", "content": message}])
            assert row.type == "succeeded"
            written = {
                "cache_write_1h": row.cache_write_tokens,
                "cache_read": row.cache_read_tokens,
            }
            total += Usage(row.input_tokens, row.output_tokens, **written)
    return total


def test_a_taxonomy_of_6000_tokens_costs_a_fraction_where_it_is_cached() -> None:
    plain = used_by_the_sample(template_for(with_taxonomy(), MODEL))
    kept = used_by_the_sample(template_for(with_taxonomy(), MODEL, 6_000, 3_000))

    without, with_it = PRICE.batch_cost(plain), PRICE.batch_cost(kept)
    print(f"6,000-token taxonomy, 3,000 tickets, {MODEL} in batches:")
    print(f"  not cached ${without:.2f}: {plain.input_tokens:,} tokens read")
    print(f"  cached     ${with_it:.2f}: {kept.input_tokens:,} tokens read, ", end="")
    print(f"{kept.cache_write_1h:,} written, {kept.cache_read:,} from the cache")
    assert kept.prompt_tokens == plain.prompt_tokens
    assert 6_000 <= kept.cache_write_1h <= 6_200
    assert (plain.cache_write_1h, plain.cache_read) == (0, 0)
    assert with_it < without / 5


def test_the_default_task_is_too_short_to_be_cached_even_where_it_is_marked() -> None:
    template = template_for(task(), MODEL)
    marked = replace(template, head=template_for(task(), MODEL, 4_096, 3_000).head)

    assert used_by_the_sample(marked) == used_by_the_sample(template)


@pytest.mark.parametrize(
    ("asked", "fixed_tokens"),
    [(task(), None), (with_taxonomy(), None), (with_taxonomy(), 6_000)],
    ids=["default task", "taxonomy", "taxonomy, cached"],
)
def test_a_night_stays_within_the_bound_of_its_requests(
    asked: Task, fixed_tokens: int | None
) -> None:
    template = template_for(asked, MODEL, fixed_tokens, 3_000)
    bound = template.bound(PRICE)

    most = sum((bound.of(template.most_input_tokens(each)) for each in messages()), Decimal(0))
    cost = PRICE.batch_cost(used_by_the_sample(template))
    print(f"bound ${most:.2f}, cost ${cost:.2f}: {most / cost:.1f} times")
    assert cost < most


@pytest.mark.parametrize(("hits", "pays"), [(0.30, False), (0.52, False), (0.53, True)])
def test_caching_pays_from_53_percent_of_hits_on(
    hits: float, pays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightshift.dry_run.forecast.CACHE_HITS", Decimal(str(hits)))
    marked = template_for(with_taxonomy(), MODEL, 6_000, 3_000)
    forecast = Forecast(requests=3_000, fixed=6_000, messages=0, answer=0.0)

    costs = [
        PRICE.batch_cost(forecast.usage(replace(marked, caches=caches))) for caches in (False, True)
    ]
    assert (costs[1] < costs[0]) == pays


def test_what_is_assumed_lies_where_caching_pays() -> None:
    write, read = PRICE.cache_write_1h / PRICE.input, PRICE.cache_read / PRICE.input

    assert (write - 1) / (write - read) < CACHE_HITS


@pytest.mark.parametrize("requests", range(1, 12))
def test_a_few_requests_cost_more_where_their_prompt_is_cached(requests: int) -> None:
    marked = template_for(with_taxonomy(), MODEL, 6_000, 3_000)
    forecast = Forecast(requests, fixed=100_000, messages=0, answer=0.0)
    cached, plain = (forecast.usage(replace(marked, caches=caches)) for caches in (True, False))

    pays = PRICE.batch_cost(cached) < PRICE.batch_cost(plain)

    assert template_for(with_taxonomy(), MODEL, 6_000, requests).caches == pays == (requests >= 6)
