"""A dry run: what tonight would cost, near the truth, without sending anything for money."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nightshift.claude.money import NOTHING, Usage
from nightshift.dry_run import estimate
from nightshift.dry_run.token_sample import SIZE, Sample
from nightshift.events import SubmitCall
from tests.moto.scene import STARTED_AT, Scene, Step
from tests.tasks import in_the_us
from tools.local import sample

CALL = SubmitCall.parse({"execution": "nobody", "started_at": STARTED_AT, "input": {}})


def put_sample(scene: Scene, count: int) -> None:
    with scene.tickets.batch_writer() as writer:
        for ticket in itertools.islice(sample.tickets(), count):
            writer.put_item(Item={**ticket, "classification_status": "pending"})


def dry_run(scene: Scene, **asked: Any) -> Step:
    report = scene.submit("nobody", dry_run=True, **asked)["report"]
    return {name: value for name, value in report.items() if name != "duration_seconds"}


def paid(scene: Scene) -> Decimal:
    """What a night then costs in batches, by the usage of its results."""
    scene.send_all(scene.start())
    for batch in scene.claude.control.batches():
        scene.claude.control.end_batch(batch["id"])
    return scene.stack.price.batch_cost(sum(map(used, results(scene)), NOTHING))


def results(scene: Scene) -> list[dict[str, Any]]:
    """The usage of each request of a batch."""
    rows = [row for row in scene.claude.control.rows() if row["batch_id"]]
    return [row["result"]["message"]["usage"] for row in rows]


def used(usage: dict[str, Any]) -> Usage:
    return Usage(
        usage["input_tokens"],
        usage["output_tokens"],
        cache_write_1h=usage["cache_creation_input_tokens"],
        cache_read=usage["cache_read_input_tokens"],
    )


def test_a_dry_run_writes_nothing_pays_nothing_and_takes_no_lock(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=2)
    scene.put("A", "B", "C")
    scene.put("D", subject=" ")
    tickets, runs = scene.tickets.scan()["Items"], scene.runs.scan()["Items"]

    step = scene.submit("nobody", dry_run=True)

    report = step["report"]
    assert (step["next"], step["tell"], report["status"]) == ("report", False, "dry_run")
    assert (report["batches"], report["empty"], report["pending"]) == (2, 1, 4)
    assert (report["submitted"], report["classified"], report["cost_usd"]) == (0, 0, 0)
    assert report["realtime_cost_usd"] == pytest.approx(2 * report["estimated_cost_usd"])
    assert scene.tickets.scan()["Items"] == tickets
    assert scene.runs.scan()["Items"] == runs
    assert {each["operation"] for each in scene.claude.control.requests()} == {"count_tokens"}


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-haiku-5-5"])
def test_an_estimate_is_within_a_tenth_of_what_the_night_then_costs(
    scene: Scene, model: str
) -> None:
    scene.configure(MODEL=model)
    scene.remember_version()
    put_sample(scene, 150)

    report = dry_run(scene)

    assert len(scene.claude.control.requests("count_tokens")) == SIZE + 1
    assert report["estimate_method"].startswith("input: 20 tickets counted by Claude, characters")
    assert report["estimated_cost_usd"] == pytest.approx(float(paid(scene)), rel=0.1)


def test_an_estimate_is_at_the_price_of_where_the_task_says(scene: Scene, tmp_path: Path) -> None:
    scene.configure(MODEL="claude-haiku-5-5")
    scene.put("A", "B")
    plain = dry_run(scene)
    scene.configure(TASK=in_the_us("claude-haiku-5-5", tmp_path))

    there = dry_run(scene)

    for usd in ("estimated_cost_usd", "realtime_cost_usd"):
        assert there[usd] == pytest.approx(plain[usd] * 1.1)


def test_the_sample_corrects_what_characters_get_wrong(scene: Scene) -> None:
    scene.put(*(f"T-{number}" for number in range(30)), body="Ё" * 500)

    report = dry_run(scene)
    paid(scene)

    read = sum(usage["input_tokens"] for usage in results(scene))
    assert report["input_tokens"] == pytest.approx(read, rel=0.01)


@pytest.mark.parametrize(
    ("trouble", "named"),
    [
        (lambda scene: scene.store_key(" "), "ApiKeyMissing"),
        (lambda scene: fail(scene, {"answer": {"status": 529}}), "ClaudeUnavailable"),
        (lambda scene: fail(scene, {"refuse": "drop"}), "ClaudeUnavailable"),
        (lambda scene: fail(scene, {"answer": {"status": 400}}), "ClaudeRejected"),
        (lambda scene: fail(scene, {"answer": {"status": 404}}), "ClaudeRejected"),
    ],
)
def test_where_claude_cannot_be_asked_characters_stand_alone_and_it_says_so(
    scene: Scene, trouble: Callable[[Scene], None], named: str
) -> None:
    put_sample(scene, 60)
    trouble(scene)

    report = dry_run(scene)

    scene.store_key(scene.claude.api_key)
    scene.claude.control.clear()
    assert report["estimate_method"].startswith(f"input: characters alone, four a token ({named})")
    assert report["estimated_cost_usd"] == pytest.approx(float(paid(scene)), rel=0.25)


def fail(scene: Scene, how: dict[str, Any]) -> None:
    scene.claude.control.add_faults({"on": "count_tokens", "do": how})


def test_what_was_counted_before_a_failure_is_used(scene: Scene) -> None:
    put_sample(scene, 10)
    scene.claude.control.add_faults(
        {"on": "count_tokens", "skip": 5, "do": {"answer": {"status": 529}}}
    )

    assert dry_run(scene)["estimate_method"].startswith("input: 4 tickets counted by Claude")


def test_nothing_is_counted_for_an_empty_table(scene: Scene) -> None:
    report = dry_run(scene)

    assert (report["estimated_cost_usd"], report["batches"], report["input_tokens"]) == (0, 0, 0)
    assert scene.claude.control.requests() == []


def test_a_dry_run_that_runs_out_of_time_goes_on_where_it_stopped(scene: Scene) -> None:
    put_sample(scene, 24)
    whole = dry_run(scene)

    steps = [scene.submit("nobody", seconds=50, dry_run=True)]
    while steps[-1]["next"] == "submit":
        state = steps[-1]["estimate"]
        steps.append(scene.submit("nobody", seconds=50, dry_run=True, estimate=state))

    assert len(steps) == 25
    assert {**steps[-1]["report"], "duration_seconds": 0} == {**whole, "duration_seconds": 0}


@pytest.mark.parametrize("seconds", [900, 50])
def test_a_limit_bounds_what_is_estimated(scene: Scene, seconds: float) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    scene.put("A", "B")
    two = dry_run(scene)
    scene.put("C", "D", "E")
    scene.put("AA", subject=" ")

    step = scene.submit("nobody", seconds=seconds, dry_run=True, limit=2)
    while step["next"] == "submit":
        more = {"estimate": step["estimate"], "limit": 2}
        step = scene.submit("nobody", seconds=seconds, dry_run=True, **more)

    report = step["report"]
    assert (report["batches"], report["empty"], report["pending"]) == (2, 1, 3)
    assert report["estimated_cost_usd"] == two["estimated_cost_usd"]
    assert report["input_tokens"] == two["input_tokens"]


def test_only_a_few_ids_travel_between_calls(scene: Scene) -> None:
    put_sample(scene, 40)
    times = iter([900.0] * 30)

    step = estimate.count(CALL, scene.stack, lambda: next(times, 10.0))

    texts = {ticket["subject"] for ticket in scene.tickets.scan()["Items"] if "subject" in ticket}
    assert step["estimate"].keys() == {
        "after",
        "tickets",
        "empty",
        "unchanged",
        "tokens",
        "sample",
    }
    assert len(step["estimate"]["sample"]) == SIZE
    assert texts.isdisjoint(step["estimate"]["sample"])


def test_a_sample_of_parts_is_that_of_the_whole() -> None:
    ids = [f"T-{number}" for number in range(500)]
    whole, parts = Sample(), Sample()

    for ticket_id in ids:
        whole.add(ticket_id)
    for start in (250, 0):
        parts = Sample(parts.ids)
        for ticket_id in ids[start : start + 250]:
            parts.add(ticket_id)

    assert whole.ids == parts.ids
    assert len(whole.ids) == SIZE


def test_an_estimate_says_what_it_assumes_of_the_cache(scene: Scene) -> None:
    taxonomy = scene.stack.task.model_copy(update={"system": "billing: money, or else. " * 1_000})
    scene.put(*(f"{number:03}" for number in range(200)))

    found = [
        estimate.count(CALL, replace(scene.stack, task=task), lambda: 900.0)["report"]
        for task in (scene.stack.task, taxonomy)
    ]

    assert ["cache: 64% hits assumed" in each["estimate_method"] for each in found] == [False, True]
    tokens = found[1]["input_tokens"] - found[0]["input_tokens"]
    # 64 % of the difference is read at a tenth of the input's price, the rest written at twice.
    assert found[1]["estimated_cost_usd"] - found[0]["estimated_cost_usd"] == pytest.approx(
        tokens * (0.64 * 0.1 + 0.36 * 2) * 0.5e-6, rel=0.1
    )
