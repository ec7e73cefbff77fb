"""How long the model lives: asked once an execution, before anything is created."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nightshift.errors import ClaudeRejected, SettingsInvalid
from tests.moto.scene import Scene, Step
from tests.tasks import FILE
from tools.local.claude_standin import models

MODEL = "claude-haiku-4-5"


@pytest.fixture
def scene(scene: Scene) -> Scene:
    """A stack with something to ask."""
    scene.put("A", "B", subject="My own words")
    return scene


def operations(scene: Scene) -> list[str]:
    return [each["operation"] for each in scene.claude.control.requests()]


def fail(scene: Scene, on: str, **do: Any) -> None:
    scene.claude.control.add_faults({"on": on, "do": do, "times": None})


def finish(scene: Scene, night: str) -> Step:
    scene.answer(night)
    return scene.send_all(night)


def test_the_model_is_looked_up_once_an_execution(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    first = scene.start("first")
    scene.send_all(first)
    finish(scene, first)
    scene.stop(first)
    scene.put("C")
    scene.send_all(scene.start("second"))

    assert operations(scene).count("create") == 3
    assert operations(scene).count("models") == 2


def test_a_night_without_anything_to_send_asks_nothing(new_scene: Scene) -> None:
    new_scene.put("A", subject=" ")

    new_scene.send_all(new_scene.start())

    assert "models" not in operations(new_scene)
    assert "create" not in operations(new_scene)


@pytest.mark.parametrize("trouble", [{"answer": {"status": 500}}, {"refuse": "drop"}])
def test_a_lifecycle_that_nobody_says_stops_nothing(scene: Scene, trouble: dict[str, Any]) -> None:
    fail(scene, "models", **trouble)

    scene.send_all(scene.start())

    assert scene.sent() == ["A", "B"]


def test_the_model_that_retires_soon_is_a_notice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = in_days(monkeypatch, 59)
    night = scene.start()
    scene.send_all(night)

    step = finish(scene, night)

    [notice] = step["notices"]
    assert notice.startswith(f"Claude retires {MODEL} on {day}.")
    assert step["report"]["status"] == "complete"
    assert operations(scene).count("models") == 1


def test_the_model_that_retires_later_is_none(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_days(monkeypatch, 61)
    night = scene.start()
    scene.send_all(night)

    assert finish(scene, night)["notices"] == []


def in_days(monkeypatch: pytest.MonkeyPatch, days: int) -> date:
    """Let the model retire in so many days; returns the day."""
    known = models.find(MODEL)
    assert known is not None
    retires = datetime.now(UTC) + timedelta(days=days)
    changed = replace(known, lifecycle="deprecated", retires_at=retires.isoformat())
    monkeypatch.setattr("tools.local.claude_standin.endpoints.find", lambda name: changed)
    return retires.date()


def test_a_retired_or_unknown_model_creates_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = models.find(MODEL)
    assert known is not None
    retired = replace(known, lifecycle="retired")
    for found, words in ((retired, "has retired"), (None, "does not know the model")):
        monkeypatch.setattr("tools.local.claude_standin.endpoints.find", lambda name, f=found: f)
        night = scene.start(f"night-{found is None}")
        with pytest.raises(ClaudeRejected, match=words):
            scene.send_all(night)
        scene.stop(night)

    assert "create" not in operations(scene)
    assert scene.records("batch#") == []


def test_a_gateway_without_a_models_api_is_no_unknown_model(scene: Scene) -> None:
    fail(scene, "models", answer={"status": 404, "html": True})

    scene.send_all(scene.start())

    assert scene.sent() == ["A", "B"]


def test_what_is_open_is_collected_before_a_refusal_ends_the_night(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    first = scene.start("first")
    scene.submit(first)
    scene.stop(first)
    fail(scene, "models", answer={"status": 404, "message": f"model: {MODEL}"})
    second = scene.start("second")

    step = scene.send_all(second)
    scene.answer(second)

    assert step["next"] == "wait"
    with pytest.raises(ClaudeRejected, match="does not know"):
        scene.send_all(second)


def test_a_model_that_always_thinks_is_refused_before_anything_is_asked(scene: Scene) -> None:
    scene.configure(MODEL="claude-opus-5-5")

    with pytest.raises(SettingsInvalid, match="Set max_tokens to 1033 or more"):
        scene.submit(scene.start())

    assert operations(scene) == []


def test_a_model_that_takes_no_schema_is_refused_where_the_task_needs_one(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = models.info
    lacking = {"structured_outputs": {"supported": False}}
    monkeypatch.setattr(
        "tools.local.claude_standin.endpoints.info",
        lambda model: {**shown(model), "capabilities": {**shown(model)["capabilities"], **lacking}},
    )
    several = FILE.read_text().replace("max_tokens = 16", "max_tokens = 100")
    path = tmp_path / "several.toml"
    path.write_text(f'{several}\n[output.urgent]\ntype = "boolean"\n')
    first = scene.start("first")
    scene.send_all(first)  # a bare word needs no schema
    scene.answer(first)
    scene.send_all(first)
    scene.stop(first)
    scene.put("C")

    scene.configure(TASK=path)

    with pytest.raises(ClaudeRejected, match=r"takes no structured outputs.*several"):
        scene.send_all(scene.start("second"))
