"""Five nights, played by the use cases themselves: each page says what happened in it."""

from collections.abc import Iterator

import pytest

from tests.crash_proof.world import Workshop
from tests.example_nights.play import BEFORE, LAST, NIGHTS, play, theatre
from tests.unit.test_night_report import Read, headline
from tools.operate.night_report.page import page
from tools.operate.night_report.record import read
from tools.operate.stack import Unusable

# Enough for three batches a night, and done in a second.
SCALE = 0.12
SAID = {
    "all-well": ("All well 61 tickets have a category", "What to do Nothing for the night."),
    "budget-bound": ("Budget used up", "$0.006, the budget of this start", '"max_cost_usd"'),
    "key-rejected": (
        "Key rejected",
        "ClaudeRejected Claude does not accept the API key",
        "YOUR-NEW-KEY",
    ),
    "provider-down": ("All well in the end", "for 3 h", "was refused and sent again as batch"),
    "batch-expired": ("All well in the end", "1 batch expired", "ended as already_running"),
}


@pytest.fixture(scope="module")
def ours() -> Iterator[Workshop]:
    with theatre() as ours:
        yield ours


@pytest.mark.parametrize("name", NIGHTS)
def test_a_night_is_understood_from_its_record(ours: Workshop, name: str) -> None:
    night = play(ours, [(LAST, NIGHTS[name])], SCALE)

    record = read(night.stack, None)

    assert record.night.run_id == night.run_id == "2026-11-22"
    assert night.breakfast > LAST
    text = headline(Read(page(record, now=night.breakfast)))
    assert all(said in text for said in SAID[name]), text
    for batch in record.night.in_state("closed"):
        assert batch.created_at
        assert batch.ended_at
        assert batch.closed_at
        assert batch.intent_at <= batch.created_at < batch.ended_at <= batch.closed_at
    if record.report:
        assert record.report.reported_at
        assert record.report.reported_at >= max(
            b.closed_at for b in record.night.batches if b.closed_at
        )


def test_any_run_can_be_asked_for_and_an_unknown_one_names_the_latest(ours: Workshop) -> None:
    night = play(ours, BEFORE, SCALE)

    assert read(night.stack, "2026-11-20").night.run_id == "2026-11-20"
    assert [run for run, _ in read(night.stack, None).earlier] == ["2026-11-20"]
    with pytest.raises(Unusable, match=r"'yesterday'\. The latest are: 2026-11-21, 2026-11-20"):
        read(night.stack, "yesterday")
