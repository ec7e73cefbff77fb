"""The operator's commands against a deployed stack, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

from tests.stack.stack import Stack
from tools.local.cloud.cloud import REPOSITORY

REFUSES = {"outcome": {"type": "succeeded", "stop_reason": "refusal"}}


def run(stack: Stack, module: str, *arguments: str) -> str:
    """A command as `make` starts it, with an environment that leads into the local cloud."""
    ended = subprocess.run(
        [sys.executable, "-m", f"tools.operate.{module}", *arguments, "--stack", stack.name],
        cwd=REPOSITORY,
        env=stack.cloud.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return " ".join(ended.stdout.split())


def test_what_was_given_up_is_seen_and_asked_again(stack: Stack, tmp_path: Path) -> None:
    stack.put("fine", "refused")
    stack.claude.control.add_rows({"contains": "(refused,", **REFUSES})
    stack.run()
    stack.claude.control.clear()

    listed = run(stack, "failed_tickets", "list")
    run(stack, "night_report", "--out", str(tmp_path / "night.html"))
    retried = run(stack, "failed_tickets", "retry", "--yes", "--reason", "refusal")

    assert "refused refusal Claude declined to answer in 3 attempts." in listed
    assert "All is done: 1 ticket sorted, 1 given up." in (tmp_path / "night.html").read_text()
    assert "1 ticket asks again." in retried
    assert stack.pending() == ["refused"]
    assert stack.run().output["status"] == "complete"
    assert set(stack.categories().values()) == {"billing"}
    assert "classification_attempts" not in stack.tickets()["refused"]
