"""Batches: what is accepted, how a batch lives and ends, and what its results are."""

import random
import re
import string
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec.json import decode, encode

from tools.local.claude_standin.answers import Answer, RowRule, answer, result
from tools.local.claude_standin.errors import ApiError, invalid, not_found
from tools.local.claude_standin.params import Template, template, user_text

DAY = 86_400
MAX_REQUESTS = 100_000
WINDOW_SECONDS = DAY
ARCHIVE_SECONDS = 29 * DAY  # counted from created_at
CACHE_SECONDS = {"5m": 300, "1h": 3600}
LIST_LIMITS = (1, 1000)
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NEVER = float("inf")
SOON = 1e-6  # what a create returns is in progress, always
PORTION = 500


class Request(NamedTuple):
    custom_id: str
    template: Template
    messages: Any


@dataclass(frozen=True)
class Life:
    """How a batch lives. Times are in seconds.

    `seconds`: from creation to the end, give or take a tenth; None: until a test ends it.
    `cut`: None, "expired" or "canceled" (by someone else): how it ends. When it is cut, by this,
    by a cancel or after 24 hours, the share `done` of its requests has finished before.
    `cancel_seconds`: from a cancel to the end. `late_cancel`: the status that a cancel after the
    end gets; what Claude answers there is not known (2026-09). `counts_early`: counts move before
    the end. `skew`: added to every time that it shows. `list_lag_looks`, `list_lag_seconds`: for
    so long it is not in the list. `missing_looks`: so many retrieves answer 404 after it was
    created, `missing_looks_after_end`: and so many retrieves, and results, after it has ended.
    """

    seconds: float | None = 1.0
    cut: str | None = None
    done: float = 0.0
    cancel_seconds: float = 0.2
    late_cancel: int = 200
    counts_early: bool = False
    skew: float = 0.0
    list_lag_looks: int = 0
    list_lag_seconds: float = 0.0
    missing_looks: int = 0
    missing_looks_after_end: int = 0


@dataclass
class Batch:
    id: str
    life: Life
    requests: list[Request]  # in the order of the results
    created_at: float
    planned_end: float
    ends_at: float
    cut: str | None = None
    canceled_at: float | None = None
    deleted: bool = False
    looks: Counter[str] = field(default_factory=Counter)
    answers: list[Answer] = field(default_factory=list)

    def status(self, now: float) -> str:
        if now >= self.ends_at:
            return "ended"
        return "in_progress" if self.canceled_at is None else "canceling"

    def archived(self, now: float) -> bool:
        return now >= self.created_at + ARCHIVE_SECONDS

    def finished(self, now: float) -> int:
        """How many requests have an answer by now; the first ones of the results' order."""
        total = len(self.requests)
        ended = self.status(now) == "ended"
        if ended and self.cut is None:
            return total
        cut_at = min(now, self.ends_at if self.canceled_at is None else self.canceled_at)
        progress = (cut_at - self.created_at) / (self.planned_end - self.created_at or 1)
        early = min(1.0, progress) if self.life.counts_early else 0.0
        return int(total * (max(self.life.done, early) if ended else early))


