"""The benchmark measures what it says; its figures are made by `make bench`, not here."""

from pathlib import Path

import msgspec
import pytest

from tests.bench import bill, history, stage
from tests.bench.stage import Stage

HOUR, DAY = 3_600, 86_400


def test_a_night_that_expires_three_times_stays_within_its_limits() -> None:
    walk = history.walked(50, DAY, rounds=3, together=True)

    assert walk.entered["Collect batch"] == 150
    assert walk.events < history.MOST_EVENTS
    assert walk.largest < history.MOST_BYTES


def test_every_batch_of_a_night_is_submitted_and_collected_once() -> None:
    walk = history.walked(50, HOUR)

    assert walk.entered["Collect batch"] == 50
    assert walk.entered["Submit batches"] > 50
    assert walk.entered["Report the night"] == 1


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

    ours, plain = place._environment("ours.submit"), place._environment("plain.submit")

    assert {name for name in ours if name not in plain} == {
        "MALLOC_ARENA_MAX",
        "MALLOC_MMAP_THRESHOLD_",
    }


def test_what_a_month_costs_names_all_that_is_always_there() -> None:
    [target] = bill._month().targets
    names = [row[0] for row in bill._month().rows]

    assert target.holds
    assert {"secret", "dashboard", "together"} <= set(names)
