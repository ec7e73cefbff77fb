"""What the workflow sends to each function, checked at the door."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nightshift.errors import InvalidInput

# The console prefills the first; Step Functions adds the second when a workflow starts another.
IGNORED_KEYS = frozenset({"Comment", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"})
LOCK_RUN_ID = "lock"
# Partitions of the run table that are no runs: of months, and of task versions.
MONTH_PREFIX, TASK_PREFIX = "month#", "task#"


def _without_noise(value: object) -> object:
    """The input without the console's own keys; an EventBridge scheduled event counts as {}."""
    if not isinstance(value, dict):
        return value
    if value.get("detail-type") == "Scheduled Event" and "source" in value:
        return {}
    return {key: item for key, item in value.items() if key not in IGNORED_KEYS}


def _money(value: object) -> object:
    """A JSON number as an exact decimal: the shortest spelling of the float is what was typed."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(str(value)) if is_number else value


def _free_run_id(value: object) -> object:
    if value == LOCK_RUN_ID:
        raise ValueError(f"{LOCK_RUN_ID!r} is taken by the stack's own lock")
    if isinstance(value, str) and value.startswith((MONTH_PREFIX, TASK_PREFIX)):
        raise ValueError(f"must not begin with {MONTH_PREFIX!r} or {TASK_PREFIX!r}")
    return value


def _given(value: object) -> object:
    if value is None:
        raise ValueError("null is no value: leave the key out")
    return value


class RunInput(BaseModel):
    """What an operator may type into *Start execution*; all of it is optional."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    run_id: Annotated[str | None, BeforeValidator(_given), BeforeValidator(_free_run_id)] = Field(
        default=None, min_length=1, max_length=200
    )
    action: Literal["classify", "collect", "cancel"] = "classify"
    limit: Annotated[int | None, BeforeValidator(_given)] = Field(default=None, ge=1)
    max_cost_usd: Annotated[Decimal | None, BeforeValidator(_given), BeforeValidator(_money)] = (
        Field(default=None, gt=0, allow_inf_nan=False)
    )
    dry_run: bool = False


class Estimate(BaseModel):
    """How far a dry run has counted; it travels through the workflow between calls.

    `tokens` are reckoned from characters, `sample` are the ids of some of the tickets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: str = ""
    tickets: int = 0
    empty: int = 0
    unchanged: int = 0
    tokens: int = 0
    sample: tuple[str, ...] = ()


class _Call(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, event: object) -> Self:
        """Check an event.

        Raises:
            InvalidInput: the message names the offending keys, never their values.
        """
        try:
            return cls.model_validate(event)
        except ValidationError as invalid:
            raise InvalidInput(_explain(invalid.errors())) from None


class SubmitCall(_Call):
    """One call of *Submit batches*: whose execution, since when, and what was asked."""

    execution: str
    started_at: datetime
    input: Annotated[RunInput, BeforeValidator(_without_noise)]
    estimate: Estimate | None = None

    @property
    def run_id(self) -> str:
        """The run that was asked for: by default the UTC date on which the execution started."""
        return self.input.run_id or self.started_at.astimezone(UTC).date().isoformat()


class StatusCall(_Call):
    """One call of *Check status*: which run, and whether submit has more to do."""

    execution: str
    run_id: str
    more: bool = False


class CollectCall(_Call):
    """One call of *Collect results*: one batch that has ended."""

    execution: str
    run_id: str
    record: str


def _explain(problems: list[Any]) -> str:
    lines = []
    for problem in problems:
        where = ".".join(str(part) for part in problem["loc"] if part != "input") or "input"
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where!r} is not a known key")
        else:
            lines.append(f"{where!r}: {problem['msg']}")
    known = ", ".join(RunInput.model_fields)
    return f"Input not accepted: {'; '.join(lines)}. Known keys: {known}. Start again without it."
