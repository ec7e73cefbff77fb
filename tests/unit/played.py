"""Nights played in the crash proof's world, for tests that look at one thing in them.

DynamoDB's engine is MiniStack's, since moto's PartiQL writes no results; the clock moves only
while the workflow waits.
"""

import importlib.util
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
from aws_lambda_powertools import Metrics

from nightshift.observability import metrics
from tests.crash_proof import driver
from tests.crash_proof.checks import items
from tests.crash_proof.driver import MOST_STEPS, Execution
from tests.crash_proof.world import Workshop, World
from tests.moto.scene import Context
from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import Life

FUNCTIONS = Path(__file__).parents[2] / "functions"
LIFE = Life(seconds=1000, cancel_seconds=1)

type Item = dict[str, Any]


def new_world(
    ours: Workshop, *rules: RowRule, unanswered: tuple[str, ...] = (), **settings: Any
) -> World:
    """A stack with empty tables. `unanswered` are modes in which the first creates fail;
    `settings` are those of the stack."""
    world = World(ours, {}, LIFE, list(rules), unanswered=unanswered)
    world.settings = world.settings.model_copy(update=settings)
    ours.world = world
    return world


def put(world: World, *ids: str, **texts: str) -> None:
    """Tickets that ask for a category; their subject is their id, unless `texts` say otherwise."""
    for ticket_id in ids:
        values = {"ticket_id": ticket_id, "subject": ticket_id, **texts}
        item = {**values, "classification_status": "pending"}
        request = {"TableName": "tickets", "Item": {n: {"S": text} for n, text in item.items()}}
        status, _, answer = world.workshop.engine("PutItem", msgspec.json.encode(request))
        assert status == 200, answer


def start(world: World, **asked: Any) -> Execution:
    """An execution that has not taken its first step."""
    arn = f"arn:aws:states:us-east-1:123456789012:execution:night:{len(world.executions):02}"
    return Execution(world, arn, asked, world.now)


def play(
    execution: Execution, until: Callable[[], object] = lambda: False, steps: int = MOST_STEPS
) -> Execution:
    """Play an execution to its end, or until something is so."""
    for _ in range(steps):
        if not execution.running or until():
            return execution
        execution.world.wait_until(execution.ready_at)
        execution.step()
        execution.ready_at = max(execution.ready_at, execution.world.now)
    raise AssertionError(f"no end after {steps} steps")


def ticket(world: World, ticket_id: str) -> Item:
    return next(item for item in items(world, "tickets") if item["ticket_id"] == ticket_id)


def batches(world: World) -> list[Item]:
    """The batch items of all runs, in the order of their keys."""
    found = [item for item in items(world, "runs") if item["record"].startswith("batch#")]
    return sorted(found, key=lambda item: (item["run_id"], item["record"]))


@contextmanager
def through_handlers() -> Iterator[None]:
    """The workflow calls the functions' own handlers, in and out as JSON, as Lambda does; what
    they count goes to stdout."""
    handlers = {name: partial(_handle, name) for name in driver.CALLS}
    metrics.clear_metrics()  # what calls without a handler have counted and nobody has sent
    really = partial(Metrics.add_metric, metrics)
    with mock.patch.dict(driver.CALLS, handlers), mock.patch.object(metrics, "add_metric", really):
        yield


def _handle(function: str, event: Item, stack: Any, world: World) -> Item:
    spec = importlib.util.spec_from_file_location(
        f"{function}_app", FUNCTIONS / function / "app.py"
    )
    assert spec
    assert spec.loader
    app = importlib.util.module_from_spec(spec)

    def deployment() -> Any:
        return stack

    with mock.patch("nightshift.deployment.deployment", deployment):
        spec.loader.exec_module(app)
        answer = app.lambda_handler(json.loads(json.dumps(event)), Context(world.collect_seconds))
    return dict(json.loads(json.dumps(answer)))


def documents_in(stdout: str) -> list[Item]:
    """What functions have counted, one document a call, in CloudWatch's embedded format."""
    documents = [json.loads(line) for line in stdout.splitlines() if '"_aws"' in line]
    assert documents, "nothing was counted"
    return documents


def counted(document: Item) -> dict[str, float]:
    """The metrics of one document, each summed up."""
    [sent] = document["_aws"]["CloudWatchMetrics"]
    names = [metric["Name"] for metric in sent["Metrics"]]
    return {name: sum(_values(document[name])) for name in names}


def _values(value: Any) -> list[float]:
    return value if isinstance(value, list) else [value]
