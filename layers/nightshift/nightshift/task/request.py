"""The request of one task for one model: the same for every ticket, but for its text. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from nightshift.claude.money import Bound, Price, Usage, alias
from nightshift.task.task import Task

_encode = msgspec.json.Encoder().encode
# Tokens of a request beside its texts: roles, separators. More than were ever seen.
_FRAME_TOKENS = 64
# Tokens that the system prompt of structured outputs is taken to have at most.
_HIDDEN_PROMPT = 1000
_OF_EVERY_REQUEST = {"model", "max_tokens", "system", "messages"}


@dataclass(frozen=True)
class RequestTemplate:
    """The constant part of every request of one model, encoded once.

    `head` and `tail` are the JSON before and after the message. `fixed_tokens` is an upper bound
    of the tokens of the constant part; `caches`: the request carries cache_control. `geo` is the
    `inference_geo` of the request: "us", "global" or, where the workspace decides, empty.
    """

    head: bytes
    tail: bytes
    fixed_tokens: int
    max_tokens: int
    caches: bool
    geo: str = ""

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
        """An upper bound of the tokens of a request: a token is at least one byte of UTF-8."""
        return self.fixed_tokens + len(message.encode()) + _FRAME_TOKENS

    def expected(self, price: Price) -> Price:
        """What the request's tokens are expected to cost: where the workspace decides, no more
        than elsewhere."""
        return price.times(price.in_the_us) if self.geo == "us" else price

    def bound(self, price: Price) -> Bound:
        """The upper bound of the cost of a request. Where cache_control is set, every input token
        may be charged as a cache write; where the workspace decides, all is in the US."""
        dearest = price if self.geo == "global" else price.times(price.in_the_us)
        token = Usage(cache_write_1h=1) if self.caches else Usage(input_tokens=1)
        return dearest.bound(token, Usage(output_tokens=self.max_tokens))


def template_for(
    task: Task, model: str, fixed_tokens: int | None = None, requests: int = 0
) -> RequestTemplate:
    """The request template of a task for one model.

    `fixed_tokens` is what Claude counts for `params` of a message of one character. Where that
    reaches the shortest prefix that the model caches, and at least so many `requests` follow that
    caching pays, the system prompt is marked to be kept for an hour; batches outlast the default of
    five minutes (2026-09-26). Where `fixed_tokens` is None, nothing is marked.

    Raises:
        PriceUnknown: the model is in no price table.
    """
    system = task.system_prompt
    price = task.price_table.of(model)
    is_long = bool(fixed_tokens and price.cacheable_from and fixed_tokens >= price.cacheable_from)
    caches = is_long and price.caching_pays(requests)
    block = {"type": "text", "text": system, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    params = _template(task, model, [block] if caches else system)
    head, tail = _encode({"params": params})[1:].rsplit(b'""', 1)
    fixed = max(_most_fixed_tokens(task, params, fixed_tokens is not None), fixed_tokens or 0)
    return RequestTemplate(
        b"," + head,
        tail,
        fixed,
        params["max_tokens"],
        b'"cache_control"' in head + tail,
        params.get("inference_geo", ""),
    )


def _most_fixed_tokens(task: Task, params: Mapping[str, Any], counted: bool) -> int:
    """An upper bound of the tokens of the constant part, from its bytes.

    Claude adds a system prompt of its own to a schema; its length is not documented
    (platform.claude.com, structured outputs, 2026-09). Claude's own count, once known, includes it.
    """
    settings = {name: params[name] for name in params.keys() - _OF_EVERY_REQUEST}
    hidden = _HIDDEN_PROMPT if task.contract.schema is not None and not counted else 0
    return len(task.system_prompt.encode()) + len(_encode(settings)) + hidden


def _template(task: Task, model: str, system: str | list[Any]) -> dict[str, Any]:
    """The params of every request, with an empty message."""
    settings = dict(task.models.get(alias(model), {}))
    if task.contract.schema is not None:
        asked = {"type": "json_schema", "schema": task.contract.schema}
        settings["output_config"] = {**settings.get("output_config", {}), "format": asked}
    return {
        "model": model,
        "max_tokens": task.max_tokens,
        "system": system,
        **settings,
        "messages": [{"role": "user", "content": ""}],
    }


def version_of(task: Task, model: str) -> str:
    """The name of a task version: the task's name, `@`, and eight hex digits over everything that
    decides what is asked and which answers are allowed. Cache marks, prices and comments change
    nothing."""
    shown = [list(task.input.items()), task.message, task.examples]
    if task.redact:  # without it, a version is called what it always was
        shown.append(sorted(task.redact))
    outputs = {name: output.model_dump() for name, output in task.output.items()}
    same = _encode([_template(task, model, task.system_prompt), shown, outputs])
    return f"{task.name}@{blake2b(same, digest_size=4).hexdigest()}"
