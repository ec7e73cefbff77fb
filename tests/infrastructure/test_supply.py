"""What runs elsewhere is pinned to what was looked at, and what a linter overlooks has a reason."""

import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_imports import imported_by

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
REQUIREMENTS = sorted([*ROOT.glob("requirements*.txt"), *ROOT.glob("layers/*/requirements.txt")])


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request: pytest.FixtureRequest) -> Any:
    return yaml.safe_load(request.param.read_text())


def test_there_is_a_workflow() -> None:
    assert [path.name for path in WORKFLOWS] == ["evaluate.yml", "test.yml"]


def test_every_action_is_pinned_by_its_commit(workflow: Any) -> None:
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]

    assert used
    assert [each for each in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", each)] == []


def test_the_workflow_may_read_and_knows_no_secret_unless_switched_on(workflow: Any) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        switched_on = job.get("if", "").startswith("vars.EVALUATE == 'on' && (")
        assert switched_on or "secrets." not in str(job)
    assert all(job["timeout-minutes"] for job in workflow["jobs"].values())
    assert not any("permissions" in job for job in workflow["jobs"].values())


def test_they_run_the_very_commands_of_the_pages() -> None:
    for name, job, page in (
        ("test", "test", "README.md"),
        ("evaluate", "evaluate", "docs/quality.md"),
    ):
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
        runs = [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]
        assert any(f"make {name}" in run for run in runs)
        assert re.search(rf"^make {name}\b", (ROOT / page).read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_package_is_pinned_by_version_and_hash(path: Path) -> None:
    packages = re.split(r"\n(?=\S)", path.read_text().strip())

    assert packages
    assert [each for each in packages if not re.match(r"[\w.-]+(\[[\w,-]+\])?==", each)] == []
    assert [each for each in packages if "--hash=sha256:" not in each] == []


def test_the_tests_add_to_the_packages_of_the_tools() -> None:
    tools = pinned("requirements-tools.txt")

    assert pinned("layers/dependencies/requirements.txt") <= tools
    assert not names(pinned("requirements-dev.txt")) & names(tools)


def test_the_tools_import_only_what_their_requirements_install() -> None:
    installed = names(pinned("requirements-tools.txt"))
    modules = {name for path in (ROOT / "tools").glob("**/*.py") for name in imported_by(path)}
    foreign = modules - sys.stdlib_module_names - {"nightshift", "tools"}
    providers = packages_distributions()

    assert foreign
    assert [m for m in foreign if not {normal(p) for p in providers[m]} & installed] == []


def pinned(path: str) -> set[str]:
    """Each package with its version, without extras."""
    lines = (ROOT / path).read_text().splitlines()
    found = (re.match(r"([\w.-]+)(?:\[.*?\])?(==[^ ;]+)", line) for line in lines)
    return {normal(each[1]) + each[2] for each in found if each}


def names(packages: set[str]) -> set[str]:
    return {package.partition("==")[0] for package in packages}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_check_that_is_skipped_says_what_it_is_about() -> None:
    lines = (ROOT / "tests" / "infrastructure" / "checkov.yaml").read_text().splitlines()
    skipped = [line for line in lines if "CKV" in line]

    assert skipped
    assert [line for line in skipped if not re.search(r"CKV\w+ # \w", line)] == []
