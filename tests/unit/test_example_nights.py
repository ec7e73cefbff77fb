"""Five nights, played by the use cases themselves: each page says what happened in it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.crash_proof.world import Workshop
from tests.example_nights import __main__ as command
from tests.example_nights.play import BEFORE, LAST, NIGHTS, play, theatre
from tests.unit.test_night_report import Read, headline
from tools import browser
from tools.operate.night_report.page import page
from tools.operate.night_report.record import read
from tools.operate.stack import Unusable

# Enough for three batches a night, and done in a second.
SCALE = 0.12
SAID = {
    "all-well": ("All well All is done: 61 tickets", "What to do Nothing for the night."),
    "budget-bound": ("(a budget is reached)", "The budget of this run ($0.006)", '"max_cost_usd"'),
    "key-rejected": ("ClaudeRejected Claude does not accept the API key", "YOUR-NEW-KEY"),
    "provider-down": ("All well in the end", "Claude took no batch at 02:00", "up to 2 h"),
    "batch-expired": ("All well in the end", "Claude did not answer", "within its 24 hours"),
}


@pytest.fixture
def ours() -> Iterator[Workshop]:
    """One theatre at a time: the command opens its own."""
    with theatre() as ours:
        yield ours


@pytest.mark.parametrize("name", NIGHTS)
def test_a_night_is_understood_from_its_record(ours: Workshop, name: str) -> None:
    stack, breakfast = play(ours, [(LAST, NIGHTS[name])], SCALE)

    record = read(stack, None)

    assert record.run.run_id == "2026-11-22"
    text = headline(Read(page(record, now=breakfast)))
    assert all(said in text for said in SAID[name]), text


def test_any_run_can_be_asked_for_and_an_unknown_one_names_the_latest(ours: Workshop) -> None:
    stack, _ = play(ours, BEFORE, SCALE)

    first, last = read(stack, "2026-11-20"), read(stack, None)

    assert (first.run.run_id, last.run.run_id) == ("2026-11-20", "2026-11-21")
    assert (first.earlier.total(), last.earlier.total()) == (0, first.output["classified"])
    with pytest.raises(Unusable, match=r"'yesterday'\. The latest are: 2026-11-21, 2026-11-20"):
        read(stack, "yesterday")


def test_what_waits_now_is_read_for_the_page_whatever_night_left_it(ours: Workshop) -> None:
    stack, _ = play(ours, BEFORE[:1], SCALE)
    for ticket_id, status in (("A", "review"), ("B", "review"), ("C", "pending")):
        item = {"ticket_id": {"S": ticket_id}, "classification_status": {"S": status}}
        stack.dynamodb.put_item(TableName="tickets", Item=item)

    record = read(stack, None)

    assert (record.waiting_now, record.pending_now) == (2, 1)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What a browser was asked to open, on a machine with a screen."""
    pages: list[str] = []
    monkeypatch.setattr(command, "DIRECTORY", tmp_path)
    monkeypatch.setattr(command, "play", partial(play, scale=SCALE))
    monkeypatch.setattr(command.browser, "is_there", lambda: True)
    monkeypatch.setattr(command.browser.webbrowser, "open", lambda uri: pages.append(uri) or True)
    return pages


def test_each_night_is_one_command_away_and_opens_its_page(
    opened: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["key-rejected"]) == 0

    page = tmp_path / "key-rejected" / "report.html"
    assert opened == [page.as_uri()]
    assert "ClaudeRejected" in page.read_text()
    said = capsys.readouterr().out
    assert f"\n  {page.as_uri()}\n" in said
    assert "No page was opened" not in said


def test_nothing_is_opened_where_nobody_wants_it_or_could_see_it(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main(["key-rejected", "--no-open"])
    monkeypatch.setattr(command.browser, "is_there", lambda: False)
    command.main(["key-rejected"])

    assert opened == []
    assert capsys.readouterr().out.count("No page was opened") == 2


@pytest.mark.parametrize(
    ("platform", "display", "there"),
    [("linux", "", False), ("linux", ":0", True), ("darwin", "", True)],
)
def test_a_screen_is_what_a_browser_needs(
    monkeypatch: pytest.MonkeyPatch, platform: str, display: str, there: bool
) -> None:
    monkeypatch.setattr(browser.sys, "platform", platform)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)

    assert browser.is_there() is there
