"""The benchmark measures what it says; its figures are made by `make bench`, not here."""

from pathlib import Path

import msgspec
import pytest

from tests.bench import bill, document, history, stage
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


MEASURED = {"seconds": 20.0, "cpu_seconds": 5.0, "peak_mb": 120.0, "calls": {"Query": 5_000}}
NIGHT = {
    "plan": "10,000 in batches of 10",
    "tickets": 10_000,
    "batches": 1_000,
    "functions": {name: {**MEASURED, "calls": 9} for name in ("submit", "status", "collect")},
    "seconds": 60.0,
    "cpu_seconds": 15.0,
    "calls": {"Query": 2_000},
    "bytes": {"runs read": 5_000_000},
    "events": 18_276,
    "largest_bytes": 36_454,
    "read_of_runs": [500, 1_500],
    "wrong": [],
}
SIZES = ("1000", "20000", "100000")
REPORT = {
    "measured_at": "2026-11-05T16:45:00+00:00",
    "minutes": 23.4,
    "machine": "2 cores, x86_64, Python 3.13.0",
    "tickets": "the built-in sample",
    "submit": {
        "plain": {size: {**MEASURED, "cpu_seconds": 10.0} for size in SIZES},
        "nightshift": dict.fromkeys(SIZES, MEASURED),
        "nightshift_batches": {"100000": MEASURED},
    },
    "send": {"plain": [4.0, 4.0], "nightshift": [0.7, 0.9]},
    "collect": {
        "plain": {size: {**MEASURED, "written": 2_000, "seconds": 150.0} for size in SIZES},
        "nightshift": {size: {**MEASURED, "seconds": 3.75} for size in SIZES},
    },
    "whole_stack": {"tickets": 20_000, "plain": 100.0, "nightshift": 8.0},
    "growth": {
        verb: {"seconds_per_further_ticket": [100e-6, 105e-6]} for verb in ("submit", "collect")
    },
    "decode": {"SDK": [20_000.0], "Nightshift": [190_000.0, 210_000.0]},
    "start": {
        "submit": {"with": {"import": 1.4}, "without": {"import": 2.9}},
        "collect": {"with": {"import": 1.5}, "without": {"import": 3.3}},
    },
    "history": {"events": 6_126, "largest_bytes": 3_300},
    "bill": {"3000": {"tickets": 3_000, "hours": 1, "aws": 0.0086, "claude": 0.46}},
    "month": {"secret": 0.4, "dashboard": 3.0},
    "million": [NIGHT],
}


def test_the_page_gets_the_figures_of_a_run() -> None:
    parts = document.parts(REPORT)

    assert parts["machine"] == (
        "The figures are of one run on 5 November 2026 on one machine "
        "(2 cores, x86_64, Python 3.13.0), for the built-in sample; it took 23 minutes."
    )
    figures = parts["figures"].splitlines()
    assert {line.count("|") for line in figures} == {5}
    assert "| 100 µs | **50 µs** (0.50) | 0.6 |" in figures[2]
    assert (
        "| 150 (2,000 written, the rest in proportion) | **3.8** (40 times as fast) |" in figures[6]
    )
    assert "| 20,000 | **200,000** (10.0 times) | 8 times |" in parts["figures"]
    assert "2.9 to 3.3; 1.4 to 1.5" in parts["figures"]
    assert "| AWS beside Claude: 3,000 tickets in 1 h | | 1.87 % of $0.46 | 2 % |" in figures
    assert "| 18,276; 35.6 KiB | balanced |" in parts["million"]
    assert "| 1,000 | 9 | 1 KB; 2 KB | 0.0 MB |" in parts["million"]


def test_only_what_stands_between_the_comments_is_written() -> None:
    page = "before\n<!-- million: written by make bench -->\nold\n<!-- end -->\nafter\n"

    written = document.with_part(page, "million", "| new |")

    assert written == page.replace("old", "| new |")
    with pytest.raises(AssertionError, match="no place for figures"):
        document.with_part(page, "figures", "| new |")


def test_docs_scale_has_a_place_for_every_part() -> None:
    page = document.PAGE.read_text()

    for name in document.PARTS:
        assert "another text" in document.with_part(page, name, "another text")
