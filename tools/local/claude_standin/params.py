"""The params of one request: which the API takes, and what it says of the others.

A batch shares nearly all of its params between requests, so they are judged once per `Template`;
only the messages are judged request by request. Texts in quotes from the reference's section 2 are
exact; the others follow the API's style.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from tools.local.claude_standin.errors import ApiError, invalid
from tools.local.claude_standin.inventions import labels_of
from tools.local.claude_standin.models import Model, find

CATEGORIES = ("billing", "technical", "account", "feedback", "other")
SAMPLING = {"temperature": (1.0,), "top_p": (0.99, 1.0), "top_k": ()}  # and their defaults
NEW_VERSION = "2026-10-21"  # from here on sampling params are refused, even at their defaults
NOT_IN_BATCHES = ("speed", "store", "previous_thread_event_id", "cache_hint", "context_hint",
                  "fallbacks")  # fmt: skip
ALLOWED = {
    "cache_control", "container", "diagnostics", "inference_geo", "max_tokens", "mcp_servers",
    "messages", "metadata", "model", "output_config", "service_tier", "stop_sequences", "stream",
    "system", "thinking", "tool_choice", "tools",
}  # fmt: skip
# What count_tokens takes (SDK 2.13.0); of anything else it says "Extra inputs are not permitted".
COUNTED = {
    "cache_control", "messages", "model", "output_config", "output_format", "speed", "system",
    "thinking", "tool_choice", "tools",
}  # fmt: skip
TTLS = ("5m", "1h")
MOST_MARKS = 4
BYTES_PER_TOKEN = 3.6
HIDDEN_PROMPT = 180  # tokens of the system prompt that structured outputs add; not documented
# Of JSON Schema, what structured outputs take (structured outputs, 2026-09), beside annotations.
SCHEMA_KEYS = {
    "$defs", "$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "description",
    "enum", "format", "items", "properties", "required", "title", "type",
}  # fmt: skip
SCHEMA_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


type Mark = tuple[str, Any]
"""Where a cache_control is, and what it says."""


@dataclass(frozen=True)
class Template:
    """The params that requests share: all but the messages, judged and measured.

    `cached` is the text that the cache keeps: the system prompt up to its last mark, if that is
    long enough. Marks outside of it are judged, but nothing is cached for them; `marks` are those
    that come before the messages.
    """

    params: dict[str, Any]
    model: Model | None
    error: ApiError | None
    schema: dict[str, Any] | None
    labels: tuple[str, ...]
    system: str
    system_tokens: int
    cached: str = ""
    cached_tokens: int = 0
    cache_ttl: str = "5m"
    marks: tuple[Mark, ...] = ()


def template(params: dict[str, Any], version: str, batch: bool) -> Template:
    """Judge the params without their messages; `batch` adds what only batches refuse."""
    model = find(params.get("model"))
    error = next(_problems(params, model, version, batch), None)
    system = params.get("system") if error is None else None
    text = text_of(system)
    schema = _schema_of(params) if error is None else None
    labels = () if schema is not None else _labels(text)
    tokens = count_tokens(text, model) if text else 0
    if schema is not None:
        tokens += HIDDEN_PROMPT + count_tokens(msgspec.json.encode(schema).decode(), model)
    marks = tuple(_marks(params))
    judged = Template(params, model, error, schema, labels, text, tokens, marks=marks)
    blocks = system if isinstance(system, list) else []
    marked = [place for place, block in enumerate(blocks) if block.get("cache_control")]
    if not marked:
        return judged
    prefix = text_of(blocks[: marked[-1] + 1])
    prefix_tokens = count_tokens(prefix, model)
    if model is None or prefix_tokens < model.min_cacheable_tokens:  # silently, as the API does
        return judged
    ttl = blocks[marked[-1]]["cache_control"].get("ttl", "5m")
    return replace(judged, cached=prefix, cached_tokens=prefix_tokens, cache_ttl=ttl)


def count_tokens(text: str, model: Model | None) -> int:
    """About as many as the model's tokenizer would count; at least one."""
    factor = model.tokens_factor if model else 1.0
    return int(len(text.encode()) / BYTES_PER_TOKEN * factor) + 1


