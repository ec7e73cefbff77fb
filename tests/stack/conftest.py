"""One local cloud and one deployment for all nights; every night leaves it as it found it."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.stack.stack import CANARY, LIFE, Stack
from tests.tasks import FILE
from tools.local.claude_standin import Settings, StandIn, running
from tools.local.claude_standin.gateway import WORKSPACE, Caller
from tools.local.cloud.callers import role_of, statements_of
from tools.local.cloud.cloud import LocalCloud, local_cloud
from tools.local.cloud.stack import build, deploy, with_tasks

REVIEWS = Path(__file__).with_name("reviews.toml")
FUNCTIONS = ("SubmitFunctionName", "StatusFunctionName", "CollectFunctionName")
# A minute of waiting takes a sixteenth of a second.
WAIT_SCALE = 0.001


class Place(NamedTuple):
    """Where stacks are deployed, and the Claude that they ask."""

    cloud: LocalCloud
    claude: StandIn
    template: Path
    """Of the built project, with the tests' own tasks among the shipped ones."""

    def through_aws(self, platform: StandIn, name: str) -> Stack:
        """A new stack that reaches Claude through AWS, and whose roles are known there."""
        assert platform.gateway is not None
        there = self._replace(claude=platform)
        region = platform.gateway.region
        stack = there.deploy(name, WorkspaceId=WORKSPACE, WorkspaceRegion=region)
        iam = self.cloud.client("iam")
        for function in FUNCTIONS:
            role = role_of(self.cloud, stack.outputs[function])
            platform.gateway.callers[role.access_key] = Caller(
                role.session, role.secret, role.token, partial(statements_of, iam, role.name)
            )
        return stack

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
def platform() -> Iterator[StandIn]:
    """Claude Platform on AWS, with a workspace in another region than the local cloud's."""
    with running(Settings(aws_region="eu-central-1"), LIFE) as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def deployed(place: Place, request: pytest.FixtureRequest) -> Stack:
    stack = _deployed("night", place, request)
    stack.make_talkative()
    return stack


@pytest.fixture(scope="session")
def deployed_through_aws(place: Place, platform: StandIn) -> Stack:
    stack = place.through_aws(platform, "through-aws")
    stack.make_talkative()
    return stack


@pytest.fixture
def signed(deployed_through_aws: Stack) -> Iterator[Stack]:
    """A stack that reaches Claude through AWS."""
    deployed_through_aws.forget()
    yield deployed_through_aws
    _end_quietly(deployed_through_aws)


@pytest.fixture(scope="session")
def deployed_beside(place: Place, request: pytest.FixtureRequest) -> Stack:
    return _deployed("second", place, request)


def _deployed(name: str, place: Place, request: pytest.FixtureRequest) -> Stack:
    """With a key; with CLAUDE=aws in the environment one that reaches Claude through AWS."""
    if os.environ.get("CLAUDE") == "aws":
        return place.through_aws(request.getfixturevalue("platform"), name)
    stack = place.deploy(name)
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
        for secret in _secrets_of_callers(stack):
            assert secret not in said, f"a role's secret or token is in {where}"
    stack.forget()


def _secrets_of_callers(stack: Stack) -> list[str]:
    gateway = stack.claude.gateway
    callers = gateway.callers.values() if gateway else ()
    return [secret for caller in callers for secret in (caller.secret, caller.token)]
