"""The task file: what is asked of a ticket, and which answers are allowed. Pure."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from nightshift.claude.money import Price
from nightshift.claude.prices import PriceTable, published
from nightshift.errors import PriceUnknown, SettingsInvalid
from nightshift.task.html_text import cut, is_blank, plain

TASK_FILE = Path(__file__).with_name("task.toml")
_TAG_START = re.compile(r"<(?=\s*/?\s*[a-z])", re.IGNORECASE)
# Tokens that a model that always thinks gets for its thoughts, at least.
_ROOM_TO_THINK = 1024


def _distinct(categories: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse categories that an answer could not tell apart: answers are compared without outer
    white space, case and a final dot."""
    said = {name.strip().removesuffix(".").rstrip().casefold() for name in categories}
    if "" in said or len(said) < len(categories) or any(c.endswith(".") for c in categories):
        raise ValueError("each must be a word of its own, without a final dot")
    return categories


def _fillable(message: str) -> str:
    try:
        filled = message.format(subject="<subject>", body="<body>")
    except (KeyError, IndexError, ValueError):
        raise ValueError("holds braces other than {subject} and {body}") from None
    if "<subject>" not in filled or "<body>" not in filled:
        raise ValueError("must hold {subject} and {body}")
    return message


class Task(BaseModel):
    """The content of the task file, validated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: Annotated[tuple[str, ...], AfterValidator(_distinct)] = Field(min_length=1)
    max_tokens: int = Field(ge=1)
    system: str = Field(min_length=1)
    message: Annotated[str, AfterValidator(_fillable)]
    subject_characters: int = Field(ge=1)
    body_characters: int = Field(ge=1)
    models: dict[str, dict[str, Any]] = {}
    prices: dict[str, Price] = {}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the attributes of a ticket that `message_for` takes, in its order."""
        return ("subject", "body")

    @property
    def price_table(self) -> PriceTable:
        """Every model with a known price: the published ones and what this task adds."""
        return published().including(self.prices)

    def message_for(self, subject: str, body: str) -> str | None:
        """The user message of a ticket; None where neither attribute has text that a person would
        see."""
        subject = cut(plain(subject), self.subject_characters)
        body = cut(plain(body), self.body_characters)
        if is_blank(subject) and is_blank(body):
            return None
        return self.message.strip().format(
            subject=self._harmless(subject), body=self._harmless(body)
        )

    def category_in(self, answer: str) -> str | None:
        """The category that an answer names; white space, case and a final dot are forgiven."""
        said = answer.strip().removesuffix(".").rstrip().casefold()
        return next((name for name in self.categories if name.casefold() == said), None)

    @staticmethod
    def _harmless(text: str) -> str:
        """The text without tags of its own: a ticket that contains `</ticket>` must not seem to end
        there."""
        return _TAG_START.sub("\u2039", text)


def check_room(task: Task, model: str) -> None:
    """Check that max_tokens leaves a model that always thinks room for its thoughts.

    The longest answer is the longest category, and a character is at most one token.

    Raises:
        SettingsInvalid: the model would be cut off before each answer, and every answer be paid.
    """
    try:
        price = task.price_table.of(model)
    except PriceUnknown:
        return  # said when something is to be sent
    needed = max(map(len, task.categories)) + _ROOM_TO_THINK
    if price.thinks and task.max_tokens < needed:
        raise SettingsInvalid(
            f"Task file {TASK_FILE.name}: max_tokens: {task.max_tokens} leaves {model} no room: it "
            f"thinks before it answers, and cannot be told not to. Set max_tokens to {needed} or "
            "more, or the stack's Model to one that does not think."
        )


@cache
def task() -> Task:
    """The task of this deployment, read once.

    Raises:
        SettingsInvalid: the task file is malformed; the message names the keys.
    """
    try:
        return Task.model_validate(tomllib.loads(TASK_FILE.read_text(encoding="utf-8")))
    except ValidationError as invalid:
        problems = "; ".join(
            f"{_where(error['loc'])}: {error['msg']}" for error in invalid.errors()
        )
        raise SettingsInvalid(f"Task file {TASK_FILE.name}: {problems}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as malformed:
        raise SettingsInvalid(f"Task file {TASK_FILE.name}: {malformed}") from None


def _where(place: tuple[int | str, ...]) -> str:
    """The key that a validation error is about. In the tables `models` and `prices` the whole path
    names the key; elsewhere its first part does."""
    return ".".join(map(str, place)) if place[0] in ("models", "prices") else str(place[0])
