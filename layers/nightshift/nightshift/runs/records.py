"""What the run table says of runs: their batches, their rounds, and what became of the requests.

`stored` knows how each of these stands in the table.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal, Self

from nightshift.claude.money import NOTHING, Usage
from nightshift.errors import NightshiftError, gravity
from nightshift.quality.gold import Gold, together

type State = Literal["creating", "open", "closed", "not_created"]

# Why a batch was not created: Claude took none now, it was too large, Claude rejects its requests
# for good, it never showed in Claude's list.
TRY_LATER, TOO_LARGE, REJECTED, UNSEEN = "refused", "too_large", "rejected", "unseen"
# The same, where Claude refused the key or what stands in its place: a fresh one is tried once.
KEY_REFUSED = "key_refused"
# Why a closed batch was never read to its end: Claude had lost it, or a cancel gave it up.
LOST, GIVEN_UP = "lost", "given_up"


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the requests of one batch, and what they used.

    `still_pending` counts tickets that still wait for an answer; `rejected` the requests that
    failed for the account's sake. `succeeded` to `expired` are the provider's own words, to compare
    with its counts. `long_usage` is the part of `usage` that requests with long prompts used: their
    price differs. `surcharge` is what requests cost more for having been processed in the US, in
    USD. `categories` counts the answers of the first output that is a label, `failures`
    the failed by why they were given up, `unusable` the succeeded whose answer the task does not
    allow, by what is wrong. `outputs` counts what was answered, by output; what is counted of an
    answer depends on the type of the output (`task/outputs.py`). `gold` compares the classified
    with what was known beforehand, where anything was.
    """

    classified: int = 0
    unsure: int = 0
    superseded: int = 0
    requeued: int = 0
    failed: int = 0
    still_pending: int = 0
    rejected: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0
    usage: Usage = NOTHING
    long_usage: Usage = NOTHING
    surcharge: Decimal = Decimal(0)
    categories: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    unusable: Counter[str] = field(default_factory=Counter)
    outputs: Mapping[str, Counter[str]] = field(default_factory=dict)
    gold: Gold = field(default_factory=Gold)

    def __add__(self, other: Self) -> Self:
        numbers = [f.name for f in fields(self) if f.name != "outputs"]
        sums = {name: getattr(self, name) + getattr(other, name) for name in numbers}
        return replace(self, **sums, outputs=together((self.outputs, other.outputs)))

    @property
    def accounted(self) -> int:
        """How many requests have an outcome."""
        return self.classified + self.unsure + self.superseded + self.requeued + self.failed

    @property
    def read(self) -> int:
        """How many requests have a result that was read, whatever the result said."""
        return self.succeeded + self.errored + self.canceled + self.expired


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a batch, for people: the name of an error, what happened, what to do.

    `noticed_by` is the execution that fails for it; `told` says that a later execution has found
    that somebody was told. `also` is a second, lesser error of the same batch, name and cause.
    """

    error: str
    cause: str
    noticed_by: str
    told: bool = False
    also: str | None = None

    @classmethod
    def of(cls, problems: Sequence[NightshiftError], noticed_by: str) -> Self:
        """One trouble of one or more errors, the gravest first."""
        gravest, *others = sorted(problems, key=lambda each: gravity(type(each).__name__))
        also = " ".join(f"{type(other).__name__}: {other}" for other in others)
        return cls(type(gravest).__name__, str(gravest), noticed_by, also=also or None)

    @property
    def whole_cause(self) -> str:
        """The cause, and the lesser error if there is one."""
        return f"{self.cause} {self.also}" if self.also else self.cause

    def __str__(self) -> str:
        return f"{self.error}: {self.whole_cause}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is written of a batch before it is sent, and never changes.

    `first` and `last` are the keys of the range of tickets that the batch covers. `bound` is the
    most that the batch can cost, `largest` the most that the dearest of its requests can, in USD.
    `version` is the version of the task, `inputs` the attributes of a ticket that were read, and
    `fixed_tokens` what Claude counted for the constant part of a request, where it was asked.
    `redacted` counts the strings that were redacted in its requests, by kind. Release 0.1.0 wrote
    none of `largest`, `version`, `inputs`, `fixed_tokens` and `redacted`. Times are UTC.
    """

    run_id: str
    record: str
    token: str
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
    redacted: Counter[str] = field(default_factory=Counter)

    @property
    def key(self) -> dict[str, str]:
        return {"run_id": self.run_id, "record": self.record}

    @property
    def number(self) -> int:
        """The place among the batches of the run; sort keys order only the first 9,999."""
        return number_of(self.record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Intent):
    """An intent and what became of it.

    At the provider: `batch_id`, `created_at` and `ended_at` (the provider's clock), and whether its
    results were `deleted` there. `confirmed`: this batch is surely ours, since the answer to our
    create named it, or since its first result carries our token. `missed_polls` counts the polls in
    which the provider did not show the batch, and `polled_by` is the execution that has waited for
    a poll since the last of them. `not_ours` are batches of others that we had taken for this one.

    Collecting: `seen` is a bitmap of the requests that are accounted for, `readings` counts how
    often the results did not add up, `cost` is in USD, `rejection` is why Claude rejects requests
    as such. `disputed`: the results never added up. `unread` is why a closed batch was not read to
    its end (`LOST`, `GIVEN_UP`), `why_not_created` is one of `TRY_LATER`, `KEY_REFUSED`,
    `TOO_LARGE`, `REJECTED` and `UNSEEN`.

    `aside_by` is the last execution that went on without the batch since it could not be read,
    `unknown` whether the provider denied then to know the batch.
    """

    state: State = "creating"
    why_not_created: str | None = None
    batch_id: str | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None
    deleted: bool = False
    cancel_asked: bool = False
    confirmed: bool = False
    missed_polls: int = 0
    polled_by: str | None = None
    not_ours: frozenset[str] = frozenset()
    seen: bytes = b""
    readings: int = 0
    tally: Tally = Tally()
    cost: Decimal = Decimal(0)
    rejection: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    disputed: bool = False
    unread: str | None = None
    aside_by: str | None = None
    unknown: bool = False
    trouble: Trouble | None = None

    @property
    def set_aside(self) -> bool:
        """Open, but an execution could not read the batch and went on without it."""
        return self.state == "open" and self.aside_by is not None

    @property
    def counted(self) -> Decimal:
        """USD that a budget must reckon with: requests whose results were read at their cost, all
        others at their bound. The bound of a batch is never below the cost of what was read.
        """
        if self.state == "not_created":
            return Decimal(0)
        if self.state != "closed":
            return self.bound
        unread = self.requests - self.tally.read
        most = self.bound if self.largest is None else self.largest
        return min(self.bound, self.cost + unread * most) if unread else self.cost

    @property
    def undeleted(self) -> bool:
        """Closed, with results that still lie at the provider although nobody needs them there."""
        kept = self.disputed or self.unread is not None
        return self.state == "closed" and not self.deleted and not kept


