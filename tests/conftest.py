"""What all tests share: examples that are the same in every run, and which may reach a network."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
WITHOUT_NETWORK = {HERE / "unit", HERE / "crash"}
OVER_LOOPBACK = {"test_claude_standin.py"}

# Derandomized: a red build stays red until someone mends it. Neither a deadline nor a complaint
# about slow examples: machines differ.
settings.register_profile(
    "nightshift",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("nightshift")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name in OVER_LOOPBACK:
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))
        elif item.path.parent in WITHOUT_NETWORK:
            item.add_marker(pytest.mark.disable_socket)
