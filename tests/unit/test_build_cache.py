"""A build is made again whenever it could be another one, and only then."""

import os
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from tools.local.cloud import stack
from tools.local.cloud.cloud import LocalCloud

SOURCES = (
    "template.yaml",
    "workflow.asl.yaml",
    "requirements-tools.txt",
    ".python-version",
    "functions/submit/app.py",
    "layers/dependencies/requirements.txt",
    "layers/dependencies/Makefile",
    "layers/nightshift/nightshift/tasks/own.toml",
)
TEMPLATE = (
    "Resources:\n  Layer:\n    ContentUri: DependenciesLayer\n  Ours:\n    ContentUri: Ours\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in SOURCES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as it was")
    return tmp_path


@pytest.fixture
def builds(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Every call of SAM, which leaves a layer and a template."""
    calls: list[tuple[str, ...]] = []

    def sam(cloud: LocalCloud, project: Path, *arguments: str) -> None:
        calls.append(arguments)
        layer = project / ".aws-sam/build/DependenciesLayer/python"
        layer.mkdir(parents=True, exist_ok=True)
        (layer / "module.py").write_text(f"build = {len(calls)}")
        (project / ".aws-sam/build/template.yaml").write_text(TEMPLATE)

    monkeypatch.setattr(stack, "_sam", sam)
    return calls


@pytest.fixture
def build(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    nowhere = LocalCloud("http://127.0.0.1:9", tmp_path_factory.mktemp("cloud"))
    return lambda: stack.build(nowhere, project)


def test_what_was_built_is_not_built_again(build: Callable[[], Path], builds: list[object]) -> None:
    assert build() == build()

    assert len(builds) == 1


@pytest.mark.parametrize("name", SOURCES)
def test_a_changed_source_is_built(
    name: str, project: Path, build: Callable[[], Path], builds: list[object]
) -> None:
    build()

    (project / name).write_text("changed")
    build()

    assert len(builds) == 2


@pytest.mark.parametrize("name", ["functions/submit/new.py", "layers/dependencies/new.txt"])
def test_a_new_source_and_one_that_is_gone_are_built(
    name: str, project: Path, build: Callable[[], Path], builds: list[object]
) -> None:
    build()

    (project / name).touch()
    build()
    (project / name).unlink()
    build()

    assert len(builds) == 3


def test_a_build_on_another_platform_is_built(
    build: Callable[[], Path], builds: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    build()

    monkeypatch.setattr(stack.sysconfig, "get_platform", lambda: "another")
    build()

    assert len(builds) == 2


@pytest.mark.parametrize("left", [True, False])
def test_what_sam_built_by_hand_is_not_taken_for_ours(
    left: bool, project: Path, build: Callable[[], Path], builds: list[object]
) -> None:
    build()
    template = project / ".aws-sam/build/template.yaml"
    if left:
        later = template.stat().st_mtime_ns + 10**9
        os.utime(template, ns=(later, later))
    else:
        template.unlink()

    build()

    assert len(builds) == 2


def test_the_layer_of_packages_is_an_archive_of_this_very_build(
    project: Path, build: Callable[[], Path], builds: list[object]
) -> None:
    build()
    (project / SOURCES[5]).write_text("changed")

    template = build()

    assert template.read_text() == TEMPLATE.replace("DependenciesLayer", "DependenciesLayer.zip")
    with ZipFile(template.parent / "DependenciesLayer.zip") as archive:
        assert archive.read("python/module.py") == b"build = 2"
    assert (template.parent / "template.yaml").read_text() == TEMPLATE
