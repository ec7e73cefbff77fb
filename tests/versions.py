"""Task versions as earlier nights have left them in the run table."""

from datetime import UTC, datetime
from typing import Any

from nightshift.task.request import version_of
from nightshift.task.task import DEFAULT, load
from tests.tasks import task

IN_THE_YEAR_2100 = 4_102_444_800


def todays(model: str) -> str:
    """The name of the version of the tests' task for a model."""
    return version_of(task(), model)


def shipped(model: str) -> str:
    """The name of the version of the shipped default task for a model."""
    return version_of(load(DEFAULT), model)


def passed(version: str, fixed_tokens: int | None = None) -> dict[str, Any]:
    """The item of a task version whose answers were usable just now."""
    item = {
        "run_id": f"task#{version}",
        "record": "version",
        "execution": "an earlier night",
        "answers": 100,
        "unusable": {},
        "failed": False,
        "last_closed": "earlier",
        "passed_at": datetime.now(UTC).isoformat(),
        "expires_at": IN_THE_YEAR_2100,
    }
    return item if fixed_tokens is None else item | {"fixed_tokens": fixed_tokens}
