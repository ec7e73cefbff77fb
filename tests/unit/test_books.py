"""Every request of a batch is accounted for, as the provider counts them and line by line."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.crash_proof.world import Workshop, World, workshop
from tests.unit.played import batches, new_world, play, put, start, ticket
from tools.local.claude_standin.answers import RowRule

REFUSED = {
    "type": "errored",
    "error": {"type": "invalid_request_error", "message": "messages: too odd"},
}


@pytest.fixture(scope="module")
def ours() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


def count_one_as_expired(world: World) -> None:
    """Claude's own counts differ from what its results say, in the kinds alone."""
    show = world.claude.show

    def shown(*arguments: Any) -> dict[str, Any]:
        batch = show(*arguments)
        if batch["request_counts"]["succeeded"]:
            batch["request_counts"]["succeeded"] -= 1
            batch["request_counts"]["expired"] += 1
        return batch

    world.claude.show = shown  # type: ignore[method-assign]


def end_without_line_feed(world: World) -> None:
    """The last line of the results ends with the file."""
    results = world.claude.results

    def lines(batch_id: str) -> Iterator[bytes]:
        whole = b"".join(results(batch_id))
        assert whole.endswith(b"}\n")
        yield whole[:-1]

    world.claude.results = lines  # type: ignore[method-assign]


def test_results_of_other_kinds_than_the_provider_counts_are_disputed(ours: Workshop) -> None:
    world = new_world(ours)
    put(world, "A", "B", "C")
    count_one_as_expired(world)

    night = play(start(world))

    [batch] = batches(world)
    assert night.error.startswith("LedgerMismatch: ")
    assert batch["batch_id"] in night.error
    assert (batch["state"], batch["disputed"]) == ("closed", True)
    assert {ticket(world, each)["category"] for each in "ABC"} == {"other"}


def test_a_disputed_batch_is_kept_at_the_provider(ours: Workshop) -> None:
    world = new_world(ours)
    put(world, "A", "B", "C")
    count_one_as_expired(world)

    play(start(world))
    later = play(start(world))

    [there] = world.claude.everything()
    assert not there.deleted
    assert (later.error, (later.report or {})["status"]) == ("", "nothing_to_do")


def test_a_batch_that_adds_up_is_deleted_at_the_provider(ours: Workshop) -> None:
    world = new_world(ours)
    put(world, "A", "B", "C")

    play(start(world))

    assert [batch.deleted for batch in world.claude.everything()] == [True]


def test_the_last_line_counts_without_a_line_feed_too(ours: Workshop) -> None:
    world = new_world(ours)
    put(world, "A", "B", "C")
    end_without_line_feed(world)

    night = play(start(world))

    assert night.error == ""
    assert night.report is not None
    assert (night.report["status"], night.report["classified"]) == ("complete", 3)


def test_the_only_request_of_a_batch_is_given_up_where_it_is_invalid(ours: Workshop) -> None:
    # A single line proves nothing about the request as such.
    world = new_world(ours, RowRule(REFUSED, contains="odd"))
    put(world, "odd")

    night = play(start(world))

    assert night.error == ""
    assert ticket(world, "odd")["classification_status"] == "failed"
    assert ticket(world, "odd")["classification_error"].startswith("invalid_request: ")


def test_a_batch_of_invalid_requests_alone_gives_up_no_ticket(ours: Workshop) -> None:
    world = new_world(ours, RowRule(REFUSED, contains="odd"))
    put(world, "odd-1", "odd-2")

    night = play(start(world))

    assert night.error.startswith("ClaudeRejected: ")
    for each in ("odd-1", "odd-2"):
        assert ticket(world, each)["classification_status"] == "pending"
        assert "classification_attempts" not in ticket(world, each)
