"""A deployed stack as the commands of a person find it, in MiniStack's DynamoDB of this process."""

from collections.abc import Iterator

import pytest

from tests.crash_proof.world import Workshop, workshop
from tests.tasks import FILE
from tools.operate.stack import Stack

OUTPUTS = {"TicketTableName": "tickets", "RunTableName": "runs", "WorkflowArn": "arn:night"}
PARAMETERS = {"Task": str(FILE), "Model": "claude-haiku-4-5"}


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    with workshop() as ours:
        yield ours


@pytest.fixture
def helpdesk(shop: Workshop) -> Stack:
    """A stack of this name, with empty tables, that sorts as the tests' own task says."""
    shop.make_tables()
    return Stack("helpdesk", OUTPUTS, PARAMETERS, shop.plain_client, None)
