"""Who answers the night: the stand-in, as a process of its own, or Claude itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.local.claude_standin import Control, Life, Settings, running
from tools.local.claude_standin.gateway import WORKSPACE
from tools.local.cloud.callers import role_of, statements_of
from tools.local.cloud.cloud import REPOSITORY, LocalCloud

# Of the workspace that the stand-in plays: another one than the local cloud's.
REGION_OF_WORKSPACE = "eu-central-1"
BATCH_SECONDS = 1.0  # long enough to see the waiting
STOP_SECONDS = 5


class ClaudeMissing(Exception):
    """Nobody is there to answer; the message says why and what to do."""


@dataclass(frozen=True)
class Claude:
    """Where it is, and the key that it takes; `wait_scale` shrinks the workflow's waits. `region`:
    it is reached through AWS, and its workspace is there."""

    url: str
    api_key: str = field(repr=False)
    real: bool
    wait_scale: float
    region: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The stack's parameters that say how to reach it."""
        reached = {"AnthropicBaseUrl": self.url}
        through = {"WorkspaceId": WORKSPACE, "WorkspaceRegion": self.region}
        return reached | through if self.region else reached

    def let_in(self, cloud: LocalCloud, outputs: dict[str, str]) -> None:
        """Have the deployed functions be let in: by a stored key, or as who they are."""
        if not self.region:
            cloud.client("secretsmanager").put_secret_value(
                SecretId=outputs["ApiKeySecretArn"], SecretString=self.api_key
            )
            return
        iam = cloud.client("iam")
        for output in ("SubmitFunctionName", "StatusFunctionName", "CollectFunctionName"):
            role = role_of(cloud, outputs[output])
            Control(self.url).add_caller(
                access_key=role.access_key,
                arn=role.session,
                secret=role.secret,
                token=role.token,
                statements=statements_of(iam, role.name),
            )


def real_claude() -> Claude:
    """Claude itself, with the user's key. Costs money."""
    api_key = os.environ.get("ANTHROPIC_API_KEY", "").strip()
    if not api_key:
        raise ClaudeMissing(
            "The real Claude needs your API key in the environment variable ANTHROPIC_API_KEY. "
            "Without CLAUDE=real a stand-in answers, and nothing costs money."
        )
    return Claude("https://api.anthropic.com", api_key, real=True, wait_scale=1)


@contextmanager
def stand_in(log: Path, region: str = "") -> Iterator[Claude]:
    """Run the stand-in until the block is left, as Claude Platform on AWS where there is a region.
    However this process ends, it ends too.

    Raises ClaudeMissing if it does not start.
    """
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.local.night.claude", region],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,  # ends with this process, and with it the stand-in
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            process_group=0,  # Ctrl-C in the terminal is for this process alone
        )
    assert process.stdin
    assert process.stdout
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise ClaudeMissing(f"The stand-in did not start:\n{log.read_text()[-2000:]}")
        yield Claude(url, Settings().api_key, real=False, wait_scale=0.01, region=region)
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve_until_stdin_ends(region: str) -> None:
    with running(Settings(aws_region=region), Life(seconds=BATCH_SECONDS)) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve_until_stdin_ends(*sys.argv[1:])