class Batches:
    """All batches of the workspace, newest last, and the rows that they answered."""

    def __init__(self, base_url: str, seed: str | None, life: Life, queue_limit: int) -> None:
        self.life = life
        self.rules: list[RowRule] = []
        self.default_geo = "global"
        self._base_url = base_url
        self._seed = seed if seed is not None else str(time.time_ns())
        self._random = random.Random(self._seed)
        self._queue_limit = queue_limit
        self._batches: dict[str, Batch] = {}
        self._synchronous: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._cache: dict[tuple[str, str], float] = {}  # model and prefix -> kept until
        self._offset = 0.0
        self._lock = threading.RLock()

    def now(self) -> float:
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        self._offset += seconds

    def create(self, body: bytes, version: str, life: dict[str, Any]) -> Batch:
        requests = parse(body, version)
        with self._lock:
            now = self.now()
            open_ones = (b for b in self._batches.values() if b.status(now) != "ended")
            queued = sum(len(b.requests) for b in open_ones)
            if queued + len(requests) > self._queue_limit:
                message = "Number of queued batch requests would exceed your rate limit."
                raise ApiError(429, message, headers={"retry-after": "60"})
            batch = self._born(requests, replace(self.life, **life), now)
            self._batches[batch.id] = batch
            return batch

    def get(self, batch_id: str) -> Batch:
        batch = self._batches.get(batch_id)
        if batch is None or batch.deleted:
            raise not_found(f"Message Batch {batch_id} not found.")
        return batch

    def retrieve(self, batch_id: str) -> Batch:
        batch = self.get(batch_id)
        if batch.status(self.now()) == "ended":
            self._look(batch, "retrieve after end", batch.life.missing_looks_after_end)
        else:
            self._look(batch, "retrieve", batch.life.missing_looks)
        return batch

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        limit = _limit(query.get("limit", "20"))
        if "after_id" in query and "before_id" in query:
            raise invalid("after_id: only one of after_id and before_id can be given")
        with self._lock:
            newest_first = list(reversed(self._batches.values()))
            shown = [batch for batch in newest_first if self._listed(batch)]
            places = {batch.id: place for place, batch in enumerate(newest_first)}
            if "before_id" in query:
                end = _place(places, query["before_id"], "before_id")
                there = [batch for batch in shown if places[batch.id] < end]
                page = there[-limit:]
            else:
                after = query.get("after_id")
                start = -1 if after is None else _place(places, after, "after_id")
                there = [batch for batch in shown if places[batch.id] > start]
                page = there[:limit]
        return {
            "data": [self.show(batch) for batch in page],
            "has_more": len(there) > len(page),
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }

    def cancel(self, batch_id: str) -> Batch:
        batch = self.get(batch_id)
        with self._lock:
            now = self.now()
            status = batch.status(now)
            if status == "ended" and batch.life.late_cancel != 200:
                raise ApiError(batch.life.late_cancel, f"Message Batch {batch_id} has ended.")
            if status == "in_progress":
                batch.cut, batch.canceled_at = "canceled", now
                batch.ends_at = min(batch.ends_at, now + batch.life.cancel_seconds)
        return batch

    def delete(self, batch_id: str) -> None:
        batch = self.get(batch_id)
        if batch.status(self.now()) != "ended":
            raise invalid(
                "In progress batches cannot be deleted. Consider canceling the batch instead."
            )
        batch.deleted = True

    def results(self, batch_id: str) -> Iterator[bytes]:
        """The lines of the results file, each with its LF; raises before the first one."""
        batch = self.get(batch_id)
        now = self.now()
        if batch.status(now) != "ended" or batch.archived(now):
            raise not_found(f"Message Batch {batch_id} has no available results.")
        self._look(batch, "results after end", batch.life.missing_looks_after_end)
        self._answer(batch, now)
        return (
            encode({"custom_id": row.custom_id, "result": result(row, batch.id)}) + b"\n"
            for row in self._rows(batch)
        )

    def end(self, batch_id: str, cut: str | None, done: float | None) -> None:
        """End a batch now: as planned, or with the rest of it cut off."""
        batch = self.get(batch_id)
        with self._lock:
            now = self.now()
            if batch.status(now) == "ended":
                raise invalid(f"{batch_id} has ended already")
            planned = batch.life.cut if batch.canceled_at is None else batch.cut
            batch.ends_at, batch.cut = now, cut or planned
            batch.life = replace(batch.life, done=batch.life.done if done is None else done)

    def show(self, batch: Batch, now: float | None = None) -> dict[str, Any]:
        """The MessageBatch object, as of now."""
        now = self.now() if now is None else now
        status = batch.status(now)
        ended, archived = status == "ended", batch.archived(now)
        canceled_at = batch.canceled_at
        if canceled_at is None and ended and batch.cut == "canceled":
            canceled_at = batch.ends_at  # by someone else
        skew = batch.life.skew
        results_url = f"{self._base_url}/v1/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": self._counts(batch, now),
            "ended_at": _stamp(batch.ends_at + skew) if ended else None,
            "created_at": _stamp(batch.created_at + skew),
            "expires_at": _stamp(batch.created_at + WINDOW_SECONDS + skew),
            "archived_at": _stamp(batch.created_at + ARCHIVE_SECONDS + skew) if archived else None,
            "cancel_initiated_at": None if canceled_at is None else _stamp(canceled_at + skew),
            "results_url": results_url if ended and not archived else None,
        }

    def everything(self) -> list[Batch]:
        """All batches ever created, deleted ones too."""
        return list(self._batches.values())

    def note_synchronous(self, params: dict[str, Any], said: dict[str, Any]) -> None:
        """Keep what was asked and answered outside of any batch."""
        self._synchronous.append((params, said))

    def journal(self, with_params: bool) -> Iterator[dict[str, Any]]:
        """Every accepted request, with its result once its batch has ended."""
        for batch in self.everything():
            now = self.now()
            ended = batch.status(now) == "ended"
            if ended:
                self._answer(batch, now)
            rows = self._rows(batch) if ended else (None for _ in batch.requests)
            for request, row in zip(batch.requests, rows, strict=True):
                entry = {
                    "batch_id": batch.id,
                    "custom_id": request.custom_id,
                    "text": user_text(request.messages),
                    "result": result(row, batch.id) if row else None,
                }
                shared = {"params": request.template.params | {"messages": request.messages}}
                yield entry | shared if with_params else entry
        for params, said in self._synchronous:
            yield {
                "batch_id": None,
                "custom_id": None,
                "text": user_text(params["messages"]),
                "result": {"type": "succeeded", "message": said},
            } | ({"params": params} if with_params else {})

    def answer(self, custom_id: str, template: Template, messages: Any) -> Answer:
        """Answer one request, in or out of a batch; what it reads of the cache, it keeps there."""
        prefix = (template.model.id if template.model else "", template.cached)
        now = self.now()
        row = answer(custom_id, template, messages, self.rules, self._cache.get(prefix, 0) > now)
        if template.model and template.model.takes_adaptive_thinking:
            row.geo = template.params.get("inference_geo", self.default_geo)
        if template.cached and row.type == "succeeded":
            self._cache[prefix] = now + CACHE_SECONDS[template.cache_ttl]
        return row

    def _born(self, requests: list[Request], life: Life, now: float) -> Batch:
        letters = string.ascii_letters + string.digits
        batch_id = "msgbatch_01" + "".join(self._random.choices(letters, k=22))
        chance = random.Random(self._seed + batch_id)
        chance.shuffle(requests)
        seconds = NEVER if life.seconds is None else life.seconds
        ends_at, cut = now + max(SOON, seconds * chance.uniform(0.9, 1.1)), life.cut
        if ends_at >= now + WINDOW_SECONDS:
            ends_at, cut = now + WINDOW_SECONDS, cut or "expired"
        return Batch(batch_id, life, requests, now, ends_at, ends_at, cut)

    def _listed(self, batch: Batch) -> bool:
        if batch.deleted or self.now() < batch.created_at + batch.life.list_lag_seconds:
            return False
        batch.looks["list"] += 1
        return batch.looks["list"] > batch.life.list_lag_looks

    def _look(self, batch: Batch, where: str, missing_looks: int) -> None:
        batch.looks[where] += 1
        if batch.looks[where] <= missing_looks:
            raise not_found(f"Message Batch {batch.id} not found.")

    def _answer(self, batch: Batch, now: float) -> list[Answer]:
        """Answer as many requests as have finished by now, and keep the answers."""
        finished = batch.finished(now)
        while len(batch.answers) < finished:
            with self._lock:  # in portions, so that others get their turn
                start = len(batch.answers)
                for request in batch.requests[start : min(start + PORTION, finished)]:
                    batch.answers.append(self.answer(*request))
        return batch.answers[:finished]

    def _rows(self, batch: Batch) -> Iterator[Answer]:
        """The rows of an ended batch."""
        yield from batch.answers
        for request in batch.requests[len(batch.answers) :]:
            yield Answer(request.custom_id, batch.cut or "expired")

    def _counts(self, batch: Batch, now: float) -> dict[str, int]:
        kinds = Counter(row.type for row in self._answer(batch, now))
        rest = len(batch.requests) - kinds.total()
        kinds[(batch.cut or "expired") if batch.status(now) == "ended" else "processing"] += rest
        return {
            name: kinds[name]
            for name in ("processing", "succeeded", "errored", "canceled", "expired")
        }


