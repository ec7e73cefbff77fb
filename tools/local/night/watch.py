"""Follows one execution of the workflow and shows where it is."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tools.local.cloud.cloud import LocalCloud

# A choice is over at once and a pass does nothing: neither is what takes the time.
INSTANT = ("ChoiceStateEntered", "PassStateEntered")
ACCOUNTED = ("classified", "unsure", "superseded", "requeued", "failed")
LOOK_SECONDS = 0.25
CANCEL_SECONDS = 60
NARROW = 90


@dataclass(frozen=True)
class Sight:
    """What one look sees: the workflow's state, its batches and requests."""

    stage: str
    open: int
    closed: int
    submitted: int
    collected: int


@dataclass(frozen=True)
class Ending:
    """How an execution ended: its output as in the contract, or its error and the cause."""

    status: str
    output: dict[str, Any]
    error: str = ""
    cause: str = ""


@dataclass(frozen=True)
class Watched:
    """One execution, and the clients to look at it."""

    states: Any
    dynamodb: Any
    workflow: str
    execution: str
    run_table: str

    @classmethod
    def start(cls, cloud: LocalCloud, outputs: Mapping[str, str]) -> Self:
        """Start the workflow of a stack with these outputs, as a person without wishes does."""
        states, workflow = cloud.client("stepfunctions"), outputs["WorkflowArn"]
        execution = states.start_execution(stateMachineArn=workflow, input="{}")["executionArn"]
        dynamodb, run_table = cloud.client("dynamodb"), outputs["RunTableName"]
        return cls(states, dynamodb, workflow, execution, run_table)

    def ending(self) -> Ending | None:
        """How it ended; None while it runs."""
        found = self.states.describe_execution(executionArn=self.execution)
        if found["status"] == "RUNNING":
            return None
        output = json.loads(found.get("output") or "{}")
        return Ending(found["status"], output, found.get("error", ""), found.get("cause", ""))

    def look(self) -> Sight:
        batches = self.batches()
        sent = [batch for batch in batches if batch["state"]["S"] in ("open", "closed")]
        closed = sum(batch["state"]["S"] == "closed" for batch in sent)
        return Sight(
            stage=self._stage(),
            open=len(sent) - closed,
            closed=closed,
            submitted=sum(int(batch["requests"]["N"]) for batch in sent),
            collected=sum(_accounted(batch) for batch in sent),
        )

    def uncanceled(self) -> int:
        """How many batches may be at work, now or soon, with nobody having asked to cancel them."""
        return sum(
            batch["state"]["S"] in ("creating", "open") and "cancel_asked" not in batch
            for batch in self.batches()
        )

    def cancel(self) -> int:
        """Have the workflow cancel what is open; returns how many batches that left untouched."""
        canceling = self.states.start_execution(
            stateMachineArn=self.workflow, input=json.dumps({"action": "cancel"})
        )
        second = replace(self, execution=canceling["executionArn"])
        deadline = monotonic() + CANCEL_SECONDS
        while monotonic() < deadline and (self.uncanceled() or not second.ending()):
            sleep(LOOK_SECONDS)
        return self.uncanceled()

    def batches(self) -> list[dict[str, Any]]:
        """The run's batch items, as DynamoDB spells them."""
        scan = self.dynamodb.get_paginator("scan")
        pages = scan.paginate(
            TableName=self.run_table,
            ConsistentRead=True,
            FilterExpression="begins_with(#record, :batch)",
            ProjectionExpression="#state, requests, tally, cancel_asked",
            ExpressionAttributeNames={"#record": "record", "#state": "state"},
            ExpressionAttributeValues={":batch": {"S": "batch#"}},
        )
        return [item for page in pages for item in page["Items"]]

    def _stage(self) -> str:
        events = self.states.get_execution_history(
            executionArn=self.execution,
            reverseOrder=True,
            maxResults=50,
            includeExecutionData=False,
        )["events"]
        names = (
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if event["type"].endswith("StateEntered") and event["type"] not in INSTANT
        )
        return next(names, "Start")


def follow(watched: Watched, console: Console, tickets: int) -> Ending:
    """Show the execution until it ends."""
    if not console.is_terminal:
        return _watch(watched, _lines(console))
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description:<16}"),
        BarColumn(None),
        TextColumn("{task.fields[results]}"),
        *([TextColumn("{task.fields[batches]}")] if console.width >= NARROW else []),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task("Start", total=None, results="", batches="")

        def show(sight: Sight) -> None:
            # Without a total the bar moves to and fro: there is nothing to measure yet.
            progress.update(
                task,
                description=sight.stage,
                completed=sight.collected,
                total=max(tickets, sight.submitted) if sight.collected else None,
                results=_results(sight),
                batches=f"batches: {sight.open} open, {sight.closed} done",
            )

        return _watch(watched, show)


def _watch(watched: Watched, show: Callable[[Sight], None]) -> Ending:
    while not (ending := watched.ending()):
        show(watched.look())
        sleep(LOOK_SECONDS)
    return ending


def _lines(console: Console) -> Callable[[Sight], None]:
    """Where nothing can be drawn over: a line whenever a number has changed."""
    started, shown = monotonic(), [""]

    def show(sight: Sight) -> None:
        numbers = f"batches: {sight.open} open, {sight.closed} done; {_results(sight)}"
        if sight.submitted and numbers != shown[0]:
            shown[0] = numbers
            console.print(f"   {monotonic() - started:5.1f} s  {sight.stage}: {numbers}")

    return show


def _results(sight: Sight) -> str:
    if not sight.submitted:
        return "nothing sent yet"
    return f"{sight.collected:,} of {sight.submitted:,} results"


def _accounted(batch: dict[str, Any]) -> int:
    tally = batch.get("tally", {"M": {}})["M"]
    return sum(int(tally[name]["N"]) for name in ACCOUNTED if name in tally)
