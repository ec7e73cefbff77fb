"""The night that the benchmark plays with a million tickets, with a few thousand: counts alone."""

from pathlib import Path
from typing import Any

import pytest

from tests.bench import million, stage
from tests.bench.million import FUNCTIONS, Plan
from tests.definitions import MOST_EVENTS
from tests.stack.conftest import Place

PLAN = Plan(tickets=3_000, per_batch=100, expiring=10)
BATCHES = 30
STATEMENTS, KEYS = 25, 100


@pytest.fixture(scope="module")
def night(place: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`place` has built the functions that are played."""
    directory = tmp_path_factory.mktemp("million")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "OUTPUT", directory)
        patch.setattr(stage, "REAL_TICKETS", Path(directory, "nowhere"))
        tickets, _ = stage.write_tickets(PLAN.tickets)
        return million.play(PLAN, tickets, lambda what: None)


def test_its_books_balance(night: dict[str, Any]) -> None:
    report, books = night["report"], night["books"]
    half_of_a_batch = PLAN.per_batch // 2

    assert night["wrong"] == []
    assert report["classified"] == sum(books["answers"].values()) == PLAN.tickets - report["empty"]
    # Every tenth batch is half done when it expires.
    assert report["requeued"] == pytest.approx(BATCHES / PLAN.expiring * half_of_a_batch, abs=5)


def test_a_ticket_costs_few_calls(night: dict[str, Any]) -> None:
    calls, report = night["calls"], night["report"]
    written, asked = report["classified"] / STATEMENTS, report["submitted"] / KEYS

    assert written <= calls["BatchExecuteStatement"] <= 1.2 * written
    # Submit reads each ticket once, and so does collect; submit reads a few calls ahead.
    assert 2 * asked <= calls["BatchGetItem"] <= 2 * asked + 4 * night["batches"]
    assert calls["UpdateItem"] <= 5 * night["batches"]


def test_its_history_and_its_states_are_short(night: dict[str, Any]) -> None:
    assert night["batches"] >= BATCHES
    assert night["functions"]["collect"]["calls"] == night["batches"]
    assert night["events"] < MOST_EVENTS / 5
    assert night["largest_bytes"] < 64 * BATCHES + 1_000


def test_submit_reads_two_kilobytes_a_batch_of_the_run_table(night: dict[str, Any]) -> None:
    reads = night["read_of_runs"]

    assert len(reads) == night["functions"]["submit"]["calls"]
    assert reads[0] < 2_000
    assert max(reads) < 2_200 * night["batches"]


def test_every_function_is_called(night: dict[str, Any]) -> None:
    assert set(night["functions"]) == set(FUNCTIONS)
    assert all(function["calls"] for function in night["functions"].values())