def parse(body: bytes, version: str) -> list[Request]:
    """The requests of a create; raises the API's 400s (texts seen on 2026-09-02)."""
    items = _items(parse_json(body))
    templates: dict[bytes, Template] = {}
    seen: set[str] = set()
    requests = []
    for i, item in enumerate(items):
        _check_item(i, item)
        custom_id, params = item["custom_id"], item["params"]
        if custom_id in seen:
            raise invalid(
                "requests: custom_id's must be unique within a batch. "
                f"Duplicate custom_id found: {custom_id}"
            )
        seen.add(custom_id)
        messages = params.pop("messages", None)
        key = encode(params)
        if key not in templates:
            templates[key] = template(params, version, batch=True)
        requests.append(Request(custom_id, templates[key], messages))
    return requests


def parse_json(body: bytes) -> Any:
    try:
        return decode(body)
    except msgspec.DecodeError as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None


def _items(body: Any) -> list[Any]:
    if not isinstance(body, dict):
        raise invalid("Input should be a valid dictionary")
    if "requests" not in body:
        raise invalid("requests: Field required")
    for name in body.keys() - {"requests"}:
        raise invalid(f"{name}: Extra inputs are not permitted")
    items = body["requests"]
    if not isinstance(items, list):
        raise invalid("requests: Input should be a valid list")
    if not items:
        raise invalid("requests: List should have at least 1 item after validation, not 0")
    if len(items) > MAX_REQUESTS:
        raise invalid(
            f"requests: List should have at most {MAX_REQUESTS} items after validation, "
            f"not {len(items)}"
        )
    return items


