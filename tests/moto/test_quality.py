"""`make quality` and `make corrections`, on a table of moto's."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from nightshift.task.task import Task, load
from tests.doubts import TABLE, put, sitting, sorting
from tests.moto.scene import client
from tests.tasks import FILE, changed, reviewed, reviews
from tools.operate.corrections import __main__ as corrections
from tools.operate.quality import __main__ as quality
from tools.operate.quality import reading
from tools.operate.stack import Stack

OUTPUTS = {"TicketTableName": TABLE, "RunTableName": "RunTable", "WorkflowArn": "arn:night"}
ANSWERED = {"classification_status": None, "classified_from": "AAAAAAAA"}


@pytest.fixture
def task() -> Task:
    return sorting()


@pytest.fixture(autouse=True)
def stack(account: None, monkeypatch: pytest.MonkeyPatch, task: Task) -> Stack:
    """A stack named helpdesk, which the commands find."""
    made = Stack("helpdesk", OUTPUTS, {"Task": "sorting"}, client("dynamodb"), None)
    for command in (quality, corrections):
        monkeypatch.setattr(command, "find", lambda name: made)
    monkeypatch.setattr(reading, "load", lambda name: task)
    return made


def answer(*ids: str, was: str = "billing", now: str | None = None, **other: Any) -> None:
    """Tickets that Nightshift has answered; `now` stands there instead."""
    put(*ids, classified_as=was, category=now or was, **(ANSWERED | other))


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert quality.main(["--stack", "helpdesk", *arguments]) == code
    return " ".join(capsys.readouterr().out.split())


def test_a_correction_by_hand_and_a_decision_on_the_page_both_show(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(*(f"K-{n}" for n in range(18)))
    answer("C-1", "C-2", now="account")
    put("D-1", "D-2", "W-1")
    ours = sitting()
    for word in ("other", "billing"):
        doubt = ours.current()
        assert doubt is not None
        ours.choose(doubt.seen, "category", word)

    text = said(capsys)

    assert "2 of 20 tickets were corrected. That is 10.0 % (95 % interval 2.8 % to 30.1 %)." in text
    assert "billing 20 2 10.0 % 2.8 % to 30.1 %" in text
    assert "billing account 2 C-2, C-1" in text
    assert "category: 2 decisions by people: other 1, billing 1." in text
    assert "1 ticket to decide. make review STACK=helpdesk" in text


def test_it_says_what_reading_costs(capsys: pytest.CaptureFixture[str]) -> None:
    answer("T-1", "T-2")

    text = said(capsys)

    assert "Reads the whole table: about 2 tickets," in text
    assert "Read 2 tickets: " in text
    assert text.count("read units") == 2


def test_a_table_of_many_pages_is_read_to_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(*(f"T-{n}" for n in range(8)), body="x" * 300_000)  # a page is 1 MB

    assert "0 of 8 tickets were corrected" in said(capsys)


def test_without_answers_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    put("T-1", classified_with=None)

    assert "No answer of this task was found in 1 ticket." in said(capsys)


def test_ids_and_words_of_strangers_move_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    answer("T\x1b[2J[bold]", now="\x1b[31mred[/]")

    assert quality.main(["--stack", "helpdesk"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[bold]" in out


@pytest.mark.parametrize("task", [reviews()], ids=["reviews"])
def test_of_texts_it_only_says_that_they_were_changed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    now = reviewed(summary="HIDDEN", points=["HIDDEN"], spam=True)
    put("R-1", classified_as=reviewed(summary="SECRET"), **now, **ANSWERED)
    out = tmp_path / "new" / "page.html"

    text = said(capsys, "--out", str(out)) + out.read_text()

    assert "summary: text another text" in text
    assert "spam: no yes" in text
    assert "HIDDEN" not in text
    assert "SECRET" not in text


def test_the_page_holds_what_the_terminal_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answer(*(f"K-{n}" for n in range(40)))
    answer(*(f"C-{n:02}" for n in range(30)), now="<b>account</b>")
    put("W-1")
    out = tmp_path / "page.html"

    text = said(capsys, "--out", str(out))
    page = out.read_text()

    assert out.as_uri() in "".join(text.split())
    assert "30 of 70 tickets were corrected." in page
    assert "That is 42.9 % (95 % interval 31.9 % to 54.5 %)." in page
    assert "&lt;b&gt;account&lt;/b&gt;" in page
    assert page.count("<li>C-") == 24
    assert "and 6 more" in page
    assert "make review STACK=helpdesk" in page
    assert "<script" not in page


# Corrections as examples.


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert corrections.main(["--stack", "helpdesk", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out, " ".join(captured.err.split())


def with_examples(toml: str, path: Path) -> Task:
    """The task of the tests with these lines at its end."""
    file = path / "sorting.toml"
    file.write_text(FILE.read_text() + "\n" + toml)
    return load(str(file))


@pytest.mark.parametrize("task", [changed()], ids=["sorting"])
def test_corrections_load_as_examples_of_the_task(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answer("T-1", now="account", subject="A <b>login</b> &amp; more", body="<p>My\npassword</p>")
    answer("T-2", now="other", subject='"""', body="Back\\slash and 'quotes' \u2028 \U0001f600")
    answer("T-3")

    toml, _ = printed(capsys)
    found = with_examples(toml, tmp_path)

    assert {each["category"] for each in found.examples} == {"account", "other"}
    assert "A login & more" in found.system_prompt
    assert "My password" in found.system_prompt


def test_it_says_what_such_text_is_and_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    answer("T-1", now="account", body="word " * 400)

    toml, _ = printed(capsys)

    head = toml.partition("[[examples]]")[0]
    assert all(line.startswith("#") for line in head.strip().splitlines())
    assert "your customers' text" in head
    tokens = int(head.partition("About ")[2].split()[0].replace(",", ""))
    assert 125 < tokens < 175  # of 500 characters, four to a token, and a frame


def test_the_most_frequent_change_comes_first_and_n_ends_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer("A-1", was="other", now="account")
    answer("B-1", now="account", classified_at="2026-11-20")
    answer("B-2", now="account", classified_at="2026-11-21")

    examples = tomllib.loads(printed(capsys, "-n", "2")[0])["examples"]

    assert [each["body"] for each in examples] == ["Body of B-2.", "Body of A-1."]


def test_what_cannot_be_an_example_is_left_out_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer("T-1", now="not a category")
    answer("T-2", now="account", classification_status="pending")
    answer("T-3", now="account")

    toml, errors = printed(capsys, code=1)

    assert [each["body"] for each in tomllib.loads(toml)["examples"]] == ["Body of T-3."]
    assert "2 corrected tickets left out" in errors


def test_without_corrections_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    answer("T-1")

    toml, errors = printed(capsys)

    assert toml == ""
    assert "No correction in helpdesk can be an example yet." in errors


@pytest.mark.parametrize("task", [reviews()], ids=["reviews"])
def test_every_type_of_output_is_in_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    now = reviewed(topics={"look"}, spam=True, size=5)
    put("R-1", classified_as=reviewed(), **now, **ANSWERED)

    [found] = tomllib.loads(printed(capsys)[0])["examples"]

    wanted = {**now, "topics": ["look"], "subject": "Subject of R-1", "body": "Body of R-1."}
    assert found == wanted
    assert list(found) == [*reviews().input, *reviews().output]
