"""The benchmark measures what it says; its figures are made by `make bench`, not here."""

from pathlib import Path

import msgspec
import pytest

from tests.bench import bill, history, stage
from tests.bench.stage import Stage
from tests.definitions import MOST_EVENTS


def test_a_run_that_expires_three_times_stays_within_its_limits() -> None:
    story = history.expired(10).story

    assert (len(story.called["collect"]), story.maps) == (30, 3)
    assert story.events < MOST_EVENTS / 5
    assert story.largest < history.MOST_BYTES / 5


def test_every_batch_of_a_night_is_submitted_and_collected_by_itself() -> None:
    story = history.played(10, hours=6)

    assert len(story.called["collect"]) == story.maps == 10
    assert story.called["collect"][-1] >= 6 * history.HOUR
    # Once a batch, and once after each of them whether anything is left.
    assert len(story.called["submit"]) == 10 + 1 + 10


def test_without_real_tickets_the_sample_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stage, "REAL_TICKETS", tmp_path / "nowhere")
    monkeypatch.setattr(stage, "OUTPUT", tmp_path)

    path, what = stage.write_tickets(4_000)

    written = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    assert what == "the built-in sample"
    assert len({ticket["ticket_id"] for ticket in written}) == 4_000


def test_only_nightshift_gets_what_the_template_tells_malloc() -> None:
    place = Stage("http://127.0.0.1:9", "http://127.0.0.1:9")

    ours, plain = place.environment("ours.submit"), place.environment("plain.submit")

    assert {name for name in ours if name not in plain} == {
        "MALLOC_ARENA_MAX",
        "MALLOC_MMAP_THRESHOLD_",
    }


def test_what_a_month_costs_names_all_that_is_always_there() -> None:
    [target] = bill._month().targets
    names = [row[0] for row in bill._month().rows]

    assert target.holds
    assert {"secret", "dashboard", "together"} <= set(names)
