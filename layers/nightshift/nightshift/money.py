"""What tokens cost: one table, exact decimals, batch prices at half.

Source: platform.claude.com pricing, model and batch pages, 2026-08-22 to 2026-11-20.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from msgspec import Struct

from nightshift.errors import PriceUnknown

PER_MILLION = Decimal(1_000_000)
BATCH_FACTOR = Decimal("0.5")
_DATE_SUFFIX = re.compile(r"-20\d{6}$")


class Usage(Struct, frozen=True):
    """Tokens of one or many answers, as their `usage` says."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_write_5m + other.cache_write_5m,
            self.cache_write_1h + other.cache_write_1h,
            self.cache_read + other.cache_read,
        )


NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens in real time; a batch costs half of each."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal


def _price(*usd: str) -> Price:
    return Price(*map(Decimal, usd))


PRICES = {
    "claude-haiku-4-5": _price("1", "5", "1.25", "2", "0.10"),
    "claude-haiku-5-5": _price("0.10", "0.50", "0.125", "0.20", "0.01"),
    "claude-sonnet-4-5": _price("3", "15", "3.75", "6", "0.30"),
    "claude-sonnet-4-6": _price("3", "15", "3.75", "6", "0.30"),
    "claude-sonnet-5": _price("2", "10", "2.50", "4", "0.20"),
    "claude-sonnet-5-5": _price("2", "10", "2.50", "4", "0.10"),
    "claude-opus-4-5": _price("5", "25", "6.25", "10", "0.50"),
    "claude-opus-4-6": _price("5", "25", "6.25", "10", "0.50"),
    "claude-opus-4-7": _price("5", "25", "6.25", "10", "0.50"),
    "claude-opus-4-8": _price("5", "25", "6.25", "10", "0.50"),
    "claude-opus-5": _price("5", "25", "6.25", "10", "0.50"),
    "claude-fable-5-1": _price("10", "50", "12.50", "20", "0.25"),
}


def alias(model: str) -> str:
    """A model's undated name: results name the dated one."""
    return _DATE_SUFFIX.sub("", model)


def price_of(model: str) -> Price:
    """The price of a model by its alias or its dated id.

    Raises:
        PriceUnknown: an unknown price is refused, never counted as free.
    """
    price = PRICES.get(alias(model))
    if price is None:
        known = ", ".join(sorted(PRICES))
        raise PriceUnknown(f"No price is known for model {model!r}. Set Model to one of: {known}.")
    return price


def realtime_cost(usage: Usage, model: str) -> Decimal:
    """USD that the same tokens would have cost without batches."""
    price = price_of(model)
    total = (
        usage.input_tokens * price.input
        + usage.output_tokens * price.output
        + usage.cache_write_5m * price.cache_write_5m
        + usage.cache_write_1h * price.cache_write_1h
        + usage.cache_read * price.cache_read
    )
    return total / PER_MILLION


def batch_cost(usage: Usage, model: str) -> Decimal:
    """USD for the tokens of a batch: half of everything (2026-09-26)."""
    return realtime_cost(usage, model) * BATCH_FACTOR


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one request of a batch can cost, in USD: its input, and the longest answer."""

    input_token: Decimal
    answer: Decimal

    def of(self, input_tokens: int) -> Decimal:
        """For a request of at most so many input tokens."""
        return input_tokens * self.input_token + self.answer


def bound_for(model: str, max_tokens: int) -> Bound:
    """The bound of a model's requests, priced once for many of them."""
    return Bound(batch_cost(Usage(1, 0), model), batch_cost(Usage(0, max_tokens), model))
