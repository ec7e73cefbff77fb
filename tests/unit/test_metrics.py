"""What CloudWatch is told: the numbers that the handlers write in a night with every end."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from tests.crash_proof.world import World, workshop
from tests.unit.played import (
    batches,
    counted,
    documents_in,
    new_world,
    play,
    put,
    start,
    through_handlers,
)
from tools.local.claude_standin.answers import RowRule

LAYER = Path(__file__).parents[2] / "layers" / "nightshift"
# How many tickets end how; all different, so that no two numbers can be taken for each other.
CLASSIFIED, FAILED, EXPIRED, OVERLOADED, EDITED = 6, 2, 4, 1, 3
ENDS = {
    "expired": {"type": "expired"},
    "refused": {"type": "errored", "error": {"type": "invalid_request_error", "message": "no"}},
    "overloaded": {"type": "errored", "error": {"type": "overloaded_error", "message": "busy"}},
}


@dataclass(frozen=True)
class Played:
    """A world after its night, and one document for each call that counted anything."""

    world: World
    documents: list[dict[str, float]]

    def of(self, metric: str) -> dict[str, float]:
        """What the one call counted that counts this."""
        [found] = [document for document in self.documents if metric in document]
        return found


@pytest.fixture(scope="module")
def night() -> Iterator[Played]:
    """One batch whose tickets meet every end, and a second start while it was under way."""
    rules = [RowRule(outcome, contains=word) for word, outcome in ENDS.items()]
    numbers = {
        "good": CLASSIFIED, "refused": FAILED, "expired": EXPIRED, "overloaded": OVERLOADED,
        "edited": EDITED,
    }  # fmt: skip
    with workshop() as ours, through_handlers(), redirect_stdout(StringIO()) as out:
        world = new_world(ours, *rules, max_attempts=1, max_requests_per_batch=50)
        for word, number in numbers.items():
            put(world, *(f"{word}-{n}" for n in range(number)))
        first = start(world)
        play(first, until=lambda: any(batch["state"] == "open" for batch in batches(world)))
        beside = play(start(world))
        put(world, *(f"edited-{n}" for n in range(EDITED)), subject="another one")
        play(first)
        documents = [counted(document) for document in documents_in(out.getvalue())]
        assert (first.report or {})["status"] == "partial", first.error
        assert (beside.report or {})["status"] == "already_running"
        yield Played(world, documents)


def test_what_is_counted_bears_the_name_of_its_stack() -> None:
    program = """
from nightshift.observability import metrics
metrics.add_metric("X", "Count", 1)
metrics.flush_metrics()
"""
    environment = {"STACK_NAME": "helpdesk", "PYTHONPATH": str(LAYER)}

    said = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    [document] = documents_in(said.stdout)
    assert (document["stack"], document["service"]) == ("helpdesk", "nightshift")
    [sent] = document["_aws"]["CloudWatchMetrics"]
    assert sorted(sent["Dimensions"][0]) == ["service", "stack"]


def test_a_closed_batch_is_counted_by_what_became_of_its_requests(night: Played) -> None:
    [batch] = batches(night.world)
    [there] = [b for b in night.world.claude.everything() if b.id == batch["batch_id"]]

    said = night.of("TicketsClassified")

    assert said == {
        "TicketsClassified": CLASSIFIED,
        "TicketsFailed": FAILED,
        "TicketsRequeued": EXPIRED + OVERLOADED,
        "TicketsSuperseded": EDITED,
        "RequestsExpired": EXPIRED,
        "BatchWaitSeconds": pytest.approx(there.ends_at - there.created_at, abs=0.001),
        "CostUsd": pytest.approx(float(batch["cost"])),
    }
    assert batch["cost"] > 0


def test_a_finished_night_is_counted_once_with_what_it_leaves(night: Played) -> None:
    assert night.of("NightsFinished") == {
        "NightsFinished": 1,  # the start beside it has finished none
        "TicketsPending": EXPIRED + OVERLOADED + EDITED,
        "TicketsGivenUp": FAILED,
    }