def _check_item(i: int, item: Any) -> None:
    where = f"requests.{i}"
    if not isinstance(item, dict):
        raise invalid(f"{where}: Input should be a valid dictionary")
    if "custom_id" not in item:
        raise invalid(f"{where}.custom_id: Field required")
    custom_id = item["custom_id"]
    if not isinstance(custom_id, str):
        raise invalid(f"{where}.custom_id: Input should be a valid string")
    if len(custom_id) > 64:
        raise invalid(f"{where}.custom_id: String should have at most 64 characters")
    if not CUSTOM_ID.fullmatch(custom_id):
        raise invalid(f"{where}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    if "params" not in item:
        raise invalid(f"{where}.params: Field required")
    if not isinstance(item["params"], dict):
        raise invalid(f"{where}.params: Input should be a valid dictionary")
    if len(item) > 2:
        extra = next(name for name in item if name not in ("custom_id", "params"))
        raise invalid(f"{where}.{extra}: Extra inputs are not permitted")


def _limit(text: str) -> int:
    lowest, highest = LIST_LIMITS
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise invalid(
            "limit: Input should be a valid integer, unable to parse string as an integer"
        )
    if int(text) < lowest:
        raise invalid(f"limit: Input should be greater than or equal to {lowest}")
    if int(text) > highest:
        raise invalid(f"limit: Input should be less than or equal to {highest}")
    return int(text)


def _place(places: dict[str, int], batch_id: str, name: str) -> int:
    if batch_id not in places:
        raise invalid(f"{name}: Message Batch {batch_id} not found.")
    return places[batch_id]


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
