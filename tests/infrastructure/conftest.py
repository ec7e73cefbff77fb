"""The template and the workflow as documents."""

from typing import Any

import pytest

from tests.definitions import TEMPLATE, WORKFLOW


@pytest.fixture(scope="session")
def template() -> Any:
    return TEMPLATE


@pytest.fixture(scope="session")
def resources(template: Any) -> Any:
    return template["Resources"]


@pytest.fixture(scope="session")
def workflow() -> Any:
    return WORKFLOW
