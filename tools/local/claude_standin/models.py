"""The models that the stand-in knows, and what each of them takes (as of 2026-11-22)."""

from dataclasses import dataclass
from typing import Any

UNKNOWN = "1970-01-01T00:00:00Z"  # what the Models API shows for an unknown release date


@dataclass(frozen=True)
class Model:
    id: str
    name: str
    generation: tuple[int, int]
    max_tokens: int = 128_000
    max_input_tokens: int = 1_000_000
    min_cacheable_tokens: int = 512
    thinks_by_default: bool = False
    always_thinks: bool = False
    released: str = UNKNOWN
    lifecycle: str = "active"
    retires_at: str | None = None
    deprecated_at: str | None = None

    @property
    def tokens_factor(self) -> float:
        """The tokenizer of 4.7 and later makes "approximately 30% more tokens" (2026-10)."""
        return 1.3 if self.generation >= (4, 7) else 1.0

    @property
    def takes_no_thinking(self) -> dict[str, str] | None:
        """How it is told not to think; None where it cannot be (2026-10)."""
        if self.always_thinks:
            return None
        return {"type": "between_tools" if self.id == "claude-sonnet-5-5" else "disabled"}

    @property
    def takes_budget_thinking(self) -> bool:
        return self.generation < (4, 7)

    @property
    def takes_adaptive_thinking(self) -> bool:
        return self.generation >= (4, 6)  # so do effort and inference_geo; prefill went

    @property
    def takes_sampling(self) -> bool:
        return self.generation < (4, 7)


_ALL = (
    Model("claude-haiku-5-5", "Claude Haiku 5.5", (5, 5), thinks_by_default=True,
          released="2026-10-07T00:00:00Z"),
    Model("claude-fable-5-2", "Claude Fable 5.2", (5, 2), thinks_by_default=True,
          always_thinks=True),
    Model("claude-fable-5-1", "Claude Fable 5.1", (5, 1), thinks_by_default=True,
          always_thinks=True),
    Model("claude-fable-5", "Claude Fable 5", (5, 0), thinks_by_default=True, always_thinks=True),
    Model("claude-opus-5-5", "Claude Opus 5.5", (5, 5), thinks_by_default=True,
          always_thinks=True),
    Model("claude-opus-5", "Claude Opus 5", (5, 0), thinks_by_default=True),
    Model("claude-opus-4-8", "Claude Opus 4.8", (4, 8), min_cacheable_tokens=1024),
    Model("claude-opus-4-7", "Claude Opus 4.7", (4, 7), min_cacheable_tokens=2048),
    Model("claude-opus-4-6", "Claude Opus 4.6", (4, 6), min_cacheable_tokens=4096),
    Model("claude-opus-4-5-20251101", "Claude Opus 4.5", (4, 5), max_tokens=64_000,
          max_input_tokens=200_000, min_cacheable_tokens=4096, lifecycle="deprecated",
          deprecated_at=UNKNOWN, retires_at="2027-01-22T00:00:00Z",
          released="2025-11-01T00:00:00Z"),
    Model("claude-sonnet-5-5", "Claude Sonnet 5.5", (5, 5), thinks_by_default=True),
    Model("claude-sonnet-5", "Claude Sonnet 5", (5, 0), min_cacheable_tokens=1024,
          thinks_by_default=True),
    Model("claude-sonnet-4-6", "Claude Sonnet 4.6", (4, 6), min_cacheable_tokens=1024),
    Model("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", (4, 5), max_tokens=64_000,
          max_input_tokens=200_000, min_cacheable_tokens=1024, lifecycle="deprecated",
          deprecated_at=UNKNOWN, retires_at="2026-11-30T00:00:00Z",
          released="2025-09-29T00:00:00Z"),
    Model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", (4, 5), max_tokens=64_000,
          max_input_tokens=200_000, min_cacheable_tokens=4096, released="2025-10-01T00:00:00Z"),
)  # fmt: skip

MODELS = {model.id: model for model in _ALL}
_ALIASES = {model.id.rsplit("-20", 1)[0]: model for model in _ALL}


def find(name: Any) -> Model | None:
    """The model of this id or alias."""
    return (MODELS.get(name) or _ALIASES.get(name)) if isinstance(name, str) else None


def info(model: Model) -> dict[str, Any]:
    """A ModelInfo of the Models API (SDK 2.13.0, types/model_info.py)."""
    yes, no = {"supported": True}, {"supported": False}
    adaptive = {"supported": model.takes_adaptive_thinking}
    levels = dict.fromkeys(("low", "medium", "high", "max", "xhigh"), adaptive)
    thinking = {
        "adaptive": adaptive,
        "between_tools": {"supported": model.id == "claude-sonnet-5-5"},
        "disabled": {"supported": model.takes_no_thinking == {"type": "disabled"}},
        "enabled": {"supported": model.takes_budget_thinking},
    }
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": model.released,
        "lifecycle": model.lifecycle,
        "deprecated_at": model.deprecated_at,
        "retires_at": model.retires_at,
        "line": model.id.split("-")[1],
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
        "capabilities": {
            "batch": yes,
            "citations": no,
            "code_execution": no,
            "context_management": no,
            "effort": adaptive | levels,
            "image_input": no,
            "pdf_input": no,
            "server_tools": no | {"code_execution": no, "web_search": no},
            "structured_outputs": yes,
            "thinking": yes | {"types": thinking},
        },
    }
