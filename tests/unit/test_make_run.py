"""What `make run` takes, and what it refuses before anything is started."""

import sys
from contextlib import nullcontext
from typing import Any

import pytest

from tests.tasks import task
from tools.local.night import __main__ as command

OTHER_MODEL = "claude-haiku-5-5"


@pytest.fixture(autouse=True)
def nights(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The nights that were asked for; none is started."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(command, "run", lambda *night: asked.append(night) or True)
    monkeypatch.setattr(command, "_alone", nullcontext)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    return asked


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["make run", *arguments])
    return command.main()


def test_the_model_of_the_template_is_taken_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch, nights: list[tuple[Any, ...]]
) -> None:
    assert called(monkeypatch) == command.GOOD
    assert called(monkeypatch, "--model", OTHER_MODEL) == command.GOOD

    assert [model for _, _, model, *_ in nights] == [None, OTHER_MODEL]


def test_a_model_without_a_price_is_refused_with_those_that_have_one(
    monkeypatch: pytest.MonkeyPatch,
    nights: list[tuple[Any, ...]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert called(monkeypatch, "--model", "claude-nobody") == command.UNUSABLE

    said = capsys.readouterr().out
    assert "claude-nobody" in said
    assert all(model in " ".join(said.split()) for model in task().price_table.rows)
    assert nights == []
