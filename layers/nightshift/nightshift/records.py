"""What the record of runs says: a run's batches, its rounds, and what became of its requests."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Self

from msgspec.structs import asdict

from nightshift.money import NOTHING, Usage

type State = Literal["creating", "open", "closed", "void"]

# Why a batch is void: refused (try again later), too large, rejected for good, never seen.
REFUSED, TOO_LARGE, REJECTED, UNSEEN = "refused", "too_large", "rejected", "unseen"


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the requests of one batch, and what they used.

    `left` counts tickets that still ask for a category; `rejected` the requests that failed for
    the account's sake; the four kinds are the provider's own words, to compare with its counts.
    `long_usage` is the part of `usage` that requests with long prompts used: their price differs.
    `categories` counts the classified by category, `failures` the failed by why they were given up.
    """

    classified: int = 0
    superseded: int = 0
    requeued: int = 0
    failed: int = 0
    left: int = 0
    rejected: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0
    usage: Usage = NOTHING
    long_usage: Usage = NOTHING
    categories: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Self) -> Self:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return replace(self, **sums)

    @property
    def accounted(self) -> int:
        """Requests whose end is known."""
        return self.classified + self.superseded + self.requeued + self.failed

    def as_item(self) -> dict[str, Any]:
        counts = {f.name: getattr(self, f.name) for f in fields(self) if f.type is int}
        return {
            **counts,
            "usage": asdict(self.usage),
            "long_usage": asdict(self.long_usage),
            "categories": dict(self.categories),
            "failures": dict(self.failures),
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        counts = {f.name: int(item[f.name]) for f in fields(cls) if f.type is int}
        return cls(
            **counts,
            usage=_usage(item["usage"]),
            long_usage=_usage(item.get("long_usage", {})),
            categories=_whole(item.get("categories", {})),
            failures=_whole(item.get("failures", {})),
        )


def _usage(item: Mapping[str, Any]) -> Usage:
    return Usage(**{name: int(tokens) for name, tokens in item.items()})


def _whole(counts: Mapping[str, Any]) -> Counter[str]:
    return Counter({name: int(count) for name, count in counts.items()})


@dataclass(frozen=True, slots=True)
class Batch:
    """One intent and what became of it. Times are UTC; `bound` and `cost` are USD.

    It was created and ended at the provider (by whose clock), and closed here once collected.

    `looks` counts turns in which the provider did not show it (`turned_by` is the execution that
    has waited one since the last look), `readings` those whose results
    did not add up. `foreign` are batches of others that we held for this one. `noticed_by` is
    the execution that fails for its `problem`, `aside_by` the one that goes on without it.

    `version` is the task's that sent it, `inputs` the attributes of a ticket that were read for
    it; release 0.1.0 wrote neither.
    """

    run_id: str
    record: str
    token: str
    state: State
    round: int
    execution: str
    model: str
    first: str
    last: str
    requests: int
    bound: Decimal
    intent_at: datetime
    version: str = ""
    inputs: tuple[str, ...] = ("subject", "body")
    batch_id: str | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None
    closed_at: datetime | None = None
    proved: bool = False
    looks: int = 0
    turned_by: str | None = None
    readings: int = 0
    foreign: frozenset[str] = frozenset()
    refusal: str | None = None
    seen: bytes = b""
    tally: Tally = Tally()
    cost: Decimal = Decimal(0)
    rejection: str | None = None
    disputed: bool = False
    deleted: bool = False
    cancel_asked: bool = False
    closed_by: str | None = None
    problem: str | None = None
    noticed_by: str | None = None
    aside_by: str | None = None

    @property
    def key(self) -> dict[str, str]:
        return {"run_id": self.run_id, "record": self.record}

    @property
    def undeleted(self) -> bool:
        """Closed, and its results still lie at the provider although nobody needs them."""
        return self.state == "closed" and not self.deleted and not self.disputed

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in item.items() if name in known}
        for name in ("round", "requests", "looks", "readings"):
            values[name] = int(values.get(name, 0))
        for name in ("intent_at", "created_at", "ended_at", "closed_at"):
            if name in values:
                values[name] = datetime.fromisoformat(values[name])
        values["foreign"] = frozenset(values.get("foreign", ()))
        if "inputs" in values:
            values["inputs"] = tuple(values["inputs"])
        values["tally"] = Tally.from_item(values["tally"]) if "tally" in values else Tally()
        values["seen"] = bytes(values.get("seen", b""))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Canary:
    """One request that tried a task version in real time. `bound` and `cost` are USD.

    `asked`: it was sent, or is about to be, and what it costs is unknown: it counts at its bound.
    `answered`: it counts at its cost. `refused`: it cost nothing. `notice` is for people.
    """

    run_id: str
    record: str
    state: Literal["asked", "answered", "refused"]
    execution: str
    model: str
    bound: Decimal
    asked_at: datetime
    cost: Decimal = Decimal(0)
    usage: Usage = NOTHING
    notice: str = ""

    @property
    def key(self) -> dict[str, str]:
        return {"run_id": self.run_id, "record": self.record}

    @property
    def counted(self) -> Decimal:
        """What a budget must reckon with."""
        return self.bound if self.state == "asked" else self.cost

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in item.items() if name in known}
        values["asked_at"] = datetime.fromisoformat(values["asked_at"])
        values["usage"] = _usage(values.get("usage", {}))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Version:
    """A task for a model that Claude has answered once. `fixed_tokens` are those of the constant
    part of its requests, None where they could not be counted."""

    name: str
    fixed_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One walk through the index; `walked` once it has reached the end."""

    number: int
    execution: str
    walked: bool


@dataclass(frozen=True)
class Night:
    """Everything that the record says about one run."""

    run_id: str
    batches: tuple[Batch, ...] = ()
    rounds: tuple[Round, ...] = ()
    empties: tuple[tuple[str, int], ...] = field(default=())
    """Executions and how many tickets without text each gave up in one transaction."""
    canaries: tuple[Canary, ...] = ()
    model_notices: Mapping[str, str] = field(default_factory=dict)
    """What each execution that looked at the model's lifecycle found; empty where all is well."""

    def in_state(self, *states: State) -> list[Batch]:
        return [batch for batch in self.batches if batch.state in states]

    def working(self, execution: str) -> list[Batch]:
        """Batches that still need this execution: open or not yet deleted, and not set aside."""
        return [
            batch
            for batch in self.batches
            if (batch.state == "open" or batch.undeleted) and batch.aside_by != execution
        ]
