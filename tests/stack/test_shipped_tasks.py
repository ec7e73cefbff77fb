"""The shipped tasks as they are, one after the other in one deployed stack, each on its sample."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

import pytest

from nightshift.task.task import DEFAULT, Task, load
from tests.stack.conftest import Place
from tests.stack.stack import Item, Stack
from tools.desk.files.tickets import Findings, Source, read
from tools.local.night.load import load as load_items
from tools.local.sample import shipped

NAMES = [DEFAULT, *sorted(path.stem for path in shipped.FOLDER.glob("*.jsonl"))]
# Of the 3,000 tickets; the other samples are played whole.
TICKETS = 100


@pytest.fixture(scope="module")
def stack(place: Place) -> Iterator[Stack]:
    """One stack for all of them. What an earlier task has left stays in its table."""
    stack = place.deploy("shipped", MaxRequestsPerBatch="1000")
    stack.store_key(place.claude.api_key)
    stack.claude.control.clear()
    yield stack
    for night in stack.nights:
        night.stop()


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_task_answers_its_sample(stack: Stack, name: str) -> None:
    task = load(name)
    choose(stack, name)
    ids = put_sample(stack, task)

    output = stack.run(run_id=name).output

    tickets = stack.tickets()
    empty = {i for i in ids if tickets[i].get("classification_status") == "failed"}
    unsure = {i for i in ids if tickets[i].get("classification_status") == "review"}
    answered = set(ids) - empty - unsure
    assert (output["status"], output["pending"], output["requeued"]) == ("complete", 0, 0)
    assert output["submitted"] == output["classified"] + output["unsure"] == len(ids) - len(empty)
    assert output["classified"] == len(answered) > 0
    assert (output["unsure"], output["empty"], output["failed"]) == (
        len(unsure), len(empty), len(empty),
    )  # fmt: skip
    assert output["cost_usd"] > 0
    for ticket_id in answered:
        check_answer(task, tickets[ticket_id], set(task.output))
    for ticket_id in unsure:
        check_answer(task, tickets[ticket_id], set(task.output) - unsure_outputs(task))
    for ticket_id in empty:
        assert tickets[ticket_id]["classification_error"].startswith("empty_ticket")
        assert not tickets[ticket_id].keys() & task.output.keys()
    if name != DEFAULT:
        assert empty


def choose(stack: Stack, name: str) -> None:
    """Update the stack's parameter Task, and nothing else."""
    client = stack.cloud.client("cloudformation")
    [before] = client.describe_stacks(StackName=stack.name)["Stacks"]
    kept = {each["ParameterKey"]: each["ParameterValue"] for each in before["Parameters"]}
    client.update_stack(
        StackName=stack.name,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in (kept | {"Task": name}).items()
        ],
    )
    client.get_waiter("stack_update_complete").wait(StackName=stack.name, WaiterConfig={"Delay": 1})


def put_sample(stack: Stack, task: Task) -> list[str]:
    """Load what `make run` would; returns the ids."""
    items = list(islice(read(Source(shipped.file_for(task), task), Findings()), TICKETS))
    load_items(stack.dynamodb, stack.outputs["TicketTableName"], items)
    return [item["ticket_id"] for item in items]


def unsure_outputs(task: Task) -> set[str]:
    return {name for name, output in task.output.items() if getattr(output, "unsure", None)}


def check_answer(task: Task, ticket: Item, written: set[str]) -> None:
    """These outputs and no others of the task are there, each as the task allows it."""
    assert ticket.keys() & task.output.keys() == written
    for name in written:
        value = int(ticket[name]) if isinstance(ticket[name], Decimal) else ticket[name]
        assert task.output[name].read(value) == value, name
    assert ticket["classified_with"].startswith(f"{task.name}@")
