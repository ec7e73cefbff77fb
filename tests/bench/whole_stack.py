"""Collect in the whole local stack: the deployed functions and workflow, MiniStack's DynamoDB.

Here the emulator takes part: it works on the same processors, and a write costs it more than ours
costs us. The plain way writes into the same table.
"""

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from anthropic import Anthropic

from nightshift import aws
from nightshift.task.task import DEFAULT, load
from tests.bench.stage import BenchmarkFailed, Stage, run_child, server
from tests.bench.subject import Subject, Target
from tests.bench.volume import COLLECT_SIZE, PLAIN_WRITES
from tests.versions import passed, shipped
from tools.local.claude_standin import Settings
from tools.local.cloud.cloud import LocalCloud, local_cloud
from tools.local.cloud.stack import build, deploy
from tools.local.night import load as loading

# One wait of the workflow then takes twelve seconds: the stand-in makes all results ready in it.
WAIT_SCALE = 0.2
MOST_SECONDS = 600
FEW = 50


def measure(tickets: Path, size: int, tell: Callable[[str], None]) -> list[Subject]:
    size = min(size, COLLECT_SIZE)
    tell(f"{size:,} tickets in a local stack: deploying")
    with (
        TemporaryDirectory() as directory,
        server("tests.bench.claude") as claude,
        local_cloud(Path(directory), wait_scale=WAIT_SCALE) as cloud,
    ):
        outputs = _deployed(cloud, claude, size)
        _put(cloud, outputs, tickets, FEW)
        _collected(cloud, outputs, claude)  # the functions have started then
        tell(f"{size:,} tickets in a local stack: the plain way")
        _put(cloud, outputs, tickets, size)
        plain = _plain(cloud, claude, outputs)
        tell(f"{size:,} tickets in a local stack: Nightshift")
        _put(cloud, outputs, tickets, size)
        ours = _collected(cloud, outputs, claude)
    return [_compared(size, plain["seconds"], ours)]


def _deployed(cloud: LocalCloud, claude: str, size: int) -> dict[str, str]:
    """The outputs of a stack that sends one batch, for a task version that has passed."""
    template = build(cloud)
    parameters = {"AnthropicBaseUrl": claude, "ScheduleState": "DISABLED"}
    parameters |= {"MaxRequestsPerBatch": str(size), "Architecture": "x86_64"}
    outputs = deploy(cloud, "bench", template, parameters)
    cloud.client("secretsmanager").put_secret_value(
        SecretId=outputs["ApiKeySecretArn"], SecretString=Settings().api_key
    )
    known = aws.to_item(passed(shipped("claude-haiku-4-5")))
    cloud.client("dynamodb").put_item(TableName=outputs["RunTableName"], Item=known)
    return outputs


def _put(cloud: LocalCloud, outputs: dict[str, str], tickets: Path, size: int) -> None:
    with tickets.open("rb") as lines:
        read = (msgspec.json.decode(line) for line in islice(lines, size))
        loading.load(cloud.client("dynamodb"), outputs["TicketTableName"], read)


def _plain(cloud: LocalCloud, claude: str, outputs: dict[str, str]) -> dict[str, Any]:
    place = Stage(cloud.endpoint, claude)
    environment = place.environment("plain.submit") | {"TICKET_TABLE": outputs["TicketTableName"]}
    task = load(DEFAULT)
    run_child("plain.submit", environment, max_tokens=task.max_tokens, system=task.system_prompt)
    return run_child("plain.collect", environment, most_writes=PLAIN_WRITES)


def _collected(cloud: LocalCloud, outputs: dict[str, str], claude: str) -> float:
    """Seconds from the beginning to the end of the workflow's state for the only batch."""
    client = Anthropic(base_url=claude, api_key=Settings().api_key)
    before = client.messages.batches.list(limit=1).data
    states = cloud.client("stepfunctions")
    started = states.start_execution(stateMachineArn=outputs["WorkflowArn"], input="{}")
    execution = started["executionArn"]
    deadline = time.monotonic() + MOST_SECONDS
    while (newest := client.messages.batches.list(limit=1).data) == before:
        _pause(deadline)
    next(iter(client.messages.batches.results(newest[0].id)))  # all of them lie ready then
    while (night := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        _pause(deadline)
    if night["status"] != "SUCCEEDED":
        raise BenchmarkFailed(f"the night failed: {night.get('cause')}")
    pages = states.get_paginator("get_execution_history").paginate(executionArn=execution)
    at = [event["timestamp"] for page in pages for event in page["events"] if _is_collect(event)]
    seconds: float = (max(at) - min(at)).total_seconds()
    return seconds


def _pause(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise BenchmarkFailed(f"the night does not end in {MOST_SECONDS} seconds")
    time.sleep(0.5)


def _is_collect(event: dict[str, Any]) -> bool:
    details = event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") or {}
    return bool(details.get("name") == "Collect results")


def _compared(size: int, plain: float, ours: float) -> Subject:
    speedup = plain / ours
    rows = [
        ["plain way", f"{plain:,.1f}", f"{size / plain:,.0f}"],
        ["Nightshift", f"{ours:,.1f}", f"{size / ours:,.0f}"],
    ]
    target = Target(
        f"collect {size:,} results through the local stack",
        ">= 20x plain",
        f"{speedup:.1f}x",
        speedup >= 20,
    )
    notes = [
        f"The plain way writes {PLAIN_WRITES:,} one by one: their time stands for the others. "
        "Nightshift's is that of the workflow's state, from its beginning to its end.",
    ]
    numbers = {"whole_stack": {"tickets": size, "plain": plain, "nightshift": ours}}
    columns = ["", "seconds", "tickets/s"]
    return Subject("Collect in the local stack", columns, rows, notes, [target], numbers)
