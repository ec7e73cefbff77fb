"""The local cloud that `make run KEEP=1` keeps up, and how a command in another process finds it.

A file under `.build/` names it, locked for as long as the cloud is up. A file that nobody locks is
left over from a process that was killed. No variable of the environment can lead elsewhere.
"""

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tools.local.cloud.cloud import REPOSITORY, LocalCloud

LOCAL = "local"
"""What a person calls the stack in this cloud: `STACK=local`."""
FILE = REPOSITORY / ".build" / "local-cloud.json"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d{1,5}")


class NotKept(Exception):
    """No local cloud is kept up; the message says what to do."""


@contextmanager
def kept_up(cloud: LocalCloud, stack: str) -> Iterator[None]:
    """Let other processes find this cloud, and the stack in it, until the block is left."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.touch(mode=0o600)
    with FILE.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back with the file, however the process ends
        file.truncate()
        json.dump(
            {"endpoint": cloud.endpoint, "directory": str(cloud.directory), "stack": stack}, file
        )
        file.flush()
        try:
            yield
        finally:
            FILE.unlink(missing_ok=True)


def kept() -> tuple[LocalCloud, str]:
    """The cloud that is kept up, and the name under which its stack was deployed.

    Raises NotKept if there is none.
    """
    nobody = NotKept("No local cloud runs: make run KEEP=1")
    try:
        with FILE.open() as file:
            if not _is_locked(file):
                raise nobody
            said = json.load(file)
            if not _ADDRESS.fullmatch(said["endpoint"]):
                raise NotKept(f"{FILE} names an address that is not of this machine: remove it.")
            return LocalCloud(said["endpoint"], Path(said["directory"])), str(said["stack"])
    except (OSError, ValueError, KeyError, TypeError):
        raise nobody from None


def _is_locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
