"""`make run KEEP=1` in a clone of its own, and every command that it prints, pasted into a shell.

Each runs as a person's shell would run it, with an environment that leads to an account of theirs.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.stack import wait_until
from tools.local.cloud.cloud import REPOSITORY, LocalCloud
from tools.local.cloud.stack import build
from tools.local.night.kept import lines

# What a clone has, and what was built of it. The environment of packages is this clone's own.
COPIED = ("Makefile", "pyproject.toml", "requirements*.txt", ".python-version", "template.yaml",
          "workflow.asl.yaml", "functions", "layers", "tools", "events", ".aws-sam")  # fmt: skip
TICKETS = "ticket_id,subject,body\n1,Charged twice,My invoice\n2,Login,My password\n3,,\n"
THEIRS = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIATHEIRS",
    "AWS_SECRET_ACCESS_KEY": "theirs",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
    "AWS_REGION": "eu-west-3",
}
SAYS = {
    "make night-report STACK=local": "file://",
    "make tickets-failed STACK=local": "1 failed in local",
    "make tickets-retry STACK=local YES=1": "has no text",
    "make review STACK=local": "No ticket of local waits for a person.",
    "make quality STACK=local": "0 of 2 tickets were corrected.",
    "make corrections STACK=local": "No correction in local can be an example yet.",
    "make tickets-again STACK=local LIMIT=10 YES=1": "again: the next night takes them",
    "make tickets-export STACK=local OUT=.build/tickets.csv": "3 tickets of local in",
    "make tickets-load STACK=local TICKETS=.build/tickets.csv": "3  unchanged",
    """make start STACK=local INPUT='{"dry_run": true}'""": "dry_run: run ",
    """make start STACK=local INPUT='{"limit": 100}'""": "complete: run ",
    "make start STACK=local": "nothing_to_do: run ",
}
"""What each of the printed commands says after a night with the tickets above."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("clone")
    # Built once for all tests; building asks no cloud.
    build(LocalCloud("http://127.0.0.1:9", tmp_path_factory.mktemp("build")))
    for pattern in COPIED:
        for source in REPOSITORY.glob(pattern):
            if source.is_dir():
                shutil.copytree(source, directory / source.name, symlinks=True)
            else:
                shutil.copy2(source, directory)
    (directory / ".venv").symlink_to(Path(sys.prefix))
    (directory / "tickets.csv").write_text(TICKETS)
    return directory


def environment() -> dict[str, str]:
    ours = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return ours | THEIRS


def paste(clone: Path, line: str) -> tuple[int, str]:
    """A line in a shell: its exit code, and what it said."""
    ended = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=clone,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def night(clone: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A night whose cloud stays up, and what it printed."""
    said = clone / "said.txt"
    command = [sys.executable, "-m", "tools.local.night", "--keep", "--tickets", "tickets.csv"]
    with said.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=clone, env=environment(), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: "Ctrl-C ends it" in said.read_text() or process.poll() is not None, 600)
        yield process, said
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_every_command_for_a_stack_is_printed_and_works_when_pasted(
    clone: Path, night: tuple[subprocess.Popen[bytes], Path]
) -> None:
    printed = re.findall(r"^   (make .*?) +# ", night[1].read_text(), re.MULTILINE)

    assert printed == [command for _, command in lines()] == list(SAYS), night[1].read_text()
    for line in printed:
        code, said = paste(clone, line)
        assert (code, SAYS[line] in said) == (0, True), (line, said)
    assert (clone / ".build" / "local-cloud.json").exists()


def test_every_command_of_the_makefile_that_takes_a_stack_is_among_them() -> None:
    recipes = re.split(r"^(?=[a-z-]+:)", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
    taking = {recipe.partition(":")[0] for recipe in recipes if '"$(STACK)"' in recipe}

    assert taking == {command.split()[1] for _, command in lines()}


@pytest.mark.parametrize("target", ["run", "cost"])
def test_a_command_that_takes_a_file_takes_a_persons(target: str, clone: Path) -> None:
    """`make run` with one ran above; while its cloud is up, a second one is refused."""
    code, said = paste(clone, f"make {target} TICKETS=tickets.csv")

    expected = (2, "Another `make run`") if target == "run" else (0, "claude-haiku-4-5")
    assert (code, expected[1] in said) == (expected[0], True), said


def test_ctrl_c_ends_the_cloud_with_the_code_of_the_night_and_then_nothing_is_found(
    clone: Path, night: tuple[subprocess.Popen[bytes], Path]
) -> None:
    process, said = night
    process.send_signal(signal.SIGINT)

    assert process.wait(30) == 0
    assert "The local cloud has ended." in said.read_text()
    code, refused = paste(clone, "make start STACK=local")
    assert (code, "No local cloud runs: make run KEEP=1" in refused) == (2, True)
