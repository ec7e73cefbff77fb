"""What a night is said to have cost is what its results say, request by request."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.moto.scene import Scene
from tests.tasks import FILE

# 370,000 characters are about 133,000 tokens of claude-haiku-5-5, as the stand-in counts.
LONG = 370_000


@pytest.fixture
def night(scene: Scene, tmp_path: Path) -> Scene:
    """A stack whose task reads whole tickets and is long enough to be cached, by a model that
    charges more for long prompts."""
    text = FILE.read_text().replace("\nbody = 500", f"\nbody = {LONG}")
    file = tmp_path / "sorting.toml"
    file.write_text(text.replace('system = """', f'system = """{"money or else " * 400}'))
    scene.configure(MODEL="claude-haiku-5-5", TASK=file)
    return scene


def charged(row: dict[str, Any]) -> Decimal:
    """USD for one request, by the published prices of claude-haiku-5-5; a batch costs half."""
    usage = row["result"]["message"]["usage"]
    written = usage["cache_creation_input_tokens"]
    read = usage["cache_read_input_tokens"]
    long = usage["input_tokens"] + written + read > 100_000
    usd = usage["input_tokens"] * Decimal("0.1") + usage["output_tokens"] * Decimal("0.5")
    usd += written * Decimal("0.2") + read * Decimal("0.01")
    return usd * (5 if long else 1) / 2 / 1_000_000


def test_a_night_with_long_prompts_costs_the_sum_over_its_results(
    night: Scene,
) -> None:
    night.remember_version(fixed_tokens=1_000)
    night.put("A", "C", "E", "F")
    night.put("B", "D", body="x" * LONG)
    execution = night.start()
    night.send_all(execution)
    [batch] = night.claude.control.batches()
    night.claude.control.end_batch(batch["id"])
    for ticket_id in "ABCDEF":  # moto's PartiQL is wrong: without tickets nothing is written
        night.tickets.delete_item(Key={"ticket_id": ticket_id})

    night.look(execution)
    night.collect(execution, "batch#0001")
    report = night.submit(execution)["report"]

    rows = list(night.claude.control.rows())
    cost = sum((charged(row) for row in rows if row["batch_id"]), Decimal(0))
    [record] = night.stack.ledger.run(report["run_id"]).batches
    assert record.cost == cost <= record.bound
    assert report["cost_usd"] == pytest.approx(float(sum(map(charged, rows))), rel=1e-9)
    assert report["saved_usd"] == pytest.approx(float(cost), rel=1e-9)
    assert record.tally.long_usage.prompt_tokens > 2 * 100_000
    assert record.tally.usage.cache_read > 0
