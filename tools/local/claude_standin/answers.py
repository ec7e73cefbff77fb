"""From params to a result: keyword rules in a few languages, no intelligence.

Row rules let a test decide instead; see `RowRule`.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tools.local.claude_standin.errors import ApiError, invalid
from tools.local.claude_standin.inventions import chosen, invented
from tools.local.claude_standin.params import (
    Template,
    count_tokens,
    messages_error,
    too_long,
    user_text,
)

KEYWORDS = {
    "billing": (
        "invoice", "refund", "charge", "payment", "billing", "subscription", "credit card",
        "price", "receipt", "rechnung", "erstatt", "abgebucht", "zahlung", "abonn", "facture",
        "rembours", "paiement", "factura", "reembolso", "cobro", "cobrad", "tarjeta", "fatura",
        "pagamento", "cartão", "fattura", "rimborso", "addebit", "請求", "返金", "支払", "退款",
    ),
    "account": (
        "password", "log in", "login", "logged out", "sign in", "account", "two-factor", "2fa",
        "verification code", "profile", "passwort", "anmeld", "konto", "mot de passe", "compte",
        "connecter", "contraseña", "cuenta", "iniciar sesión", "senha", "conta ", "accedere",
        "パスワード", "アカウント", "ログイン", "密码", "账户",
    ),
    "feedback": (
        "suggest", "feature request", "i love", "great job", "well done", "would be nice",
        "please add", "feedback", "disappoint", "worst", "i hate", "vorschlag", "wünsch",
        "großartig", "j'adore", "bravo", "sugerencia", "me encanta", "sugestão", "adoro",
        "suggeriment", "fantastic", "要望", "改善", "素晴らし",
    ),
    "technical": (
        "error", "crash", "bug", "not work", "n't work", "cannot", "can't", "won't", "how do i",
        "install", "update", "freez", "slow", "blank", "fehler", "abgestürzt", "funktioniert",
        "langsam", "erreur", "plante", "fonctionne", "lent", "falla", "funciona", "lento", "erro ",
        "trava", "errore", "blocca", "エラー", "動か", "不具合", "错误",
    ),
}  # fmt: skip
SAYS = "I am a stand-in for Claude: I found no labels in the prompt to choose from."
TYPES = ("succeeded", "errored", "canceled", "expired")
SAYINGS = {"type", "text", "capitals", "thinking", "stop_reason", "stop_details"}
MESSAGE_OVERHEAD = 8  # tokens around the texts of a request
ANSWER_OVERHEAD = 3  # tokens around the text of an answer


@dataclass(slots=True)
class Answer:
    """What became of one request; `type` as in the API: succeeded, errored, canceled, expired."""

    custom_id: str
    type: str
    text: str | None = None
    thinking: str | None = None
    stop_reason: str = "end_turn"
    stop_details: dict[str, Any] | None = None
    model: str = ""
    input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    cache_ttl: str = "5m"
    output_tokens: int = 0
    thinking_tokens: int = 0
    error: dict[str, Any] | None = None
    request_id: str | None = None
    geo: str = "not_available"


@dataclass
class RowRule:
    """What happens to the next `times` requests (None: all) that match `contains` (in the user's
    text) and `custom_id_prefix`. Only well-formed requests are looked at.

    `outcome` has the API's shape: `{"type": "expired"}`, `{"type": "canceled"}`,
    `{"type": "errored", "error": {"type": ..., "message": ...}, "request_id": ...}` or
    `{"type": "succeeded", "text": ..., "capitals": true, "thinking": ..., "stop_reason": ...,
    "stop_details": ...}`, of which only `type` must be there.
    """

    outcome: dict[str, Any]
    contains: str = ""
    custom_id_prefix: str = ""
    times: int | None = None
    used: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        kind = self.outcome.get("type")
        known = {"succeeded": SAYINGS, "errored": {"type", "error", "request_id"}}
        if kind not in TYPES or self.outcome.keys() - known.get(kind, {"type"}):
            raise invalid(f"outcome: {self.outcome}")
        if kind == "errored" and self.outcome["error"].keys() != {"type", "message"}:
            raise invalid("outcome: an error has a type and a message")

    def take(self, custom_id: str, text: str) -> bool:
        if self.times is not None and self.used >= self.times:
            return False
        if self.contains not in text or not custom_id.startswith(self.custom_id_prefix):
            return False
        self.used += 1
        return True


def answer(
    custom_id: str, template: Template, messages: Any, rules: list[RowRule], in_cache: bool
) -> Answer:
    """Answer one request; where its prefix is not `in_cache`, it is written."""
    error = template.error or messages_error(messages, template)
    if error:
        return refused(custom_id, error)
    text = user_text(messages)
    if error := too_long(prompt_tokens(template, text), template.model):
        return refused(custom_id, error)
    outcome = next((rule.outcome for rule in rules if rule.take(custom_id, text)), {})
    kind = outcome.get("type", "succeeded")
    if kind == "errored":
        request_id = outcome.get("request_id", "workerreq_01" + _digest(custom_id))
        return Answer(custom_id, kind, error=outcome["error"], request_id=request_id)
    if kind != "succeeded":
        return Answer(custom_id, kind)
    return _succeeded(custom_id, template, text, outcome, in_cache)


def prompt_tokens(template: Template, text: str) -> int:
    """Tokens of a whole prompt whose messages hold this text."""
    return template.system_tokens + count_tokens(text, template.model) + MESSAGE_OVERHEAD


def refused(custom_id: str, error: ApiError) -> Answer:
    """A request that failed validation: `details` and no request id (seen 2026-09-02)."""
    details = {"details": {"error_visibility": "user_facing"}}
    return Answer(custom_id, "errored", error=details | error.error)


def result(row: Answer, batch_id: str) -> dict[str, Any]:
    """The `result` of a line of the results file."""
    if row.type == "succeeded":
        return {"type": row.type, "message": message(row, batch_id, "batch")}
    if row.type == "errored":
        error = {"type": "error", "error": row.error, "request_id": row.request_id}
        return {"type": row.type, "error": error}
    return {"type": row.type}


def message(row: Answer, batch_id: str, service_tier: str) -> dict[str, Any]:
    content = []
    if row.thinking is not None:
        signature = _digest(row.custom_id)
        content.append({"type": "thinking", "thinking": row.thinking, "signature": signature})
    if row.text is not None:
        content.append({"type": "text", "text": row.text})
    usage = {
        "input_tokens": row.input_tokens,
        "cache_creation_input_tokens": row.cache_write_tokens,
        "cache_read_input_tokens": row.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": row.cache_write_tokens if row.cache_ttl == "5m" else 0,
            "ephemeral_1h_input_tokens": row.cache_write_tokens if row.cache_ttl == "1h" else 0,
        },
        "output_tokens": row.output_tokens,
        "output_tokens_details": {"thinking_tokens": row.thinking_tokens},
        "service_tier": service_tier,
        "inference_geo": row.geo,
    }
    return {
        "id": "msg_01" + _digest(batch_id + row.custom_id),
        "type": "message",
        "role": "assistant",
        "model": row.model,
        "content": content,
        "stop_reason": row.stop_reason,
        "stop_sequence": None,
        "stop_details": row.stop_details,
        "usage": usage,
    }


def classify(text: str, categories: tuple[str, ...]) -> str:
    """The offered category with most keywords in the text; ties go to the first in KEYWORDS."""
    lowered = text.lower()
    scores = {
        name: sum(word in lowered for word in words)
        for name, words in KEYWORDS.items()
        if name in categories
    }
    best = max(scores, key=scores.__getitem__, default=None)
    if best and scores[best]:
        return best
    return "other" if "other" in categories else categories[-1]


def _succeeded(
    custom_id: str, template: Template, text: str, outcome: dict[str, Any], in_cache: bool
) -> Answer:
    asked = prompt_tokens(template, text)
    cached = template.cached_tokens
    row = Answer(
        custom_id,
        "succeeded",
        text=_says(template, text, outcome),
        thinking=outcome.get("thinking", _thoughts(template, text)),
        stop_reason=outcome.get("stop_reason", "end_turn"),
        stop_details=outcome.get("stop_details"),
        model=template.model.id if template.model else "",
        input_tokens=asked - cached,
        cache_write_tokens=0 if in_cache else cached,
        cache_read_tokens=cached if in_cache else 0,
        cache_ttl=template.cache_ttl,
    )
    if row.stop_reason == "refusal":
        row.stop_details = row.stop_details or {
            "type": "refusal", "category": None, "explanation": "The stand-in was told to refuse.",
        }  # fmt: skip
        row.text = outcome.get("text")
    if row.stop_reason == "max_tokens" and "text" not in outcome and row.text:
        row.text = row.text[: len(row.text) // 2]
    _spend(row, template)
    return row


def _says(template: Template, text: str, outcome: dict[str, Any]) -> str:
    if "text" in outcome:
        return str(outcome["text"])
    if template.schema is not None:
        answer = _with_keywords(invented(template.schema, template.system, text), template, text)
        said = msgspec.json.encode(answer).decode()
    elif template.labels:
        said = _label(template.labels, text)
    else:
        return SAYS
    return said.upper() if outcome.get("capitals") else said


def _label(labels: tuple[str, ...], text: str) -> str:
    """By keyword rules where they know every label, else by a hash of the text."""
    known = {*KEYWORDS, "other"}
    return classify(text, labels) if set(labels) <= known else chosen(labels, text)


def _with_keywords(answer: Any, template: Template, text: str) -> Any:
    """An invented answer, where a label of the default task is chosen by its keywords."""
    properties = (template.schema or {}).get("properties", {})
    for name, rule in properties.items():
        if rule.get("enum") and set(rule["enum"]) <= {*KEYWORDS, "other"}:
            answer[name] = classify(text, tuple(rule["enum"]))
    return answer


def _thoughts(template: Template, text: str) -> str | None:
    """A thinking block, unless it is off: haiku-5-5 thinks by default, haiku-4-5 does not."""
    thinking = template.params.get("thinking")
    by_default = template.model is not None and template.model.thinks_by_default
    if not (by_default if thinking is None else _is_on(thinking)):
        return None
    return f"The user writes {len(text)} characters. Which category fits best? " * 3


def _is_on(thinking: dict[str, Any]) -> bool:
    return thinking["type"] not in ("disabled", "between_tools")


def _spend(row: Answer, template: Template) -> None:
    """Count the output, and cut it where `max_tokens` is reached: thinking comes first."""
    limit = template.params["max_tokens"]
    row.thinking_tokens = count_tokens(row.thinking, template.model) if row.thinking else 0
    spoken = count_tokens(row.text, template.model) + ANSWER_OVERHEAD if row.text else 1
    row.output_tokens = row.thinking_tokens + spoken
    if row.output_tokens <= limit:
        return
    left = max(0, limit - row.thinking_tokens)
    row.text = row.text[: len(row.text) * left // spoken] or None if row.text else None
    row.thinking_tokens = min(row.thinking_tokens, limit)
    row.output_tokens, row.stop_reason = limit, "max_tokens"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=11).hexdigest()
