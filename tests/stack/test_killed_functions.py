"""Functions killed in the middle of a call to Claude, with SIGKILL, as nothing can catch."""

import os
import signal
import subprocess
from collections import Counter

import pytest

from tests.stack.stack import Stack, wait_until

IDS = [f"T-{number}" for number in range(12)]
STARTS = 4


@pytest.mark.parametrize("operation", ["create", "list", "results", "delete"])
def test_a_function_killed_in_a_call_costs_nobody_anything(stack: Stack, operation: str) -> None:
    stack.put(*IDS)
    stack.claude.control.add_faults({"on": operation, "do": {"delay": 5}})
    night = stack.start()
    wait_until(lambda: stack.calls(operation))

    killed = kill_functions(stack)

    assert killed > 0
    night.wait()
    for _ in range(STARTS):
        if night.status == "SUCCEEDED" and not stack.pending():
            break
        night = stack.run()
    tickets = stack.tickets()
    assert {i: tickets[i]["category"] for i in IDS} == stack.answers()
    assert not any("classification_attempts" in ticket for ticket in tickets.values())
    paid = Counter(row["text"] for row in stack.rows() if row["result"]["type"] == "succeeded")
    assert set(paid.values()) == {1}
    assert len(paid) == len(IDS)
    output = night.output
    assert (output["submitted"], output["classified"]) == (len(IDS), len(IDS))
    assert output["cost_usd"] == pytest.approx(float(stack.paid()), rel=1e-9)
    assert all(batch["deleted"] for batch in stack.batches())


def kill_functions(stack: Stack) -> int:
    """Kill the processes that run this cloud's functions; how many there were."""
    listed = subprocess.run(["ps", "-eo", "pid=,args="], check=True, capture_output=True, text=True)
    python = str(stack.cloud.directory / "scratch" / "lambda-")
    pids = [int(line.split()[0]) for line in listed.stdout.splitlines() if python in line]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return len(pids)
