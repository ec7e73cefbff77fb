"""Scripted faults: which request goes wrong, and how."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from typing import Any

from msgspec.json import encode

from tools.local.claude_standin.batches import Life
from tools.local.claude_standin.errors import ApiError, invalid

OPERATIONS = ("create", "retrieve", "list", "cancel", "delete", "results", "messages",
              "count_tokens", "models", "token")  # fmt: skip
SILENCES = ("drop", "reset", "hang")
STREAM_ENDS = ("cut", "close", "short", "stall", "reset")
ONLY_ON = {"life": "create", "lines": "results", "stream": "results"}
NOT_ON = {"part": "results"}


@dataclass
class Rule:
    """The `times` requests (None: all) of one operation that come after `skip` others go wrong.

    `batch_id` narrows it to one batch. `do` holds one or more of

    - `{"answer": {"status", "type", "message", "headers", "details", "html", "raw"}}`: instead of
      doing it; only `status` must be there
    - `{"refuse": how}`: the connection ends before the body is read; nothing is done
    - `{"lose": how}` or `{"lose": {"answer": {...}}}`: it is done, but nobody learns of it
    - `{"delay": seconds}`: it is done, and the response comes late
    - `{"dribble": seconds}`: it is done, and the response comes byte by byte, with so many seconds
      between two
    - `{"part": bytes}`, not results: it is done, and so much of the response's body arrives
    - `{"life": {...}}`, create only: fields of `Life` for this batch
    - `{"lines": {...}}`, results only: keywords of `mangle`
    - `{"stream": {"end", "after", "within_line"}}`, results only: after so many lines the stream
      ends in a "cut" (no last chunk), "close" (looks like a normal end), "short" (less than its
      Content-Length says), "stall" or "reset"

    where `how` is "drop" (the connection is closed), "reset" (RST) or "hang" (silence until the
    client gives up).
    """

    on: str
    do: dict[str, Any]
    skip: int = 0
    times: int | None = 1
    batch_id: str | None = None
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Refuse what is misspelt: a fault that never happens makes a test that cannot fail."""
        if self.on not in OPERATIONS:
            raise invalid(f"on: {self.on!r} is none of {OPERATIONS}")
        if not self.do:
            raise invalid("do: nothing to do")
        for kind, what in self.do.items():
            here = self.on == ONLY_ON.get(kind, self.on) and self.on != NOT_ON.get(kind)
            if kind not in CHECKS or not here:
                raise invalid(f"do: {self.on} knows no {kind!r}; kinds are {sorted(CHECKS)}")
            CHECKS[kind](what)

    def matches(self, operation: str, batch_id: str | None) -> bool:
        return self.on == operation and self.batch_id in (None, batch_id)

    def take(self) -> bool:
        self.seen += 1
        return self.skip < self.seen and (self.times is None or self.seen <= self.skip + self.times)


class Faults:
    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(self, rules: Iterable[dict[str, Any]]) -> None:
        self._rules += [Rule(**rule) for rule in rules]

    def clear(self) -> None:
        self._rules = []

    def take(self, operation: str, batch_id: str | None) -> dict[str, Any]:
        """What the first rule that applies does to this request; empty: nothing."""
        with self._lock:
            rules = (rule for rule in self._rules if rule.matches(operation, batch_id))
            return next((rule.do for rule in rules if rule.take()), {})

    def show(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self._rules]


def mangle(
    lines: Iterator[bytes],
    *,
    missing: int = 0,
    duplicate: int = 0,
    foreign: int = 0,
    blank: int = 0,
    garbage: int = 0,
    at: int = 1,
    crlf: bool = False,
) -> Iterator[bytes]:
    """A results file gone wrong: the first lines `missing`, or `duplicate` again at the end;
    foreign, blank and garbage lines after `at` lines; CRLF endings."""
    kept = islice(lines, missing, None)
    odd = [
        *(_foreign(i) for i in range(foreign)),
        *[b"\n"] * blank,
        *[b'{"custom_id": "garbage", "resu\n'] * garbage,
    ]
    first = list(islice(kept, max(at, duplicate)))
    parts = chain(first[:at], odd, first[at:], kept, first[:duplicate])
    yield from ((line[:-1] + b"\r\n" for line in parts) if crlf else parts)


def _foreign(i: int) -> bytes:
    return encode({"custom_id": f"foreign-{i}", "result": {"type": "canceled"}}) + b"\n"


def _check_silence(how: Any) -> None:
    if how not in SILENCES:
        raise invalid(f"{how!r} is none of {SILENCES}")


def _check_lose(how: Any) -> None:
    if isinstance(how, dict):
        ApiError(**how["answer"])
    else:
        _check_silence(how)


def _check_stream(how: dict[str, Any]) -> None:
    if how["end"] not in STREAM_ENDS or how.keys() - {"end", "after", "within_line"}:
        raise invalid(f"stream: {how}; ends are {STREAM_ENDS}")


CHECKS: dict[str, Callable[[Any], Any]] = {
    "answer": lambda what: ApiError(**what),
    "refuse": _check_silence,
    "lose": _check_lose,
    "delay": float,
    "dribble": float,
    "part": int,
    "life": lambda what: Life(**what),
    "lines": lambda what: mangle(iter(()), **what),
    "stream": _check_stream,
}
