"""What a function finds on AWS: its built layers and the AWS SDK, nothing of this environment.

The development environment holds packages that the AWS SDK would load too (awscrt, pyOpenSSL) and
that no Lambda has: they would count in every size and time.
"""

import shutil
from functools import cache
from pathlib import Path

from tests.bench import OUTPUT
from tools.local.cloud.cloud import LocalCloud
from tools.local.cloud.ministack import link_aws_sdk
from tools.local.cloud.stack import build

LAYERS = ("DependenciesLayer", "NightshiftLayer")
FUNCTIONS = {"submit": "SubmitFunction", "status": "StatusFunction", "collect": "CollectFunction"}


@cache
def built() -> Path:
    """The folder of what `sam build` made; it builds only where the sources have changed."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    return build(LocalCloud("http://127.0.0.1:9", OUTPUT)).parent


@cache
def aws_sdk() -> Path:
    """A folder with the AWS SDK alone."""
    directory = OUTPUT / "aws-sdk"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    link_aws_sdk(directory)
    return directory


def paths() -> list[Path]:
    """Where a function's modules come from, beside its own folder and the standard library."""
    return [*(built() / layer / "python" for layer in LAYERS), aws_sdk()]
