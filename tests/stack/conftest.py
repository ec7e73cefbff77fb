"""One local cloud and one deployment for all nights; every night leaves it as it found it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.stack.stack import CANARY, LIFE, Stack
from tests.tasks import FILE
from tools.local.claude_standin import StandIn, running
from tools.local.cloud.cloud import LocalCloud, local_cloud
from tools.local.cloud.stack import build, deploy, with_tasks

REVIEWS = Path(__file__).with_name("reviews.toml")
# A minute of waiting takes a sixteenth of a second.
WAIT_SCALE = 0.001


class Place(NamedTuple):
    """Where stacks are deployed, and the Claude that they ask."""

    cloud: LocalCloud
    claude: StandIn
    template: Path
    """Of the built project, with the tests' own tasks among the shipped ones."""

    def deploy(self, name: str, **more: str) -> Stack:
        """A new stack, still without a key; `more` are its parameters beside the usual ones."""
        parameters = {
            "AnthropicBaseUrl": self.claude.url,
            "ScheduleState": "DISABLED",
            "MaxRequestsPerBatch": "5",
            "Architecture": "x86_64",
            "LogLevel": "DEBUG",
            "Task": FILE.stem,
        }
        outputs = deploy(self.cloud, name, self.template, parameters | more)
        stack = Stack(self.cloud, self.claude, name, outputs)
        assert stack.inbox  # open from now on
        return stack


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("aws")
    enforced = {"AUTH": "true"}
    with (
        running(life=LIFE) as claude,
        local_cloud(directory, wait_scale=WAIT_SCALE, settings=enforced) as cloud,
    ):
        project = tmp_path_factory.mktemp("project")
        yield Place(cloud, claude, with_tasks(build(cloud), [FILE, REVIEWS], project))


@pytest.fixture(scope="session")
def deployed(place: Place) -> Stack:
    stack = place.deploy("night")
    stack.make_talkative()
    stack.store_key(place.claude.api_key)
    return stack


@pytest.fixture(scope="session")
def deployed_beside(place: Place) -> Stack:
    stack = place.deploy("second")
    stack.store_key(place.claude.api_key)
    return stack


@pytest.fixture
def stack(deployed: Stack) -> Iterator[Stack]:
    """The stack without anything of earlier tests; what it says is checked at the end."""
    deployed.forget()
    yield deployed
    _end_quietly(deployed)


@pytest.fixture
def neighbour(deployed_beside: Stack) -> Iterator[Stack]:
    """Another stack in the same account that asks the same Claude."""
    deployed_beside.forget()
    yield deployed_beside
    _end_quietly(deployed_beside)


def _end_quietly(stack: Stack) -> None:
    for night in stack.nights:
        night.stop()
    for where, said in stack.everything_said():
        assert CANARY not in said, f"the text of a ticket is in {where}"
        assert stack.claude.api_key not in said, f"the key is in {where}"
    stack.forget()
