"""The task file: what is asked of a ticket, and which answers are allowed. Pure but for `load`."""

import re
import string
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from nightshift.claude.money import Price, alias
from nightshift.claude.prices import PriceTable, published
from nightshift.errors import PriceUnknown, SettingsInvalid
from nightshift.task import redaction
from nightshift.task.answer import Contract
from nightshift.task.html_text import cut, is_blank, plain
from nightshift.task.outputs import NotAllowed, Output, Text, Texts, Unsure, Value
from nightshift.task.redaction import Kind

TASKS = Path(__file__).parents[1] / "tasks"
DEFAULT = "ticket-classification"
# Where the task of release 0.1.0 lay.
_LEFT_OVER = TASKS.parent / "task.toml"
ANSWER = "answer"
# Tokens that a model that always thinks gets for its thoughts, at least.
_ROOM_TO_THINK = 1024
_TAG_START = re.compile(r"<(?=\s*/?\s*[a-z])", re.IGNORECASE)
# Names of outputs are attributes and keys of JSON; names of inputs also stand in braces.
_OUTPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_INPUT_NAME = re.compile(r"[^\s{}\[\]!:.\"]{1,255}")
_RESERVED = re.compile(r"classif.*|expected_.*", re.IGNORECASE)
# Keys of the format of release 0.1.0, and what took their place.
_OLD_KEYS = {
    "categories": '[output.category] with type = "label" and values = [...]',
    "subject_characters": "[input] with subject = 500",
    "body_characters": "[input] with body = 500",
    "example": "nothing: the probe tries a new task",
}

type Shown = tuple[str, bool]
"""What a reader sees of an attribute, and whether that is a string, which may hold HTML."""


