"""A create in doubt: which batch of the provider's list is taken for it, and which never is."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.crash_proof.checks import paid
from tests.crash_proof.driver import Execution
from tests.crash_proof.world import Workshop, World, workshop
from tests.unit.played import Item, batches, new_world, play, put, start

MINUTE = 60
NEVER_DONE, DONE = "timeout before", "lost"
PARAMS = {
    "model": "claude-haiku-4-5",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "somebody else's"}],
}


@pytest.fixture(scope="module")
def ours() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


def in_doubt(ours: Workshop, mode: str) -> tuple[World, Execution]:
    """A night whose create of two requests got no answer a moment ago."""
    world = new_world(ours, unanswered=(mode,))
    put(world, "A", "B")
    night = play(start(world), until=lambda: any(c.fault == mode for c in world.journal))
    assert [batch["state"] for batch in batches(world)] == ["creating"]
    return world, night


def stranger(world: World, *, requests: int = 2, after: float = 0) -> str:
    """A batch of somebody else, created so many seconds after now by the provider's clock."""
    body = {"requests": [{"custom_id": f"theirs-{n}", "params": PARAMS} for n in range(requests)]}
    created = world.claude.create(msgspec.json.encode(body), "2023-06-01", {"skew": after})
    world.strangers.add(created.id)
    return created.id


def show_two_a_page(world: World) -> None:
    page = world.claude.page

    def short(query: dict[str, str]) -> dict[str, Any]:
        return page({**query, "limit": "2"})

    world.claude.page = short  # type: ignore[method-assign]


def after_a_look(world: World, night: Execution) -> Item:
    """The batch once submit has looked through the list."""

    def has_looked() -> bool:
        [batch] = batches(world)
        return batch["state"] != "creating" or batch.get("looks", 0) > 0

    play(night, until=has_looked, steps=8)
    [batch] = batches(world)
    return batch


@pytest.mark.parametrize("after", [-5 * MINUTE + 1, 0, 20 * MINUTE - 1])
def test_a_batch_of_the_same_size_and_time_may_be_ours(ours: Workshop, after: int) -> None:
    world, night = in_doubt(ours, NEVER_DONE)
    there = stranger(world, after=after)

    batch = after_a_look(world, night)

    assert (batch["state"], batch.get("batch_id")) == ("open", there)
    assert not batch["proved"]


@pytest.mark.parametrize("after", [-5 * MINUTE - 1, 20 * MINUTE + 1, 86_400])
def test_a_batch_of_another_time_is_not_ours(ours: Workshop, after: int) -> None:
    world, night = in_doubt(ours, NEVER_DONE)
    stranger(world, after=after)

    assert after_a_look(world, night)["state"] == "creating"


@pytest.mark.parametrize(
    ("near", "far"), [(MINUTE, 10 * MINUTE), (-2 * MINUTE, 3 * MINUTE), (3 * MINUTE, -4 * MINUTE)]
)
@pytest.mark.parametrize("near_first", [True, False])
def test_of_several_the_nearest_is_taken(
    ours: Workshop, near: int, far: int, near_first: bool
) -> None:
    world, night = in_doubt(ours, NEVER_DONE)
    order = (near, far) if near_first else (far, near)
    there = {after: stranger(world, after=after) for after in order}

    assert after_a_look(world, night)["batch_id"] == there[near]


def test_ours_is_found_behind_many_newer_batches(ours: Workshop) -> None:
    world, night = in_doubt(ours, DONE)
    [there] = world.claude.everything()
    show_two_a_page(world)
    for _ in range(5):
        stranger(world, requests=3, after=MINUTE)

    batch = after_a_look(world, night)
    play(night)

    assert (batch["state"], batch.get("batch_id")) == ("open", there.id)
    assert night.report is not None
    assert (night.report["status"], night.report["classified"]) == ("complete", 2)
    assert set(paid(world).values()) == {1}
