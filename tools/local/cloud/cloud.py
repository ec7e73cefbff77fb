"""A whole AWS on the loopback interface, started, found and ended by one context manager."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

REPOSITORY = Path(__file__).parents[3]
REGION = "us-east-1"
# With AUTH=true MiniStack takes exactly these for the account's root user, who may do everything.
ROOT_KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
LOOPBACK = "127.0.0.1,localhost"

# All that the local AWS sees of the developer's environment, and its functions with it.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE")
# What could lead a child process to the user's account or to their key for Claude.
WITHHELD = ("AWS_", "SAM_", "BOTO", "ANTHROPIC_")

START_SECONDS = 60
STOP_SECONDS = 10


class LocalCloudFailed(Exception):
    """The local cloud did not do what it was asked; the message ends with what it printed."""


@dataclass(frozen=True)
class LocalCloud:
    """A running local AWS: where it listens and where its files lie."""

    endpoint: str
    directory: Path

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud, whatever the environment and the AWS files say."""
        deaf = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        session: Any = boto3.Session(botocore_session=deaf)
        return session.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=ROOT_KEY["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ROOT_KEY["AWS_SECRET_ACCESS_KEY"],
            config=Config(proxies={}),
        )

    def environment(self) -> dict[str, str]:
        """The environment for `sam` and `aws`: they find this cloud and no other account."""
        ours = {k: v for k, v in os.environ.items() if not k.upper().startswith(WITHHELD)}
        return ours | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": LOOPBACK,
            "no_proxy": LOOPBACK,
            "SAM_CLI_POLL_DELAY": "0.1",  # seconds; nobody limits our rate
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_CHECK_VERSION": "0",
            **ROOT_KEY,
        }


@contextmanager
def local_cloud(
    directory: Path, *, wait_scale: float = 1, settings: Mapping[str, str] | None = None
) -> Iterator[LocalCloud]:
    """Run a local AWS, ready to be used, until the block is left.

    Its log and all it stores lie in `directory`, which serves one cloud at a time. A Wait state
    and a retry take `wait_scale` times their seconds. `settings` are MiniStack's own: ``AUTH=true``
    enforces IAM policies; ``PERSIST_STATE=1`` and ``S3_PERSIST=1`` have the next cloud in the same
    directory start where this one ended.
    However this process ends, the cloud and the processes running its functions end with it.

    Raises LocalCloudFailed if it does not come up.
    """
    directory = directory.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = _free_port()
    cloud = LocalCloud(f"http://127.0.0.1:{port}", directory)
    scratch = directory / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)  # of a cloud whose owner was killed
    scratch.mkdir()
    environment = _settings(cloud, port, scratch) | {"SFN_WAIT_SCALE": str(wait_scale)}
    with (directory / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.local.cloud.ministack"],
            cwd=REPOSITORY,
            env=environment | dict(settings or {}),
            stdin=subprocess.PIPE,  # ends with this process, and with it the cloud
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        _wait_until_ready(process, cloud)
        yield cloud
    finally:
        _stop(process)
        shutil.rmtree(scratch, ignore_errors=True)


def _settings(cloud: LocalCloud, port: int, scratch: Path) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "STATE_DIR": str(cloud.directory / "state"),
        "S3_DATA_DIR": str(cloud.directory / "s3"),
        "TMPDIR": str(scratch),
        "HOME": str(scratch),
        "NO_PROXY": LOOPBACK,
        "no_proxy": LOOPBACK,
        "PYTHONNOUSERSITE": "1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Nothing that listens elsewhere, and no look at the containers of this machine.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{scratch}/no-docker",
        **ROOT_KEY,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], cloud: LocalCloud) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            direct.open(f"{cloud.endpoint}/_ministack/ready", timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    output = (cloud.directory / "ministack.log").read_text(errors="replace")
    raise LocalCloudFailed(f"the local AWS did not start:\n{output[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    # Until it is waited for, the process holds its group's number: no stranger can be hit.
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