def text_of(content: Any) -> str:
    """The text of a content: a string, or blocks of which the text ones count."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    blocks = (block for block in content if isinstance(block, dict))
    return "\n".join(b["text"] for b in blocks if isinstance(b.get("text"), str))


def user_text(messages: Any) -> str:
    if not isinstance(messages, list):
        return ""
    turns = (turn for turn in messages if isinstance(turn, dict) and turn.get("role") == "user")
    return "\n".join(text_of(turn.get("content")) for turn in turns)


def messages_error(messages: Any, template: Template) -> ApiError | None:
    """What is wrong with the messages of one request beside its template."""
    problem = next(_message_problems(messages, template.model), None)
    problem = problem or next(_late_mark_problems(messages, template), None)
    return invalid(problem) if problem else None


def too_long(tokens: int, model: Model | None) -> ApiError | None:
    """What the API says of a prompt beyond the context window."""
    if model is None or tokens <= model.max_input_tokens:
        return None
    return invalid(f"prompt is too long: {tokens} tokens > {model.max_input_tokens} maximum")


def _problems(
    params: dict[str, Any], model: Model | None, version: str, batch: bool
) -> Iterator[ApiError]:
    if "model" not in params:
        yield invalid("model: Field required")
    elif not isinstance(params["model"], str):
        yield invalid("model: Input should be a valid string")
    yield from map(invalid, _max_tokens_problems(params.get("max_tokens"), batch))
    if params.get("stream") and batch:
        yield invalid('"stream=True" is not supported in the Message Batches API')
    for name in params:
        if name in NOT_IN_BATCHES and batch:
            yield invalid(f"{name}: not supported in the Message Batches API")
        if name not in ALLOWED and (name not in SAMPLING or version >= NEW_VERSION):
            yield invalid(f"{name}: Extra inputs are not permitted")
    yield from map(invalid, _system_problems(params.get("system")))
    yield from map(invalid, _mark_problems(_marks(params)))
    if model is None:
        yield ApiError(404, f"model: {params['model']}")
    else:
        yield from map(invalid, _model_problems(params, model))


def _max_tokens_problems(value: Any, batch: bool) -> Iterator[str]:
    if value is None:
        yield "max_tokens: Field required"
    elif not isinstance(value, int) or isinstance(value, bool):
        yield "max_tokens: Input should be a valid integer"
    elif value < (1 if batch else 0):
        yield "max_tokens: must be greater than or equal to 1"


def _system_problems(system: Any) -> Iterator[str]:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        yield "system: Input should be a valid list"
        return
    for i, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            yield f"system.{i}.type: Input should be 'text'"
        elif not block.get("text"):
            yield "system: text content blocks must be non-empty"


def _marks(params: dict[str, Any]) -> Iterator[Mark]:
    """The marks before the messages, in the order in which the API goes through them."""
    for part in ("tools", "system"):
        yield from _marks_in(params.get(part), part)


def _marks_in(blocks: Any, place: str) -> Iterator[Mark]:
    for i, block in enumerate(blocks if isinstance(blocks, list) else ()):
        if isinstance(block, dict) and block.get("cache_control") is not None:
            yield f"{place}.{i}.cache_control", block["cache_control"]


def _late_mark_problems(messages: list[Any], template: Template) -> Iterator[str]:
    """What is wrong with marks in messages, and with the one of the whole request, which the API
    sets on the last block."""
    late: list[Mark] = []
    for i, turn in enumerate(messages):
        late += _marks_in(turn["content"], f"messages.{i}.content")
    if whole := template.params.get("cache_control"):
        late.append(("cache_control", whole))
    if late:
        yield from _mark_problems([*template.marks, *late])


def _mark_problems(found: Iterable[Mark]) -> Iterator[str]:
    """What is wrong with the marks for the cache (texts seen in 2026-04 and 2026-08)."""
    marks = list(found)
    if len(marks) > MOST_MARKS:
        yield (
            f"A maximum of {MOST_MARKS} blocks with cache_control may be provided. "
            f"Found {len(marks)}."
        )
    short_lived = False
    for where, mark in marks:
        if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
            yield f"{where}: Input tag found does not match 'ephemeral'"
        elif mark.get("ttl", "5m") not in TTLS:
            yield f"{where}.ephemeral.ttl: Input should be '5m' or '1h'"
        elif extra := mark.keys() - {"type", "ttl"}:
            yield f"{where}.ephemeral.{min(extra)}: Extra inputs are not permitted"
        elif mark.get("ttl") == "1h" and short_lived:
            yield (
                f"{where}.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: "
                "`tools`, `system`, `messages`."
            )
        else:
            short_lived |= mark.get("ttl", "5m") == "5m"


def _model_problems(params: dict[str, Any], model: Model) -> Iterator[str]:
    if params["max_tokens"] > model.max_tokens:
        yield (
            f"max_tokens: {params['max_tokens']} > {model.max_tokens}, which is the maximum "
            f"allowed number of output tokens for {model.id}"
        )
    for name, defaults in SAMPLING.items():
        if name in params and not model.takes_sampling and params[name] not in defaults:
            yield f"{name}: non-default values are not supported by {model.id}"
    if "inference_geo" in params and not model.takes_adaptive_thinking:
        yield f"inference_geo: not supported by {model.id}"
    elif params.get("inference_geo", "us") not in ("us", "global"):
        yield "inference_geo: Input should be 'us' or 'global'"
    yield from _thinking_problems(params, model)
    yield from _output_problems(params.get("output_config") or {}, params, model)


def _thinking_problems(params: dict[str, Any], model: Model) -> Iterator[str]:
    thinking = params.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    if kind not in ("enabled", "adaptive", "disabled", "between_tools"):
        yield "thinking: Input tag found does not match 'disabled', 'enabled' or 'adaptive'"
    elif kind in ("disabled", "between_tools") and {"type": kind} != model.takes_no_thinking:
        yield (
            f"thinking: {kind} is not supported by this model. "
            f"What is: {model.takes_no_thinking or 'adaptive, at a lower effort'}"
        )
    elif kind == "enabled" and not model.takes_budget_thinking:
        yield (
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" '
            'and "output_config.effort" to control thinking behavior.'
        )
    elif kind == "adaptive" and not model.takes_adaptive_thinking:
        yield "adaptive thinking is not supported on this model"
    elif kind == "enabled" and (not isinstance(budget, int) or budget < 1024):
        yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    elif kind == "enabled" and budget >= params["max_tokens"]:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`"


def _output_problems(output: Any, params: dict[str, Any], model: Model) -> Iterator[str]:
    if not isinstance(output, dict):
        yield "output_config: Input should be a valid dictionary"
        return
    effort = output.get("effort")
    if effort and not model.takes_adaptive_thinking:
        yield "This model does not support the effort parameter."
    kind = (params.get("thinking") or {}).get("type")
    if effort in ("xhigh", "max") and kind in ("disabled", "between_tools"):
        yield f"thinking: {kind} is not supported at effort {effort}"
    form = output.get("format")
    if form is None:
        return
    schema = form.get("schema") if isinstance(form, dict) else None
    if not isinstance(schema, dict) or form.get("type") != "json_schema":
        yield "output_config.format: Input should be a json_schema with a schema"
        return
    for problem in _schema_problems(schema):
        yield f"output_config.format.schema: {problem}"


def _schema_problems(schema: Any) -> Iterator[str]:
    """What is wrong with a schema, at every level of it."""
    if not isinstance(schema, dict):
        yield "Input should be a valid dictionary"
        return
    kind = schema.get("type")
    if not schema.keys() & {"$ref", "allOf", "anyOf", "const", "enum"} and kind not in SCHEMA_TYPES:
        yield f"type: Input should be one of {', '.join(SCHEMA_TYPES)}"
    odd = sorted(schema.keys() - SCHEMA_KEYS)
    if odd:
        yield f"For '{kind}' type, properties {', '.join(odd)} are not supported"
    if kind == "object" and schema.get("additionalProperties") is not False:
        yield "For 'object' type, 'additionalProperties' must be explicitly set to false"
    missing = sorted(set(schema.get("required", ())) - set(schema.get("properties", ())))
    if missing:
        yield f"required: {', '.join(missing)} not in properties"
    if "enum" in schema and not schema["enum"]:
        yield "enum: must not be empty"
    parts = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    parts += [*schema.get("anyOf", ()), *schema.get("allOf", ())]
    parts += [schema["items"]] if "items" in schema else []
    for part in parts:
        yield from _schema_problems(part)


def _message_problems(messages: Any, model: Model | None) -> Iterator[str]:
    if messages is None:
        yield "messages: Field required"
    elif not isinstance(messages, list):
        yield "messages: Input should be a valid list"
    elif not messages:
        yield "messages: at least one message is required"
    else:
        for i, turn in enumerate(messages):
            yield from _turn_problems(i, turn)
        if messages[-1]["role"] == "assistant" and model and model.takes_adaptive_thinking:
            yield (
                "This model does not support assistant message prefill. "
                "The conversation must end with a user message."
            )


def _turn_problems(i: int, turn: Any) -> Iterator[str]:
    if not isinstance(turn, dict):
        yield f"messages.{i}: Input should be a valid dictionary"
        return
    if turn.get("role") not in ("user", "assistant"):
        yield f"messages.{i}.role: Input should be 'user' or 'assistant'"
    content = turn.get("content")
    if "content" not in turn:
        yield f"messages.{i}.content: Field required"
    elif not isinstance(content, (str, list)):
        yield f"messages.{i}.content: Input should be a valid string"
    elif not content:
        yield f"messages.{i}: {turn.get('role')} messages must have non-empty content"
    elif isinstance(content, str):
        if not content.strip():
            yield "messages: text content blocks must contain non-whitespace text"
    else:
        for j, block in enumerate(content):
            yield from _block_problems(f"messages.{i}.content.{j}", block)


def _block_problems(where: str, block: Any) -> Iterator[str]:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        yield f"{where}.type: Field required"
    elif block["type"] != "text":
        return
    elif not isinstance(block.get("text"), str):
        yield f"{where}.text.text: Field required"
    elif not block["text"]:
        yield "messages: text content blocks must be non-empty"
    elif not block["text"].strip():
        yield "messages: text content blocks must contain non-whitespace text"


def _schema_of(params: dict[str, Any]) -> dict[str, Any] | None:
    output = params.get("output_config")
    form = output.get("format") if isinstance(output, dict) else None
    schema = form.get("schema") if isinstance(form, dict) else None
    return schema if isinstance(schema, dict) else None


def _labels(system: str) -> tuple[str, ...]:
    """The labels that a prompt of Nightshift's lists, else the known ones in any prompt."""
    words = set(re.findall(r"\w+", system.lower()))
    return labels_of(system) or tuple(name for name in CATEGORIES if name in words)
