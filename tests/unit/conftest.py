"""Unit tests reach no network; those of the stand-in for Claude reach this machine alone."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
OVER_LOOPBACK = {"test_claude_standin.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE not in item.path.parents:
            continue
        if item.path.name in OVER_LOOPBACK:
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))
        else:
            item.add_marker(pytest.mark.disable_socket)
