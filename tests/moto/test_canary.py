"""The canary: nothing is paid in bulk before Claude has taken the task's own example."""

import json
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from nightshift import canary
from nightshift.errors import ClaudeRejected
from nightshift.task import form_for, task
from tests.moto.scene import DAY, Scene, Step
from tools.local.claude_standin import models

MODEL = "claude-haiku-4-5"


@pytest.fixture
def scene(new_scene: Scene) -> Scene:
    """A stack that has never asked Claude anything, with something to ask."""
    new_scene.put("A", "B", subject="My own words")
    return new_scene


def operations(scene: Scene) -> list[str]:
    return [each["operation"] for each in scene.claude.control.requests()]


def fail(scene: Scene, on: str, **do: Any) -> None:
    scene.claude.control.add_faults({"on": on, "do": do, "times": None})


def version_item(scene: Scene) -> dict[str, Any]:
    [item] = scene.runs.query(
        KeyConditionExpression="run_id = :v",
        ExpressionAttributeValues={":v": f"task#{canary.version_name(task(), MODEL)}"},
    )["Items"]
    return item


def expiry_hours(item: dict[str, Any]) -> int:
    return round((int(item["expires_at"]) - datetime.now(UTC).timestamp()) / 3_600)


def finish(scene: Scene, night: str, cost: str = "0") -> Step:
    scene.answer(night, cost=cost)
    return scene.send_all(night)


def test_the_example_is_asked_alone_before_the_first_batch(scene: Scene) -> None:
    scene.send_all(scene.start())

    [alone, *batched] = sorted(
        scene.claude.control.rows(params=True), key=lambda r: r["batch_id"] or ""
    )
    example = task().example_message
    assert alone["params"] == form_for(task(), MODEL, 1).params(example)
    assert "My own words" not in alone["text"]
    assert {**alone["params"], "messages": None} == {**batched[0]["params"], "messages": None}
    assert operations(scene) == ["models", "count_tokens", "messages", "create"]
    assert expiry_hours(version_item(scene)) == 90 * 24
    assert scene.sent() == ["A", "B"]


def test_a_night_without_anything_to_send_asks_nothing(new_scene: Scene) -> None:
    new_scene.put("A", subject=" ")

    new_scene.send_all(new_scene.start())

    assert operations(new_scene) == []


def test_it_is_asked_once_a_version(scene: Scene) -> None:
    first = scene.start("first")
    scene.send_all(first)
    finish(scene, first)
    scene.stop(first)
    scene.put("C")
    scene.send_all(scene.start("second"))
    scene.configure(MODEL="claude-sonnet-5-5")

    assert operations(scene).count("messages") == 1
    assert operations(scene).count("models") == 2  # once an execution
    sonnet = canary.version_name(task(), "claude-sonnet-5-5")
    assert scene.stack.ledger.version(canary.version_name(task(), MODEL)) is not None
    assert scene.stack.ledger.version(sonnet) is None


