"""The task: a ticket in, a request out; an answer in, a category out. Pure."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from nightshift.errors import PriceUnknown, SettingsInvalid
from nightshift.money import Bound, Price, Usage, alias
from nightshift.prices import PriceTable, published
from nightshift.text import cut, is_blank, plain

TASK_FILE = Path(__file__).with_name("task.toml")
_encode = msgspec.json.Encoder().encode
_TAG_START = re.compile(r"<(?=\s*/?\s*[a-z])", re.IGNORECASE)
# What a request costs beyond its own text: roles, separators. Generous on purpose.
_FRAME_TOKENS = 64
# So many tokens a model that always thinks gets at least for that.
_ROOM_TO_THINK = 1024


def _distinct(categories: tuple[str, ...]) -> tuple[str, ...]:
    """An answer is compared without white space, case and a final dot."""
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
    """What the task file says, checked."""

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
        """The user message of a ticket, or None where a reader would see no text at all."""
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
        """A ticket that spells our closing tag must not seem to end there."""
        return _TAG_START.sub("\u2039", text)


@dataclass(frozen=True)
class Form:
    """The constant part of every request of one model, encoded once.

    `fixed_tokens` is more than it can have; `caches` says that it asks Claude to keep a part of
    itself between requests.
    """

    head: bytes
    tail: bytes
    fixed_tokens: int
    max_tokens: int
    caches: bool

    def params(self, message: str) -> dict[str, Any]:
        """The params object of a request, the very one that a batch sends for this message."""
        params: dict[str, Any] = msgspec.json.decode(self.line("", message))["params"]
        return params

    def line(self, custom_id: str, message: str) -> bytes:
        """One element of a batch's `requests`, as JSON."""
        return b"".join(
            (b'{"custom_id":', _encode(custom_id), self.head, _encode(message), self.tail)
        )

    def most_input_tokens(self, message: str) -> int:
        """More tokens than this request can have: a token is at least one byte of UTF-8."""
        return self.fixed_tokens + len(message.encode()) + _FRAME_TOKENS

    def bound(self, price: Price) -> Bound:
        """The most that a request can cost: where anything is cached, all may be a write."""
        token = Usage(cache_write_1h=1) if self.caches else Usage(input_tokens=1)
        return price.bound(token, Usage(output_tokens=self.max_tokens))


def form_for(task: Task, model: str, fixed_tokens: int | None = None, requests: int = 0) -> Form:
    """The request of this task, right for a model: the same params object for every ticket.

    `fixed_tokens` is what Claude counts for `Form.params` of a message of one character. Where it
    reaches the shortest prefix that the model caches, and at least so many `requests` follow that
    it pays, the system prompt is marked to be kept for an hour; batches outlast the default of
    five minutes (2026-09-26). Unknown: nothing is marked.

    Raises:
        PriceUnknown: nothing is known of the model.
    """
    system = task.system.strip()
    settings = task.models.get(alias(model), {})
    price = task.price_table.of(model)
    is_long = bool(fixed_tokens and price.cacheable_from and fixed_tokens >= price.cacheable_from)
    caches = is_long and price.caching_pays(requests)
    block = {"type": "text", "text": system, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    params = _template(task, model, [block] if caches else system)
    head, tail = _encode({"params": params})[1:].rsplit(b'""', 1)
    # Claude's own count, where it is known, holds what it adds for some settings.
    fixed = max(len(system.encode()) + len(_encode(settings)), fixed_tokens or 0)
    return Form(b"," + head, tail, fixed, params["max_tokens"], b'"cache_control"' in head + tail)


def _template(task: Task, model: str, system: str | list[Any]) -> dict[str, Any]:
    """The params of every request, but for the message."""
    return {
        "model": model,
        "max_tokens": task.max_tokens,
        "system": system,
        **task.models.get(alias(model), {}),
        "messages": [{"role": "user", "content": ""}],
    }


def version_of(task: Task, model: str) -> str:
    """The name of a task version: `task@` and eight hex digits over all that makes its requests
    and its answers; which part Claude is asked to cache, prices and comments change nothing."""
    shown = [task.inputs, task.message, task.subject_characters, task.body_characters]
    same = _encode([_template(task, model, task.system.strip()), shown, task.categories])
    return f"{TASK_FILE.stem}@{blake2b(same, digest_size=4).hexdigest()}"


def check_room(task: Task, model: str) -> None:
    """A model that always thinks needs room for its thoughts beside the longest answer, of which a
    character is at most a token.

    Raises:
        SettingsInvalid: it would never finish an answer, and each would be paid.
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
    """A key as the task file spells it: one of a model's table needs the whole path."""
    return ".".join(map(str, place)) if place[0] in ("models", "prices") else str(place[0])
