"""What `make` says, and what its commands hand on; nothing is installed or started."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.version import VERSION

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> str:
    """What it prints, with an environment that gives no variable of ours a value."""
    return subprocess.run(
        [str(shutil.which("make")), "--no-print-directory", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_the_help_fits_a_narrow_terminal_and_says_the_version() -> None:
    lines = make().splitlines()

    assert lines[0] == f"Nightshift {VERSION}"
    assert len(lines) > 10
    assert [line for line in lines if len(line) > 80] == []


def test_every_released_version_has_a_place_in_the_changelog() -> None:
    released = re.match(r"\d+\.\d+\.\d+$", VERSION)
    headline = f"## {VERSION} " if released else "## Unreleased"

    assert headline in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("target", ["run", "cost", "try"])
def test_a_model_a_file_and_a_task_are_handed_on(target: str) -> None:
    chosen = ("MODEL=claude-opus-5", "TICKETS=my tickets.csv", "TASK=my tasks/reviews.toml")

    would_do = make("--dry-run", target, *chosen)

    assert '--model "claude-opus-5"' in would_do
    assert '--tickets "my tickets.csv"' in would_do
    assert '--task "my tasks/reviews.toml"' in would_do


def test_a_task_and_a_model_are_handed_on_to_the_check() -> None:
    would_do = make("--dry-run", "check-task", "TASK=my tasks/reviews.toml", "MODEL=claude-opus-5")

    assert 'check_task "my tasks/reviews.toml"' in would_do
    assert '--model "claude-opus-5"' in would_do


@pytest.mark.parametrize("target", ["run", "cost", "check-task"])
def test_what_is_not_chosen_is_left_to_the_command(target: str) -> None:
    would_do = make("--dry-run", target)

    assert "--task" not in would_do
    assert "--model" not in would_do
    assert '""' not in would_do


def test_the_first_run_says_how_long_it_takes_before_it_installs_the_tools_alone() -> None:
    would_do = make("--dry-run", "--always-make", "run")

    assert would_do.index("The first time takes") < would_do.index("-m pip install")
    assert "requirements-tools.txt" in would_do
    assert "requirements-dev.txt" not in would_do
    assert "--quiet" not in would_do


def test_the_package_is_found_from_wherever_the_clone_is() -> None:
    [(relative, site_packages)] = re.findall(
        r"echo (\S+) > (\S+)/nightshift\.pth", make("--dry-run", "--always-make", "tools")
    )

    found = os.path.normpath(ROOT / site_packages / relative)
    assert found == str(ROOT / "layers" / "nightshift")