@dataclass(frozen=True, slots=True)
class Canary:
    """One request in real time, with which release 0.1.0 tried a task version. Canaries are read
    for what they cost, and never written any more. `bound` and `cost` are USD.

    `asked`: sent or about to be, at an unknown cost, so its bound counts. `answered`: its cost
    counts. `refused`: it cost nothing. `notice` is for people.
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
    def counted(self) -> Decimal:
        """USD that a budget must reckon with."""
        return self.bound if self.state == "asked" else self.cost


@dataclass(frozen=True, slots=True)
class Version:
    """What is known of a task version for one model.

    `passed_at` is when its answers last were found to be usable, None if never, or since it failed.
    `execution` is the one that closed a batch of it last; `answers` counts all that this execution
    has read, `unusable` those that the task does not allow, by what is wrong; `failed` says that
    too many were unusable. `last_closed` is the token of the batch that this was learned from.
    `fixed_tokens` is what Claude counts for the constant part of a request, None if unknown.
    """

    name: str
    passed_at: datetime | None = None
    execution: str = ""
    answers: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    failed: bool = False
    last_closed: str | None = None
    fixed_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One pass over the index of pending tickets; `scanned` once it has reached the end."""

    number: int
    execution: str
    scanned: bool
    begun_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnaskedGroup:
    """Tickets for which one execution needed no request, written in one transaction: those
    `without_text` were given up, `unchanged` ones keep their last answer."""

    number: int
    execution: str
    without_text: int
    unchanged: int = 0


@dataclass(frozen=True)
class Run:
    """Everything that the run table says about one run, each kind in the order of its numbers."""

    run_id: str
    batches: tuple[Batch, ...] = ()
    rounds: tuple[Round, ...] = ()
    unasked: tuple[UnaskedGroup, ...] = ()
    canaries: tuple[Canary, ...] = ()
    model_notices: Mapping[str, str] = field(default_factory=dict)
    """By execution: what it has found of the model's lifecycle; an empty text where all is well."""
    told: frozenset[str] = frozenset()
    """Executions that have told somebody of the troubles of all batches that they met."""

    def in_state(self, *states: State) -> list[Batch]:
        return [batch for batch in self.batches if batch.state in states]

    def working(self, execution: str) -> list[Batch]:
        """Batches that need this execution: open or not yet deleted, and not set aside by it."""
        return [
            batch
            for batch in self.batches
            if (batch.state == "open" or batch.undeleted) and batch.aside_by != execution
        ]

    @property
    def accepted(self) -> list[Batch]:
        """Batches that the provider has taken."""
        return self.in_state("open", "closed")

    def sent_in(self, round_number: int) -> list[Batch]:
        """Batches of a round, except those that were not created."""
        of_round = [batch for batch in self.batches if batch.round == round_number]
        return [batch for batch in of_round if batch.state != "not_created"]

    def has_work_of(self, execution: str) -> bool:
        """Whether this execution has sent or closed a batch, or settled tickets without a
        request."""
        batches = any(execution in (batch.execution, batch.closed_by) for batch in self.accepted)
        return batches or any(group.execution == execution for group in self.unasked)

    @property
    def next_batch(self) -> str:
        """The sort key of the next intent. The table forgets old items: the highest number counts,
        not how many there are."""
        return f"batch#{max((b.number for b in self.batches), default=0) + 1:04}"

    @property
    def next_round(self) -> int:
        """The number of the next round. The table may forget a round before its batches, so their
        round numbers count too."""
        rounds = [*(r.number for r in self.rounds), *(b.round for b in self.batches)]
        return max(rounds, default=0) + 1

    @property
    def next_unasked(self) -> int:
        return max((group.number for group in self.unasked), default=0) + 1

    @property
    def empty(self) -> int:
        """Tickets without any text, given up without a request."""
        return sum(group.without_text for group in self.unasked)

    @property
    def unchanged(self) -> int:
        """Tickets whose last answer still stood, and that were not asked."""
        return sum(group.unchanged for group in self.unasked)


def number_of(record: str) -> int:
    """The number in a sort key such as `batch#0001`."""
    return int(record.partition("#")[2])
