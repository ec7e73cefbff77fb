"""The close of a batch and what its task version has shown are one write."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from nightshift.errors import LedgerMismatch
from nightshift.runs.ledger import Ledger, Stale
from nightshift.runs.records import Batch, Tally, Version
from nightshift.writing import closing
from tests.moto.scene import DAY, Scene

UNUSABLE = Tally(
    requeued=60, still_pending=60, succeeded=60, unusable=Counter({"unreadable_answer": 60})
)


def open_batches(scene: Scene, night: str) -> list[Batch]:
    scene.configure(MAX_REQUESTS_PER_BATCH=60)
    scene.put(*(f"{number:03}" for number in range(120)))
    scene.send_all(night)
    return scene.stack.ledger.run(DAY).in_state("open")


def test_of_two_batches_that_are_closed_at_once_both_are_judged(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is closed after the first has read what is known, and before it writes."""
    night = scene.start()
    first, second = (replace(batch, tally=UNUSABLE) for batch in open_batches(scene, night))
    read = Ledger.version
    late = [second]

    def version(ledger: Ledger, name: str) -> Version:
        known = read(ledger, name)
        if late:
            closing.close(late.pop(), scene.stack, night)
        return known

    monkeypatch.setattr(Ledger, "version", version)

    closing.close(first, scene.stack, night)

    assert (scene.version.answers, scene.version.failed) == (120, True)
    [told] = [item for item in scene.records("batch#") if "error" in item]
    assert told["error"] == "AnswersUnusable"
    assert told["cause"].startswith("120 of 120 answers")


def test_a_batch_that_somebody_else_has_closed_teaches_nothing(scene: Scene) -> None:
    night = scene.start()
    batch, _ = (replace(each, tally=UNUSABLE) for each in open_batches(scene, night))
    closing.close(batch, scene.stack, night)
    before = scene.version

    with pytest.raises(Stale):
        closing.close(batch, scene.stack, night)

    assert scene.version == before
    assert before.answers == 60


def test_what_is_wrong_with_the_batch_itself_is_told_beside_it(scene: Scene) -> None:
    night = scene.start()
    batches = [replace(batch, tally=UNUSABLE) for batch in open_batches(scene, night)]

    for batch in batches:
        closing.close(batch, scene.stack, night, LedgerMismatch("one is missing."))

    first, second = scene.records("batch#")
    assert (first["error"], first["cause"]) == ("LedgerMismatch", "one is missing.")
    assert "also" not in first
    assert second["error"] == "AnswersUnusable"
    assert second["cause"].startswith("120 of 120 answers")
    assert second["also"] == "LedgerMismatch: one is missing."


def test_a_batch_of_release_0_1_0_is_closed_without_a_version(scene: Scene) -> None:
    night = scene.start()
    batch, _ = (replace(each, tally=UNUSABLE, version="") for each in open_batches(scene, night))
    before = scene.version

    closing.close(batch, scene.stack, night)

    assert scene.records("batch#")[0]["state"] == "closed"
    assert scene.version == before


def versions(scene: Scene) -> list[dict[str, Any]]:
    return [item for item in scene.runs.scan()["Items"] if item["record"] == "version"]


def test_a_night_keeps_one_item_a_version_and_ttl_takes_it(new_scene: Scene) -> None:
    night = new_scene.start()
    for batch in open_batches(new_scene, night):
        closing.close(
            replace(batch, tally=Tally(classified=60, succeeded=60)), new_scene.stack, night
        )

    [item] = versions(new_scene)
    assert item["run_id"] == f"task#{new_scene.version.name}"
    assert "passed_at" in item
    assert "expires_at" in item