@pytest.mark.parametrize(
    "change",
    [
        {"system": "Sort the tickets."},
        {"categories": ("billing", "other")},
        {"max_tokens": 17},
        {"message": "{subject} {body}"},
        {"models": {MODEL: {"stop_sequences": ["x"]}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_task_is_another_version(change: dict[str, Any]) -> None:
    changed = task().model_copy(update=change)

    assert canary.version_name(changed, MODEL) != canary.version_name(task(), MODEL)


def test_a_refusal_of_the_request_stops_the_night_before_anything_is_paid(scene: Scene) -> None:
    fail(scene, "messages", answer={"status": 400, "message": "max_tokens: 9 > 8"})
    night = scene.start()

    with pytest.raises(ClaudeRejected, match="max_tokens: 9 > 8"):
        scene.send_all(night)

    assert scene.posts() == []
    assert [each["state"] for each in scene.records("canary#")] == ["refused"]
    assert scene.records("batch#") == []


def test_a_key_that_is_refused_is_renewed_or_named(scene: Scene) -> None:
    fail(scene, "messages", answer={"status": 401})

    with pytest.raises(ClaudeRejected, match="put-secret-value"):
        scene.send_all(scene.start())


@pytest.mark.parametrize(
    "trouble",
    [
        {"answer": {"status": 429, "headers": {"retry-after": "777"}}},
        {"answer": {"status": 529}},
        {"answer": {"status": 500}},
        {"lose": "drop"},
    ],
    ids=["429", "529", "500", "lost"],
)
def test_trouble_of_the_moment_is_waited_for_and_never_guessed_away(
    scene: Scene, trouble: dict[str, Any]
) -> None:
    scene.claude.control.add_faults({"on": "messages", "do": trouble, "times": 1})
    night = scene.start()

    step = scene.send_all(night)
    state = scene.records("canary#")[0]["state"]
    posts = scene.posts()
    scene.send_all(night)

    seconds = 777 if "headers" in trouble.get("answer", {}) else 60
    assert (step["next"], step["wait_seconds"], step["more"]) == ("wait", seconds, True)
    refused = trouble.get("answer", {}).get("status") in (429, 529)
    assert (state, posts) == ("refused" if refused else "asked", [])
    assert scene.records("canary#")[1]["state"] == "answered"
    assert scene.sent() == ["A", "B"]


def test_what_was_lost_counts_at_its_bound_and_what_was_answered_at_its_cost(scene: Scene) -> None:
    scene.claude.control.add_faults({"on": "messages", "do": {"lose": "drop"}, "times": 1})
    night = scene.start()
    scene.send_all(night)
    scene.send_all(night)
    lost, answered = scene.records("canary#")
    kept = scene.stack.ledger.night(DAY)

    report = finish(scene, night, cost="0.25")["report"]

    asked = [row for row in scene.claude.control.rows() if row["batch_id"] is None]
    usage = asked[1]["result"]["message"]["usage"]
    cost = Decimal(usage["input_tokens"] + 5 * usage["output_tokens"]) / 1_000_000
    assert answered["cost"] == cost < answered["bound"] == lost["bound"]
    assert [each.counted for each in kept.canaries] == [lost["bound"], cost]
    assert report["cost_usd"] == pytest.approx(0.25 + float(cost), rel=1e-9)
    assert report["saved_usd"] == pytest.approx(0.25)  # of batches alone
    assert (report["submitted"], report["classified"]) == (2, 2)


def test_a_canary_that_does_not_fit_the_budget_is_not_asked(scene: Scene) -> None:
    step = scene.send_all(scene.start(), max_cost_usd=0.0001)

    assert (step["report"]["status"], step["report"]["reason"]) == ("partial", "budget")
    assert "messages" not in operations(scene)
    assert "max_cost_usd" in step["notices"][0]


def test_a_canary_needs_the_lock(scene: Scene) -> None:
    night = scene.start()
    scene.runs.put_item(
        Item={
            "run_id": "lock",
            "record": "lock",
            "holder": night,
            "unfinished": {DAY},
            "stop": True,
        }
    )

    scene.send_all(night)

    assert operations(scene) == []


@pytest.mark.parametrize("said", [{"text": "banana"}, {"stop_reason": "max_tokens"}])
def test_an_answer_that_is_no_category_is_a_notice_and_stops_nothing(
    scene: Scene, said: dict[str, str]
) -> None:
    scene.claude.control.add_rows(
        {"contains": "charged twice", "outcome": {"type": "succeeded", **said}}
    )
    night = scene.start()
    scene.send_all(night)

    step = finish(scene, night)

    assert step["report"]["status"] == "complete"
    [notice] = step["notices"]
    assert "is no category" in notice
    assert notice in step["text"]


@pytest.mark.parametrize("trouble", [{"answer": {"status": 500}}, {"refuse": "drop"}])
def test_what_is_free_and_fails_stops_nothing(scene: Scene, trouble: dict[str, Any]) -> None:
    for free in ("count_tokens", "models"):
        fail(scene, free, **trouble)

    scene.send_all(scene.start())

    version = version_item(scene)
    assert "fixed_tokens" not in version
    assert expiry_hours(version) == 12
    assert scene.sent() == ["A", "B"]


def test_what_has_expired_is_asked_again_although_dynamodb_still_has_it(scene: Scene) -> None:
    night = scene.start()
    scene.send_all(night)
    finish(scene, night)
    scene.runs.put_item(Item=version_item(scene) | {"expires_at": int(time.time()) - 1})
    scene.put("C")

    scene.stop(night)
    scene.send_all(scene.start("next"))

    assert operations(scene).count("messages") == 2
    assert operations(scene).count("count_tokens") == 2


def test_a_long_prompt_is_counted_once_and_marked_to_be_cached(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_task = task().model_copy(update={"system": "Sort the ticket. " * 1_500})
    monkeypatch.setattr("nightshift.deployment.task", lambda: long_task)
    scene.configure()

    scene.send_all(scene.start())

    version = scene.stack.ledger.version(canary.version_name(long_task, MODEL))
    assert version is not None
    assert version.fixed_tokens is not None
    assert version.fixed_tokens > 4_096
    for row in scene.claude.control.rows(params=True):
        assert row["params"]["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    [asked] = scene.records("canary#")
    assert asked["usage"]["cache_write_1h"] > 4_096
    assert asked["cost"] < asked["bound"]


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

    assert set(operations(scene)) == {"models"}
    assert scene.records("canary#") == []


def test_a_gateway_without_a_models_api_is_no_unknown_model(scene: Scene) -> None:
    fail(scene, "models", answer={"status": 404, "html": True})

    scene.send_all(scene.start())

    assert scene.sent() == ["A", "B"]


def test_what_is_open_is_collected_before_a_refusal_ends_the_night(scene: Scene) -> None:
    scene.remember_canary()
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


def test_metrics_count_a_canary_as_money(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.send_all(scene.start())

    [cost] = [each["cost"] for each in scene.records("canary#")]
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CostUsd" in line]
    assert [each["CostUsd"] for each in said] == [[float(cost)]]
