"""What is shown while a night runs."""

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from tools.local.night import watch
from tools.local.night.watch import Ending, Sight, follow

BEFORE = Sight("Submit batches", open=0, closed=0, submitted=0, collected=0)
SENT = replace(BEFORE, stage="Wait for batches", open=1, submitted=2_000)


class Execution:
    """An execution that is seen at each of these sights and then over."""

    def __init__(self, *sights: Sight) -> None:
        self.sights = list(sights)

    def ending(self) -> Ending | None:
        return None if self.sights else Ending("SUCCEEDED", {})

    def look(self) -> Sight:
        return self.sights.pop(0)


@pytest.mark.parametrize("terminal", [True, False])
def test_before_anything_is_sent_no_results_are_counted(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr(watch, "sleep", lambda _: None)
    screen = io.StringIO()
    console = Console(file=screen, width=120, force_terminal=terminal, highlight=False)
    # Rich draws only now and then: every sight is to be seen.
    monkeypatch.setattr(watch.Progress, "update", drawn_at_once(watch.Progress.update))

    follow(Execution(BEFORE, SENT), console, tickets=2_000)  # type: ignore[arg-type]

    assert "0 of 0" not in screen.getvalue()
    assert "0 of 2,000 results" in screen.getvalue()


def drawn_at_once(update: Any) -> Any:
    def updated(progress: Any, *arguments: Any, **fields: Any) -> None:
        update(progress, *arguments, **fields)
        progress.refresh()

    return updated
