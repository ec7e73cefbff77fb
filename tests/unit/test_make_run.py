"""What `make run` takes, and what it refuses before anything is started."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from nightshift.task.task import DEFAULT
from tests.tasks import FILE, task
from tools.local.night import __main__ as command
from tools.local.night.night import Asked
from tools.local.sample import shipped

ROOT = Path(__file__).parents[2]
OTHER_MODEL = "claude-haiku-5-5"


@pytest.fixture(autouse=True)
def nights(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """The nights that were asked for; none is started."""
    asked: list[Asked] = []
    monkeypatch.setattr(command, "run", lambda night, *_: asked.append(night) or True)
    monkeypatch.setattr(command, "_alone", nullcontext)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    return asked


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["make run", *arguments])
    return command.main()


def test_the_model_of_the_template_is_taken_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch, nights: list[Asked]
) -> None:
    assert called(monkeypatch) == command.GOOD
    assert called(monkeypatch, "--model", OTHER_MODEL) == command.GOOD

    assert [night.model for night in nights] == [None, OTHER_MODEL]
    assert {night.task.name for night in nights} == {DEFAULT}


def test_a_model_without_a_price_is_refused_with_those_that_have_one(
    monkeypatch: pytest.MonkeyPatch,
    nights: list[Asked],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert called(monkeypatch, "--model", "claude-nobody") == command.UNUSABLE

    said = capsys.readouterr().out
    assert "claude-nobody" in said
    assert all(model in " ".join(said.split()) for model in task().price_table.rows)
    assert nights == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--task", "no-such-task"), "There is no task 'no-such-task'."),
        (("--task", "no-such-file.toml"), "There is no task 'no-such-file.toml'."),
        (("--model", "claude-opus-5-5"), "max_tokens: 16 leaves claude-opus-5-5 no room"),
    ],
)
def test_a_task_that_cannot_be_done_is_refused_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch,
    nights: list[Asked],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    assert called(monkeypatch, *arguments) == command.UNUSABLE

    assert says in " ".join(capsys.readouterr().out.split())
    assert nights == []


def test_a_cloud_is_kept_up_only_if_asked(
    monkeypatch: pytest.MonkeyPatch, nights: list[Asked]
) -> None:
    called(monkeypatch)
    called(monkeypatch, "--keep")

    assert [night.keep for night in nights] == [False, True]


def test_no_cloud_is_kept_up_for_the_real_claude(
    monkeypatch: pytest.MonkeyPatch, nights: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-theirs")

    assert called(monkeypatch, "--keep", "--claude", "real") == command.UNUSABLE

    assert "KEEP=1 is for the stand-in" in capsys.readouterr().out
    assert nights == []


def test_a_task_may_be_a_file_anywhere(
    monkeypatch: pytest.MonkeyPatch, nights: list[Asked]
) -> None:
    assert called(monkeypatch, "--task", str(FILE)) == command.GOOD
    assert called(monkeypatch, "--task", DEFAULT) == command.GOOD

    assert [(night.task.name, night.task_file) for night in nights] == [
        (FILE.stem, FILE),
        (DEFAULT, None),
    ]


@pytest.mark.parametrize("name", ["My Reviews", "reviews_2", "-x", "é"])
def test_a_task_file_whose_name_no_stack_takes_is_to_be_renamed(
    monkeypatch: pytest.MonkeyPatch,
    nights: list[Asked],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
) -> None:
    file = tmp_path / f"{name}.toml"
    file.write_bytes(FILE.read_bytes())

    assert called(monkeypatch, f"--task={file}") == command.UNUSABLE

    assert "names of lowercase letters, digits and -. Rename" in " ".join(
        capsys.readouterr().out.split()
    )
    assert nights == []


def test_a_name_that_is_taken_is_one_that_the_template_takes() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")

    assert f"AllowedPattern: ^{command.NAME.pattern}$" in template


def test_a_shipped_task_is_played_with_its_own_sample_unless_a_file_is_named(
    monkeypatch: pytest.MonkeyPatch, nights: list[Asked], tmp_path: Path
) -> None:
    assert called(monkeypatch, "--task", "call-summaries") == command.GOOD
    mine = str(tmp_path / "mine.csv")
    assert called(monkeypatch, "--task", "call-summaries", "--tickets", mine) == command.GOOD
    assert called(monkeypatch) == command.GOOD

    assert [night.tickets.path for night in nights] == [
        shipped.FOLDER / "call-summaries.jsonl",
        tmp_path / "mine.csv",
        None,
    ]