class Task(BaseModel):
    """The content of the task file, validated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    system: str = Field(min_length=1)
    message: str = Field(min_length=1)
    max_tokens: int = Field(ge=1, strict=True)
    items: tuple[str, str] = ("ticket", "tickets")
    redact: tuple[Kind, ...] = Field(default=(), json_schema_extra={"uniqueItems": True})
    input: dict[str, Annotated[int, Field(ge=1, strict=True)]] = Field(min_length=1)
    output: dict[str, Output] = Field(min_length=1)
    examples: tuple[dict[str, Any], ...] = ()
    models: dict[str, dict[str, Any]] = {}
    prices: dict[str, Price] = {}

    @field_validator("redact")
    @classmethod
    def _each_once(cls, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
        doubled = [kind for kind, count in Counter(kinds).items() if count > 1]
        if doubled:
            raise ValueError(f"{doubled[0]!r} stands there twice: leave one out")
        return kinds

    @field_validator("input")
    @classmethod
    def _inputs_named(cls, inputs: dict[str, int]) -> dict[str, int]:
        for name in inputs:
            if not _INPUT_NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be a placeholder: no spaces, dots or brackets")
            if _RESERVED.fullmatch(name):
                raise ValueError(f"{name!r} is an attribute of Nightshift's own: choose another")
        return inputs

    @field_validator("output")
    @classmethod
    def _outputs_named(cls, outputs: dict[str, Output]) -> dict[str, Output]:
        for name in outputs:
            if not _OUTPUT_NAME.fullmatch(name):
                raise ValueError(f"{name!r} must be letters, digits and _, 64 at most")
            if _RESERVED.fullmatch(name):
                raise ValueError(f"{name!r} must not begin with classif or expected_")
        return outputs

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        both = sorted(self.input.keys() & self.output.keys())
        if both:
            raise ValueError(f"output.{both[0]}: is an input too: call the output otherwise")
        _check_placeholders("system", self.system, {ANSWER})
        _check_placeholders("message", self.message, self.input.keys())
        if self.max_tokens < self.contract.longest:
            raise ValueError(
                f"max_tokens: {self.max_tokens} cannot hold the longest allowed answer: set it to "
                f"{self.contract.longest} or more, or allow less"
            )
        for number, example in enumerate(self.examples):
            self._check_example(f"examples.{number}", example)
        return self

    def _check_example(self, place: str, example: Mapping[str, Any]) -> None:
        wanted = {*self.input, *self.output}
        if example.keys() != wanted:
            names = ", ".join(sorted(example.keys() ^ wanted))
            raise ValueError(f"{place}: needs every input and every output, and no more: {names}")
        for name in self.output:
            try:
                with suppress(Unsure):
                    self.output[name].read(example[name])
            except NotAllowed:
                raise ValueError(f"{place}.{name}: is no answer that the task allows") from None

    @model_validator(mode="after")
    def _where_is_known(self) -> Self:
        for model, settings in self.models.items():
            place = f"models.{model}.inference_geo"
            geo = settings.get("inference_geo", "global")
            if geo not in ("us", "global"):
                raise ValueError(f'{place}: must be "us" or "global"')
            price = self.price_table.rows.get(alias(model))
            if "inference_geo" in settings and price and price.in_the_us == 1:
                raise ValueError(f"{place}: this model cannot be told where: leave it out")
        return self

    # What is asked, and what may be answered.

    @cached_property
    def contract(self) -> Contract:
        """What an answer must be."""
        return Contract(self.output)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the attributes of a ticket that `message_for` takes, in its order."""
        return tuple(self.input)

    @property
    def system_prompt(self) -> str:
        """The system prompt with all that Nightshift writes into it."""
        written = "".join(
            text + (self.contract.asked if name else "") for text, name in _parts(self.system)
        )
        redacted = [redaction.explained(self.redact)] if self.redact else []
        return "\n\n".join([written.strip(), *redacted, *self._examples])

    @property
    def _examples(self) -> Iterator[str]:
        for example in self.examples:
            message = self.message_for([_shown(example[name]) for name in self.input])
            answer = {name: self._as_answered(name, example[name]) for name in self.output}
            yield f"Example:\n{message}\n{self.contract.spelled(answer)}"

    def _as_answered(self, name: str, value: Value) -> Value:
        """An example's answer as Claude could give it, who never sees what is redacted."""
        output = self.output[name]
        if isinstance(output, Text) and isinstance(value, str):
            return redaction.redact(value, self.redact, output.max_characters)[0]
        if isinstance(output, Texts) and isinstance(value, list):
            most = output.max_characters
            return [redaction.redact(text, self.redact, most)[0] for text in value]
        return value

    def message_for(self, shown: Sequence[Shown]) -> str | None:
        """The user message of a ticket; None where no input has text that a person would see."""
        return self.counted_message_for(shown)[0]

    def counted_message_for(self, shown: Sequence[Shown]) -> tuple[str | None, Mapping[str, int]]:
        """The user message of a ticket, and how many strings of each kind were redacted in it."""
        texts, redacted = self._read_of(_plain(shown))
        return None if all(map(is_blank, texts)) else self._filled(texts), redacted

    def read_and_cut(self, shown: Sequence[Shown]) -> list[tuple[str, str]]:
        """Of each input what Claude reads, and what was cut off behind it. Both are redacted."""
        texts = _plain(shown)
        whole = [redaction.redact(text, self.redact, sys.maxsize)[0] for text in texts]
        read, _ = self._read_of(texts)
        return [(text, all_[len(text) :]) for text, all_ in zip(read, whole, strict=True)]

    def _read_of(self, texts: Sequence[str]) -> tuple[Sequence[str], Mapping[str, int]]:
        # A cut before could leave the half of a number.
        texts, redacted = self._redacted(texts) if self.redact else (texts, {})
        limits = zip(texts, self.input.values(), strict=True)
        return [cut(text, most) for text, most in limits], redacted

    def _redacted(self, texts: Sequence[str]) -> tuple[list[str], Counter[str]]:
        limits = zip(texts, self.input.values(), strict=True)
        pairs = [redaction.redact(text, self.redact, most) for text, most in limits]
        return [text for text, _ in pairs], sum((counts for _, counts in pairs), Counter[str]())

    def _filled(self, texts: Sequence[str]) -> str:
        """The message with texts in the place of the inputs, without tags of their own: a text
        that contains `</ticket>` must not seem to end there."""
        harmless = {
            name: _TAG_START.sub("\u2039", text) if "<" in text else text
            for name, text in zip(self.input, texts, strict=True)
        }
        return "".join([t + (harmless[name] if name else "") for t, name in self._message_parts])

    @cached_property
    def _message_parts(self) -> list[tuple[str, str]]:
        return _parts(self.message.strip())

    @property
    def price_table(self) -> PriceTable:
        """Every model with a known price: the published ones and what this task adds."""
        return published().including(self.prices)


