"""A deployed stack on moto, with the stand-in for Claude on the loopback interface."""

import os
from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.moto.scene import Scene, client, create_tables, forget
from tests.tasks import FILE
from tools.local.claude_standin import Life, StandIn, running

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
    "TICKET_TABLE": "TicketTable",
    "RUN_TABLE": "RunTable",
    "API_KEY_SECRET": "key",
    "MODEL": "claude-haiku-4-5",
    "TASK": str(FILE),
    "POLL_SECONDS": "60",
    "MAX_REQUESTS_PER_BATCH": "1000",
    "MAX_ATTEMPTS": "3",
    "MAX_COST_USD": "25",
    "MAX_MONTHLY_COST_USD": "0",
    "STACK_NAME": "nightshift",
    "POWERTOOLS_METRICS_NAMESPACE": "Nightshift",
    "POWERTOOLS_SERVICE_NAME": "nightshift",
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS account that holds the stack's tables and its secret, still without a key."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    forget()
    with mock_aws():
        create_tables()
        client("secretsmanager").create_secret(Name="key")
        yield
    forget()


@pytest.fixture
def claude() -> Iterator[StandIn]:
    """A Claude whose batches take until a test ends them."""
    with running(life=Life(seconds=None)) as stand_in:
        yield stand_in


@pytest.fixture
def new_scene(account: None, claude: StandIn, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A stack that has never asked Claude anything."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", claude.url)
    scene = Scene(claude, monkeypatch)
    scene.store_key(claude.api_key)
    return scene


@pytest.fixture
def scene(new_scene: Scene) -> Scene:
    """A stack whose task version has passed its probe."""
    new_scene.remember_version()
    return new_scene
