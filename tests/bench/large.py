"""The largest tickets that DynamoDB holds: what a call keeps in memory is tickets, not bytes."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.bench import OUTPUT
from tests.bench.runtime import FUNCTIONS
from tests.bench.stage import stage, template
from tests.bench.subject import Subject, Target
from tests.bench.volume import ONE_BATCH

TICKETS = 1_000
# An item has at most 400 KB (docs.aws.amazon.com, DynamoDB quotas, 2026-11).
BODY = "My invoice is wrong and I was charged twice. " * 8_850


def measure(tell: Callable[[str], None]) -> list[Subject]:
    tell(f"{TICKETS:,} tickets of {len(BODY) // 1000} KB")
    tickets = _write_tickets()
    with stage(tickets, TICKETS) as place:
        peaks = {
            "submit": place.run("ours.submit", requests_per_batch=ONE_BATCH)["peak_mb"],
            "collect": place.run("ours.collect", writes_per_second=None)["peak_mb"],
        }
    tickets.unlink()
    rows, targets = [], []
    for verb, peak in peaks.items():
        memory = template()["Resources"][FUNCTIONS[verb]]["Properties"]["MemorySize"]
        kilobytes = f"{len(BODY) // 1000} KB"
        rows.append([verb, f"{TICKETS:,}", kilobytes, f"{peak:,.0f}", f"{memory:,}"])
        targets.append(
            Target(
                f"{verb}: peak memory with tickets of {kilobytes}",
                f"<= half of {memory:,} MB",
                f"{peak:,.0f} MB",
                peak <= memory / 2,
            )
        )
    columns = ["", "tickets", "each", "peak MB", "of MB"]
    return [Subject("Large tickets", columns, rows, (), targets, {"large": peaks})]


def _write_tickets() -> Path:
    path = OUTPUT / "large.jsonl"
    with path.open("wb") as file:
        for number in range(TICKETS):
            ticket = {"ticket_id": f"large-{number:04}", "subject": "Invoice", "body": BODY}
            file.write(msgspec.json.encode(ticket) + b"\n")
    return path
