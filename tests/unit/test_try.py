"""`make try`: what is sent to the letter, each ticket beside its answer, and what it costs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nightshift.claude.client import Claude
from nightshift.claude.money import Usage
from nightshift.claude.prices import published
from tests.tasks import FILE, in_the_us
from tools.desk.try_task import __main__ as command
from tools.local.claude_standin import Life, running
from tools.local.claude_standin.server import StandIn

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The command's own stand-in, in this process."""
    monkeypatch.setenv("COLUMNS", "400")
    with running(life=Life(seconds=0)) as server:

        @contextmanager
        def answering(*_: object) -> Iterator[Claude]:
            yield Claude(server.url, lambda _: server.api_key)

        monkeypatch.setattr(command, "answering", answering)
        yield server


def tickets(folder: Path, *rows: dict[str, object]) -> Path:
    file = folder / "tickets.jsonl"
    both = {"subject": "", "body": ""}
    file.write_text("\n".join(json.dumps(both | row) for row in rows))
    return file


def run(file: Path, *arguments: str | Path) -> int:
    return command.main(["--tickets", str(file), "--task", str(FILE), *map(str, arguments)])


def test_it_shows_what_was_sent_to_the_letter_and_the_answer_beside_it(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"id": "T1", "subject": "Refund", "body": "x" * 700, "expected_category": "other"}

    assert run(tickets(tmp_path, row)) == 0

    said = capsys.readouterr().out
    [sent] = stand_in.control.rows(params=True)
    params = sent["params"]
    for line in [*params["system"].splitlines(), *params["messages"][0]["content"].splitlines()]:
        shown = said.replace("│", "").replace("\n", "")
        assert line[:150] in shown
    assert '"max_tokens":16' in said
    used = sent["result"]["message"]["usage"]
    assert f"{used['input_tokens']:,} tokens in, {used['output_tokens']} out" in said
    for words in ("category: billing", "the file says: other", "cut: 200 characters of body"):
        assert words in said
    assert [each["path"] for each in stand_in.control.requests()] == ["/v1/messages"]


def test_it_asks_no_more_than_it_is_told_and_reckons_for_the_whole_file(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"subject": f"Refund {n}"} for n in range(30)]

    assert run(tickets(tmp_path, *rows, {"subject": " "}), "--count", "3") == 0

    said = " ".join(capsys.readouterr().out.split())
    assert len(stand_in.control.requests("messages")) == 3
    assert "31 tickets, 30 to send" in said
    cost = float(said.partition("as the task allows, $")[2].split()[0])
    night = float(said.partition("at that average: $")[2].split(";")[0])
    assert night == pytest.approx(cost / 2 / 3 * 30, rel=0.06)


def test_it_costs_what_it_costs_where_the_task_says(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "claude-haiku-5-5"
    pinned = in_the_us(model, tmp_path)

    run(tickets(tmp_path, {"subject": "Refund"}), "--task", pinned, "--model", model)

    said = " ".join(capsys.readouterr().out.split())
    [row] = stand_in.control.rows()
    used = row["result"]["message"]["usage"]
    plain = published().of(model).request_cost(Usage(used["input_tokens"], used["output_tokens"]))
    cost = float(said.partition("as the task allows, $")[2].split()[0])
    assert cost == pytest.approx(float(plain) * 1.1, rel=0.03)


def test_an_answer_that_the_task_does_not_allow_is_shown_and_gives_another_code(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.control.add_rows({"outcome": {"type": "succeeded", "text": "I would say billing"}})

    assert run(tickets(tmp_path, {"subject": "Refund"})) == 1

    said = capsys.readouterr().out
    assert "an answer that the task does not allow" in said
    assert "I would say billing" in said


def test_what_is_redacted_is_said_and_never_sent(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('redact = ["email"]\n' + FILE.read_text())

    command.main(
        ["--tickets", str(tickets(tmp_path, {"body": "I am a@b.example"})), "--task", str(own)]
    )

    said = capsys.readouterr().out
    assert "redacted: 1 e-mail address" in said
    assert "I am [email]" in said
    assert all("a@b.example" not in str(row) for row in stand_in.control.rows(params=True))


def test_a_ticket_without_text_is_not_sent_and_a_failure_is_not_asked_again(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.control.add_faults({"on": "messages", "do": {"answer": {"status": 529}}})

    assert run(tickets(tmp_path, {"subject": ""}, {"subject": "Refund"})) == 1

    said = capsys.readouterr().out
    assert "never sent" in said
    assert "Claude answered 529" in said
    assert len(stand_in.control.requests("messages")) == 1


def test_text_cannot_move_the_cursor(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tickets(tmp_path, {"id": "\x1b[2J", "subject": "Re\u202efund"}))
    said = capsys.readouterr().out
    assert "\x1b[2J" not in said
    assert "\u202e" not in said


def test_a_refused_key_and_a_wrong_file_end_with_code_2(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.api_key = "sk-ant-wrong"
    assert run(tickets(tmp_path, {"subject": "Refund"})) == 2
    assert run(tmp_path / "none.csv") == 2
    other = tmp_path / "other.csv"
    other.write_text("question,text\nRefund?,please\n")
    assert run(other) == 2
    assert "body=text" in capsys.readouterr().out


def test_lines_that_are_left_out_are_named_and_give_another_code(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.csv"
    file.write_text("subject,body\nRefund,please\na,b,c\n")
    assert run(file) == 1
    assert "Left out: line 3: 3 values for 2 columns" in capsys.readouterr().out
