"""What the record of runs says: a run's batches, its rounds, and what became of its requests."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Self

from msgspec.structs import asdict

from nightshift.claude.money import NOTHING, Usage

type State = Literal["creating", "open", "closed", "void"]

# Why a batch is void: refused (try again later), too large, rejected for good, never seen.
REFUSED, TOO_LARGE, REJECTED, UNSEEN = "refused", "too_large", "rejected", "unseen"
# Why a closed batch was never read to its end: Claude had lost it, or a cancel gave it up.
LOST, GIVEN_UP = "lost", "given_up"


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the requests of one batch, and what they used.

    `left` counts tickets that still ask for a category; `rejected` the requests that failed for
    the account's sake; the four kinds are the provider's own words, to compare with its counts.
    `long_usage` is the part of `usage` that requests with long prompts used: their price differs.
    `categories` counts the classified by category, `failures` the failed by why they were given up,
    `unusable` the succeeded whose answer the task does not allow, by what is wrong with them.
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
    unusable: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Self) -> Self:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return replace(self, **sums)

    @property
    def accounted(self) -> int:
        """Requests whose end is known."""
        return self.classified + self.superseded + self.requeued + self.failed

    @property
    def read(self) -> int:
        """Requests whose result was read, whatever it said."""
        return self.succeeded + self.errored + self.canceled + self.expired

    def as_item(self) -> dict[str, Any]:
        counts = {f.name: getattr(self, f.name) for f in fields(self) if f.type is int}
        return {
            **counts,
            "usage": asdict(self.usage),
            "long_usage": asdict(self.long_usage),
            "categories": dict(self.categories),
            "failures": dict(self.failures),
            "unusable": dict(self.unusable),
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
            unusable=_whole(item.get("unusable", {})),
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
    the execution that fails for its `problem`, `told` whether a later one found that somebody was
    told. `aside_by` is the last execution that went on without it, `unknown` whether the provider
    denied to know it then. `unread` is why a closed batch was not read to its end.

    `largest` is the largest bound of one of its requests, in USD. `version` is the task's that
    sent it, `inputs` the attributes of a ticket that were read for it, `fixed_tokens` what Claude
    counted for the constant part of a request, where it was asked; release 0.1.0 wrote none of
    the four.
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
    largest: Decimal | None = None
    version: str = ""
    inputs: tuple[str, ...] = ("subject", "body")
    fixed_tokens: int | None = None
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
    told: bool = False
    aside_by: str | None = None
    unknown: bool = False
    unread: str | None = None

    @property
    def key(self) -> dict[str, str]:
        return {"run_id": self.run_id, "record": self.record}

    @property
    def number(self) -> int:
        """The place among the batches of the run; sort keys order only the first 9,999."""
        return number_of(self.record)

    @property
    def set_aside(self) -> bool:
        """Open, but some execution could not read it and went on without it."""
        return self.state == "open" and self.aside_by is not None

    @property
    def counted(self) -> Decimal:
        """USD that a budget must reckon with: what was read at its cost, all else at its bound.

        A bound is never below the cost of what was read of the same batch.
        """
        if self.state == "void":
            return Decimal(0)
        if self.state != "closed":
            return self.bound
        unread = self.requests - self.tally.read
        most = self.bound if self.largest is None else self.largest
        return min(self.bound, self.cost + unread * most) if unread else self.cost

    @property
    def undeleted(self) -> bool:
        """Closed, and its results still lie at the provider although nobody needs them."""
        kept = self.disputed or self.unread is not None
        return self.state == "closed" and not self.deleted and not kept

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
        values["fixed_tokens"] = _counted(values)
        if "inputs" in values:
            values["inputs"] = tuple(values["inputs"])
        values["tally"] = Tally.from_item(values["tally"]) if "tally" in values else Tally()
        values["seen"] = bytes(values.get("seen", b""))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Canary:
    """One request in real time, with which release 0.1.0 tried a task version. It is read for what
    it cost, and never written any more. `bound` and `cost` are USD.

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
    """What is known of a task version for one model.

    `passed_at` is when its answers last were found to be usable, None if never, or since it failed.
    `execution` is the one that closed a batch of it last; `answers` are all that this execution has
    read, `unusable` those that the task does not allow, by what is wrong with them; `failed` says
    that it found too many of these. `last_closed` is the token of the batch that this was learned
    from. `fixed_tokens` is what Claude counts for the constant part of a request, None if unknown.
    """

    name: str
    passed_at: datetime | None = None
    execution: str = ""
    answers: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    failed: bool = False
    last_closed: str | None = None
    fixed_tokens: int | None = None

    @classmethod
    def from_item(cls, name: str, item: Mapping[str, Any]) -> Self:
        passed_at = item.get("passed_at")
        return cls(
            name,
            datetime.fromisoformat(passed_at) if passed_at else None,
            item["execution"],
            int(item["answers"]),
            _whole(item["unusable"]),
            item["failed"],
            item["last_closed"],
            _counted(item),
        )


def _counted(item: Mapping[str, Any]) -> int | None:
    counted = item.get("fixed_tokens")
    return None if counted is None else int(counted)


@dataclass(frozen=True, slots=True)
class Round:
    """One walk through the index; `walked` once it has reached the end."""

    number: int
    execution: str
    walked: bool
    begun_at: datetime | None = None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        began = datetime.fromisoformat(item["begun_at"]) if "begun_at" in item else None
        return cls(number_of(item["record"]), item["execution"], item["walked"], began)


@dataclass(frozen=True, slots=True)
class Empty:
    """Tickets without text that one execution gave up in one transaction."""

    number: int
    execution: str
    tickets: int

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls(number_of(item["record"]), item["execution"], int(item["tickets"]))


@dataclass(frozen=True)
class Night:
    """Everything that the record says about one run, each kind in the order of its numbers."""

    run_id: str
    batches: tuple[Batch, ...] = ()
    rounds: tuple[Round, ...] = ()
    empties: tuple[Empty, ...] = ()
    canaries: tuple[Canary, ...] = ()
    model_notices: Mapping[str, str] = field(default_factory=dict)
    """What each execution that looked at the model's lifecycle found; empty where all is well."""
    told: frozenset[str] = frozenset()
    """Executions of which somebody was told the problems of all batches that they met."""

    def in_state(self, *states: State) -> list[Batch]:
        return [batch for batch in self.batches if batch.state in states]

    def working(self, execution: str) -> list[Batch]:
        """Batches that still need this execution: open or not yet deleted, and not set aside."""
        return [
            batch
            for batch in self.batches
            if (batch.state == "open" or batch.undeleted) and batch.aside_by != execution
        ]

    @property
    def next_batch(self) -> str:
        """The record of the next intent. The table forgets old items, so the highest counts."""
        return f"batch#{max((b.number for b in self.batches), default=0) + 1:04}"

    @property
    def next_round(self) -> int:
        """The table may forget a round before its batches: theirs count too."""
        rounds = [*(r.number for r in self.rounds), *(b.round for b in self.batches)]
        return max(rounds, default=0) + 1

    @property
    def next_empty(self) -> int:
        return max((group.number for group in self.empties), default=0) + 1


def number_of(record: str) -> int:
    """The number in a sort key such as `batch#0001`."""
    return int(record.partition("#")[2])
