"""A task file from anywhere joins a copy of the build; the build and the repository stay."""

from pathlib import Path

from tests.tasks import FILE
from tools.local.cloud.stack import with_tasks

LAYER = "NightshiftLayer/python/nightshift/tasks"


def test_files_join_the_copy_alone_and_an_earlier_copy_is_forgotten(tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / LAYER).mkdir(parents=True)
    (build / LAYER / "shipped.toml").write_text("")
    (build / "template.yaml").write_text("Resources: {}")
    project = tmp_path / "copy"
    with_tasks(build / "template.yaml", [tmp_path / "build" / LAYER / "shipped.toml"], project)

    template = with_tasks(build / "template.yaml", [FILE], project)

    assert template.read_text() == "Resources: {}"
    assert {each.name for each in (template.parent / LAYER).iterdir()} == {
        "shipped.toml",
        FILE.name,
    }
    # The template names the workflow by a path that leads out of the build.
    assert (template.parents[2] / "workflow.asl.yaml").exists()
    assert [each.name for each in (build / LAYER).iterdir()] == ["shipped.toml"]
