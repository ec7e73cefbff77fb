"""What tokens cost: one model's prices, in exact decimals; a batch costs half.

The rules are the provider's (platform.claude.com, pricing, 2026-08-22 to 2026-11-20): a batch
costs half of everything; a cache write costs 1.25 times the input for 5 minutes and twice the
input for an hour, a cache read a tenth of it, where the model's own row says nothing else.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from math import inf
from typing import Annotated, Any, Self

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, model_validator

PER_MILLION = Decimal(1_000_000)
BATCH_FACTOR = Decimal("0.5")
_TRILLIONTHS = 12  # as a power of ten
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

    @property
    def prompt_tokens(self) -> int:
        """All input tokens, whether the cache was used or not."""
        return self.input_tokens + self.cache_write_5m + self.cache_write_1h + self.cache_read


NOTHING = Usage()
# Claude keeps a prefix as well as it can: "30% to 98%" of the requests of a batch find it there
# (platform.claude.com, batch processing, 2026-09-26). The middle is assumed.
CACHE_HITS = Decimal("0.64")

type Usd = Annotated[Decimal, Field(gt=0, lt=100_000, allow_inf_nan=False)]


def _times_input(factor: str) -> Any:
    def default(row: dict[str, Any]) -> Decimal:
        return Decimal(row.get("input", 0)) * Decimal(factor)

    return Field(default_factory=default)


class Rates(BaseModel):
    """USD per million tokens in real time. Cache prices that are not given follow from `input`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Usd
    output: Usd
    cache_write_5m: Usd = _times_input("1.25")
    cache_write_1h: Usd = _times_input("2")
    cache_read: Usd = _times_input("0.1")

    def times(self, factor: Decimal) -> Self:
        """The same with every rate so many times as high."""
        return self.model_copy(update={rate: getattr(self, rate) * factor for rate in _RATES})

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Bounds rely on this order: a cache write for an hour is the dearest input token."""
        if not self.cache_read <= self.input <= self.cache_write_5m <= self.cache_write_1h:
            raise ValueError("must hold cache_read <= input <= cache_write_5m <= cache_write_1h")
        return self

    def usd(self, usage: Usage) -> Decimal:
        """USD for tokens at these rates."""
        total = (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_write_5m * self.cache_write_5m
            + usage.cache_write_1h * self.cache_write_1h
            + usage.cache_read * self.cache_read
        )
        return total / PER_MILLION


_RATES = tuple(Rates.model_fields)


class LongRates(Rates):
    """The rates of a whole request whose prompt has more than `over` tokens, cached ones too."""

    over: int = Field(ge=1)


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one request of a batch can cost: each input token, and the answer.

    A prompt of more than `over` tokens is charged at the rates of long ones. Rates are in whole
    trillionths of a dollar: a night adds up one bound for each ticket, exactly and in no time.
    """

    over: float
    short_token: int
    short_answer: int
    long_token: int
    long_answer: int

    def of(self, input_tokens: int) -> Decimal:
        """USD for a request of at most so many input tokens."""
        return in_usd(self.trillionths(input_tokens))

    def trillionths(self, input_tokens: int) -> int:
        """The same in trillionths of a dollar."""
        if input_tokens > self.over:
            return input_tokens * self.long_token + self.long_answer
        return input_tokens * self.short_token + self.short_answer


class Price(Rates):
    """The prices of one model, and the traits that decide how many tokens are used.

    `cacheable_from` is the shortest prefix that is cached, in tokens. `tokenizer` is the number of
    tokens of a text, divided by that of claude-haiku-4-5. `thinks`: thinking cannot be switched
    off. `in_the_us` is how many times everything costs where a request must be processed in the
    US (`inference_geo`); 1 for a model that cannot be told where.
    """

    long: LongRates | None = None
    cacheable_from: int | None = Field(default=None, ge=1)
    tokenizer: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    thinks: bool = False
    in_the_us: Decimal = Field(default=Decimal("1.1"), ge=1, le=10, allow_inf_nan=False)
    source: str = ""

    @model_validator(mode="after")
    def _longer_is_dearer(self) -> Self:
        """Bounds rely on this: long prompts never cost less a token than short ones."""
        if self.long and any(getattr(self.long, r) < getattr(self, r) for r in _RATES):
            raise ValueError("long: a rate must not be lower than that of shorter prompts")
        return self

    def times(self, factor: Decimal) -> Self:
        """The same with every rate so many times as high."""
        long = self.long and self.long.times(factor)
        return super().times(factor).model_copy(update={"long": long})

    def surcharge(self, usage: Usage) -> Decimal:
        """USD that one request of a batch costs more for having been processed in the US."""
        return self.request_cost(usage) * BATCH_FACTOR * (self.in_the_us - 1)

    def is_long(self, usage: Usage) -> bool:
        """Whether one request's whole usage is charged at the rates of long prompts."""
        return self.long is not None and usage.prompt_tokens > self.long.over

    def request_cost(self, usage: Usage) -> Decimal:
        """USD for one request in real time, at the rates for the length of its own prompt."""
        return self.realtime_cost(usage, usage if self.is_long(usage) else NOTHING)

    def realtime_cost(self, usage: Usage, of_long_prompts: Usage = NOTHING) -> Decimal:
        """USD without batches. `of_long_prompts` is the part of `usage` of requests with long
        prompts."""
        if self.long is None:
            return self.usd(usage)
        return self.usd(usage) - self.usd(of_long_prompts) + self.long.usd(of_long_prompts)

    def batch_cost(self, usage: Usage, of_long_prompts: Usage = NOTHING) -> Decimal:
        """USD in batches: half of everything (2026-09-26)."""
        return self.realtime_cost(usage, of_long_prompts) * BATCH_FACTOR

    def caching_pays(self, requests: int) -> bool:
        """Whether requests with one prefix cost less where Claude is asked to keep it for an hour.

        The first one writes it, and so do those that do not find it: with two tickets it is
        cheaper not to ask.
        """
        miss = 1 - CACHE_HITS
        another = CACHE_HITS * self.cache_read + miss * self.cache_write_1h
        return self.cache_write_1h + (requests - 1) * another < requests * self.input

    def bound(self, token: Usage, answer: Usage) -> Bound:
        """The bound of requests in batches, priced once for many of them.

        `token` is the dearest that one input token may be charged as, `answer` the longest.
        """
        long, over = (self.long, self.long.over) if self.long else (self, inf)
        return Bound(
            over,
            short_token=_trillionths_at_least(self.usd(token) * BATCH_FACTOR),
            short_answer=_trillionths_at_least(self.usd(answer) * BATCH_FACTOR),
            long_token=_trillionths_at_least(long.usd(token) * BATCH_FACTOR),
            long_answer=_trillionths_at_least(long.usd(answer) * BATCH_FACTOR),
        )


def in_usd(trillionths: int) -> Decimal:
    """So many trillionths of a dollar, exactly."""
    return Decimal(trillionths).scaleb(-_TRILLIONTHS)


def trillionths_within(usd: Decimal) -> int:
    """How many whole trillionths of a dollar fit into an amount."""
    return int(usd.scaleb(_TRILLIONTHS).to_integral_value(ROUND_FLOOR))


def _trillionths_at_least(usd: Decimal) -> int:
    return -trillionths_within(-usd)


def alias(model: str) -> str:
    """A model's undated name: results name the dated one."""
    return _DATE_SUFFIX.sub("", model)
