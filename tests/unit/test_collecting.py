"""Results are read no faster than they are written: what is in memory does not grow with them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any

import pytest

from nightshift import collect as collect_module
from nightshift.claude.client import ProviderBatch
from nightshift.claude.results import Result
from nightshift.collect import collect
from nightshift.deployment import Deployment
from nightshift.errors import NightshiftError
from nightshift.events import CollectCall
from nightshift.runs.records import Batch, Tally
from nightshift.task.task import task
from nightshift.writing.apply import Applied
from tests.unit.examples import TOKEN, name_of, raw, succeeded, ticket

REQUESTS = 5_000
# Four threads with a group of a hundred each, one group that waits, and one on its way back.
MOST_AHEAD = 600
MOMENT = datetime(2026, 11, 22, 2, tzinfo=UTC)
BATCH = Batch(
    run_id="2026-11-22", record="batch#0001", token=TOKEN, state="open", round=1,
    execution="night", model="claude-haiku-4-5", first="T-1", last="T-1", requests=REQUESTS,
    bound=Decimal(1), intent_at=MOMENT, batch_id="msgbatch_1", confirmed=True,
)  # fmt: skip


class Provider:
    """An ended batch; `too_far` is set once more lines were taken from its results than the table
    may lag behind."""

    def __init__(self) -> None:
        self.read = self.applied = 0
        self.too_far = Event()

    def retrieve(self, batch_id: str) -> ProviderBatch:
        return ProviderBatch(
            batch_id, MOMENT, True, False, REQUESTS, 0, 0, 0, REQUESTS, ended_at=MOMENT
        )

    def result_lines(self, batch_id: str) -> Iterator[bytes]:
        asked, result = ticket(), succeeded()
        for ordinal in range(REQUESTS):
            self.read += 1
            if self.read - self.applied > MOST_AHEAD:
                self.too_far.set()
            yield raw(str(name_of(asked, ordinal)), result)

    def delete(self, batch_id: str) -> None:
        """It was collected."""


class Books:
    """The ledger's item of that batch."""

    def __init__(self) -> None:
        self.kept = BATCH

    def batch(self, run_id: str, record: str) -> Batch:
        return self.kept

    def checkpoint(self, batch: Batch) -> None:
        self.kept = batch

    def close(self, batch: Batch, execution: str, problems: Sequence[NightshiftError]) -> None:
        assert not problems
        self.kept = replace(batch, state="closed")

    def mark_deleted(self, batch: Batch) -> None:
        self.kept = replace(batch, deleted=True)


class SlowTable:
    """What brings results into the table: nothing of the first groups until somebody has read too
    far ahead, or had a second to do so, which takes some hundredths."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.patience = 1.0
        self._lock = Lock()

    def apply(self, results: Sequence[Result]) -> Applied:
        self.provider.too_far.wait(self.patience)
        self.patience = 0.0
        with self._lock:
            self.provider.applied += len(results)
        tally = Tally(classified=len(results), succeeded=len(results))
        return Applied(tuple(result.custom_id.ordinal for result in results), tally)


def test_results_wait_at_the_provider_while_the_table_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider, books = Provider(), Books()
    table = SlowTable(provider)
    monkeypatch.setattr(collect_module, "Applier", lambda *_: table)
    settings: Any = SimpleNamespace(max_attempts=3, model=BATCH.model)
    edges: list[Any] = [None, books, None, provider]
    call = CollectCall(execution="night", run_id=BATCH.run_id, record=BATCH.record)

    done = collect(call, Deployment(settings, task(), *edges), lambda: 900.0)

    assert done["next"] == "done"
    assert books.kept.state == "closed"
    assert (books.kept.tally.classified, provider.applied) == (REQUESTS, REQUESTS)
    assert not provider.too_far.is_set()
