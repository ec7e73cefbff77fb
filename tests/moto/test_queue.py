"""A queue at Claude that is smaller than the night: refilled as batches end."""

from collections.abc import Iterator

import pytest

from tests.moto.scene import Scene
from tools.local.claude_standin import Life, Settings, StandIn, running

IDS = [f"T-{number}" for number in range(10)]


@pytest.fixture
def claude() -> Iterator[StandIn]:
    """A Claude that queues four requests, whose batches take until a test ends them."""
    with running(Settings(queue_limit=4), Life(seconds=None)) as stand_in:
        yield stand_in


def test_the_night_refills_a_full_queue_until_all_is_sent(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=2)
    scene.put(*IDS)
    night = scene.start()

    opened = []
    for _ in range(3):
        step = scene.send_all(night)
        batches = [batch for batch in scene.records("batch#") if batch["state"] == "open"]
        opened.append([batch["requests"] for batch in batches])
        assert step["next"] == "wait"
        for batch in batches:
            scene.claude.control.end_batch(batch["batch_id"])
        scene.answer(night)
    last = scene.send_all(night)

    assert opened == [[2, 2], [2, 2], [2]]
    assert [post["status"] for post in scene.posts()].count(429) == 2
    assert scene.sent() == IDS
    assert (last["report"]["status"], last["report"]["classified"]) == ("complete", 10)
