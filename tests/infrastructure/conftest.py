"""The template and the workflow as documents."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def template() -> Any:
    """template.yaml, with CloudFormation's short forms spelled out: `!Ref A` is {"Ref": "A"}."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@pytest.fixture(scope="session")
def resources(template: Any) -> Any:
    return template["Resources"]


@pytest.fixture(scope="session")
def workflow() -> Any:
    return yaml.safe_load((ROOT / "workflow.asl.yaml").read_text())