def _plain(shown: Sequence[Shown]) -> list[str]:
    return [plain(text) if markup else text for text, markup in shown]


def _shown(value: object) -> Shown:
    """An input of an example as the attribute of a ticket would be shown."""
    if isinstance(value, str):
        return value, True
    return msgspec.json.encode(value).decode(), False


def schema_for_editors() -> dict[str, Any]:
    """The JSON schema of a task file; the name of a task is that of its file."""
    schema = Task.model_json_schema()
    del schema["properties"]["name"]
    schema["required"].remove("name")
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema, "title": "A task"}


def check_room(task: Task, model: str) -> None:
    """Check that max_tokens leaves a model that always thinks room for its thoughts.

    The longest answer is reckoned at one token a character.

    Raises:
        SettingsInvalid: the model would be cut off before each answer, and every answer be paid.
    """
    try:
        price = task.price_table.of(model)
    except PriceUnknown:
        return  # said when something is to be sent
    needed = task.contract.longest + _ROOM_TO_THINK
    if price.thinks and task.max_tokens < needed:
        raise SettingsInvalid(
            f"Task {task.name}: max_tokens: {task.max_tokens} leaves {model} no room: it thinks "
            f"before it answers, and cannot be told not to. Set max_tokens to {needed} or more, "
            "or the stack's Model to one that does not think."
        )


@cache
def load(name: str) -> Task:
    """The task of a name in `tasks/`, or of a path to a TOML file.

    Raises:
        SettingsInvalid: there is none, or it is malformed; the message names file, key and cure.
    """
    if _LEFT_OVER.exists():
        raise SettingsInvalid(
            f"{_LEFT_OVER.name} of an earlier release is still in the package. A task is a file in "
            f"{TASKS.name}/ now: write yours there, in the new format, and delete the old file."
        )
    path = Path(name) if name.endswith(".toml") else TASKS / f"{name}.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(each.stem for each in TASKS.glob("*.toml")))
        raise SettingsInvalid(
            f"There is no task {name!r}. Choose one of: {known}; or name a TOML file."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as malformed:
        raise SettingsInvalid(f"Task file {path.name}: {malformed}") from None
    old = [f"{key} is now {new}" for key, new in _OLD_KEYS.items() if key in found]
    if old:
        raise SettingsInvalid(f"Task file {path.name} has keys of an old format: {'; '.join(old)}.")
    try:
        return Task.model_validate({**found, "name": path.stem})
    except ValidationError as invalid:
        raise SettingsInvalid(f"Task file {path.name}: {_problems(invalid)}.") from None


def _problems(invalid: ValidationError) -> str:
    """Each problem with the path of its key, as the file spells the key."""
    told = []
    for error in invalid.errors():
        # The third part of an output's place is its type, which is no key.
        parts = [p for n, p in enumerate(error["loc"]) if n != 2 or error["loc"][0] != "output"]
        place = ".".join(map(str, parts))
        said = error["msg"].removeprefix("Value error, ")
        told.append(f"{place}: {said}" if place else said)
    return "; ".join(told)


def _parts(text: str) -> list[tuple[str, str]]:
    """A text in pieces, each with the name of the placeholder behind it, or "" for none."""
    return [(literal, name or "") for literal, name, _, _ in string.Formatter().parse(text)]


def _check_placeholders(key: str, text: str, names: Any) -> None:
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{key}: {error}: write {{{{ and }}}} for braces of your own") from None
    found = [name for _, name, _, _ in parsed if name is not None]
    odd = [n for _, n, spec, conversion in parsed if n is not None and (spec or conversion)]
    unknown = [name for name in found if name not in names]
    if odd or unknown:
        known = ", ".join(f"{{{name}}}" for name in names)
        raise ValueError(
            f"{key}: {{{(odd or unknown)[0]}}} is no placeholder: there are {known}; write "
            "{{ and }} for braces of your own"
        )
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"{key}: must hold {{{missing[0]}}}")
