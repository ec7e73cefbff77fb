"""The server's side of `control`: what a test may do to the stand-in and read from it."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec

from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import parse_json
from tools.local.claude_standin.control import PREFIX
from tools.local.claude_standin.endpoints import Reply
from tools.local.claude_standin.errors import ApiError, invalid
from tools.local.claude_standin.gateway import Gateway

if TYPE_CHECKING:
    from tools.local.claude_standin.server import StandIn


def perform(stand_in: "StandIn", method: str, path: str, body: bytes) -> Reply:
    name = f"{method} {path.removeprefix(PREFIX)}"
    if name not in ACTIONS:
        raise ApiError(404, f"no such control: {name}")
    try:
        return ACTIONS[name](stand_in, **(parse_json(body) if body else {}))
    except (TypeError, KeyError, ValueError) as error:
        raise invalid(f"{name}: {error}") from None


def _faults(stand_in: "StandIn", rules: list[dict[str, Any]]) -> Reply:
    stand_in.faults.add(rules)
    return Reply({})


def _rows(stand_in: "StandIn", rules: list[dict[str, Any]]) -> Reply:
    stand_in.batches.rules += [RowRule(**rule) for rule in rules]
    return Reply({})


def _clear(stand_in: "StandIn") -> Reply:
    stand_in.faults.clear()
    stand_in.batches.rules = []
    if gateway := stand_in.gateway:
        gateway.skew, gateway.federation, gateway.gives_request_id = 0.0, True, True
    return Reply({})


def _life(stand_in: "StandIn", **changes: Any) -> Reply:
    stand_in.batches.life = replace(stand_in.batches.life, **changes)
    return Reply(asdict(stand_in.batches.life))


def _gateway(stand_in: "StandIn", **changes: Any) -> Reply:
    gateway = _on_aws(stand_in)
    for name, value in changes.items():
        if name not in ("skew", "federation", "gives_request_id"):
            raise invalid(f"no such setting of the gateway: {name}")
        setattr(gateway, name, value)
    return Reply({})


def _caller(stand_in: "StandIn", **caller: Any) -> Reply:
    _on_aws(stand_in).know(**caller)
    return Reply({})


def _trap(stand_in: "StandIn") -> Reply:
    return Reply({"called": stand_in.trap is not None and stand_in.trap.was_called})


def _on_aws(stand_in: "StandIn") -> Gateway:
    if stand_in.gateway is None:
        raise invalid("this stand-in does not play Claude Platform on AWS")
    return stand_in.gateway


def _advance(stand_in: "StandIn", seconds: float) -> Reply:
    stand_in.batches.advance(seconds)
    return Reply({"now": stand_in.batches.now()})


def _end(
    stand_in: "StandIn", batch_id: str, cut: str | None = None, done: float | None = None
) -> Reply:
    stand_in.batches.end(batch_id, cut, done)
    return Reply(stand_in.batches.show(stand_in.batches.get(batch_id)))


def _state(stand_in: "StandIn") -> Reply:
    batches = stand_in.batches
    shown = [batches.show(batch) | {"deleted": batch.deleted} for batch in batches.everything()]
    return Reply(
        {
            "now": batches.now(),
            "life": asdict(batches.life),
            "faults": stand_in.faults.show(),
            "row_rules": [asdict(rule) for rule in batches.rules],
            "batches": shown,
        }
    )


def _requests(stand_in: "StandIn") -> Reply:
    return Reply(lines=_jsonl(iter(list(stand_in.requests))))


def _journal(stand_in: "StandIn") -> Reply:
    return Reply(lines=_jsonl(stand_in.batches.journal(with_params=False)))


def _full_journal(stand_in: "StandIn") -> Reply:
    return Reply(lines=_jsonl(stand_in.batches.journal(with_params=True)))


def _jsonl(entries: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    return (msgspec.json.encode(entry) + b"\n" for entry in entries)


ACTIONS: dict[str, Callable[..., Reply]] = {
    "POST faults": _faults,
    "POST rows": _rows,
    "POST clear": _clear,
    "POST life": _life,
    "POST advance": _advance,
    "POST gateway": _gateway,
    "POST caller": _caller,
    "GET trap": _trap,
    "POST end": _end,
    "GET state": _state,
    "GET requests": _requests,
    "GET rows": _journal,
    "GET rows/full": _full_journal,
}
