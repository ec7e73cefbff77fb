"""`make evaluate` from the file to the page, with a stand-in: figures, exit codes, bad input."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from nightshift.claude.client import Claude
from nightshift.claude.prices import published
from tests.tasks import FILE
from tools.desk.evaluate import __main__ as command
from tools.desk.evaluate.judging import Card, Judged
from tools.desk.evaluate.page import page
from tools.local.claude_standin import Life, running
from tools.local.claude_standin.server import StandIn

pytestmark = pytest.mark.enable_socket
CLASSES = [f"intent_number_{n:02}_of_the_bank" for n in range(77)]
TASK = """
system = "Sort.{more} {{answer}}"
message = "{{text}}"
max_tokens = 64
input = {{ text = 500 }}
[output.category]
type = "label"
values = {values}
"""


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The command's own stand-in, in this process."""
    with running(life=Life(seconds=0)) as server:

        @contextmanager
        def answering(*_: object) -> Iterator[Claude]:
            yield Claude(server.url, lambda _: server.api_key)

        monkeypatch.setattr(command, "answering", answering)
        monkeypatch.setattr(command, "sleep", lambda _: None)
        yield server


def evaluate(out: Path, *arguments: str | Path) -> int:
    return command.main([*map(str, arguments), "--out", str(out)])


def tasks(folder: Path) -> Sequence[Path]:
    """Two tasks with the same 77 classes, in another order, so that the stand-in's hash of a
    message means another class."""
    paths = []
    for name, values in (("one", CLASSES), ("two", CLASSES[:40] + CLASSES[:39:-1])):
        paths.append(folder / f"{name}.toml")
        paths[-1].write_text(TASK.format(more=f" {name}", values=json.dumps(values)))
    return paths


def labelled(file: Path, rows: int = 240) -> Path:
    """Questions, each with one of the 77 classes."""
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["text", "category"])
        for n in range(rows):
            writer.writerow([f"question {n:04}, please", CLASSES[n * 7 % 77]])
    return file


def test_the_figures_equal_a_computation_from_the_stand_ins_own_journal(
    stand_in: StandIn, tmp_path: Path
) -> None:
    file = labelled(tmp_path / "bank.csv")
    for n in range(0, 240, 3):
        outcome = {"type": "succeeded", "text": CLASSES[n * 7 % 77]}
        rule = {"contains": f"question {n:04}", "outcome": outcome, "times": 1 + n % 4}
        stand_in.control.add_rows(rule)
    one, two = tasks(tmp_path)
    models = ("claude-haiku-4-5", "claude-opus-4-6")
    stand_in.batches.default_geo = "us"  # where the second one costs a tenth more

    code = evaluate(
        tmp_path / "page.html",
        "--tickets", file, "--tasks", f"{one},{two}", "--models", ",".join(models),
    )  # fmt: skip

    assert code == 0
    saved = json.loads((tmp_path / "page.json").read_text())
    expected = {row["text"]: row["category"] for row in csv.DictReader(file.open(encoding="utf-8"))}
    answers: dict[tuple[str, str], dict[str, str]] = {}
    spent: dict[tuple[str, str], Fraction] = {}
    for row in stand_in.control.rows(params=True):
        message = row["result"]["message"]
        key = (str(row["params"]["system"]).split()[1], row["params"]["model"])
        answers.setdefault(key, {})[row["text"]] = message["content"][0]["text"]
        price, used = published().of(key[1]), message["usage"]
        usd = used["input_tokens"] * Fraction(price.input)
        usd += used["output_tokens"] * Fraction(price.output)
        usd *= Fraction(11, 10) if used["inference_geo"] == "us" else 1
        spent[key] = spent.get(key, Fraction(0)) + usd / 2_000_000

    assert len(saved["series"]) == 4
    for series in saved["series"]:
        key = (series["task"], series["model"])
        said = answers[key]
        right = {text for text in expected if said[text] == expected[text]}
        assert series["correct"] == len(right)
        assert series["accuracy"] == len(right) / 240
        assert series["cost_usd"] == pytest.approx(float(spent[key]), rel=1e-12)
        assert series["cost_usd_a_thousand"] == pytest.approx(float(spent[key] / 240 * 1000))
        wrong = Counter((expected[t], said[t]) for t in expected if t not in right)
        assert {
            (each["expected"][0], each["answered"][0]): each["count"]
            for each in series["outputs"]["category"]["confusions"]
        } == wrong
        for each in series["outputs"]["category"]["classes"]:
            hits = sum(expected[text] == each["name"] for text in right)
            asked = list(expected.values()).count(each["name"])
            given = list(said.values()).count(each["name"])
            assert each["recall"] == (hits / asked if asked else None)
            assert each["precision"] == (hits / given if given else None)
    first = answers[("one", "claude-haiku-4-5")]
    for change, key in zip(saved["flips"], list(answers)[1:], strict=True):
        names = {text: f"{n}" for n, text in enumerate(expected, start=2)}
        other = answers[key]
        worse = [t for t in expected if first[t] == expected[t] != other[t]]
        better = [t for t in expected if other[t] == expected[t] != first[t]]
        assert change["worse"] == [names[text] for text in worse]
        assert change["better"] == [names[text] for text in better]
    assert any(change["worse"] for change in saved["flips"])


def test_the_shipped_sample_works_out_of_the_box(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(tmp_path / "page.html") == 0

    said = " ".join(capsys.readouterr().out.split())
    assert "The stand-in answered" in said
    assert json.loads((tmp_path / "page.json").read_text())["series"][0]["compared"] == 120
    assert stand_in.control.paid("custom_id").total() == 120


def test_under_the_least_share_the_code_says_so(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "few.jsonl"
    file.write_text('{"id": "A", "subject": "refund", "body": "", "expected_category": "billing"}')
    arguments = ("--tickets", file, "--tasks", FILE, "--min", "0.9")
    assert evaluate(tmp_path / "page.html", *arguments) == 0

    file.write_text('{"id": "A", "subject": "refund", "body": "", "expected_category": "other"}')
    assert evaluate(tmp_path / "page.html", *arguments) == 1
    assert "Under MIN=0.9" in capsys.readouterr().out


def test_an_earlier_evaluation_is_compared_with(stand_in: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    ticket = {"id": "A", "subject": "refund", "body": "", "expected_category": "billing"}
    file.write_text(json.dumps(ticket))
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    evaluate(first, "--tickets", file, "--tasks", FILE)
    stand_in.control.add_rows({"outcome": {"type": "succeeded", "text": "other"}})

    earlier = tmp_path / "first.json"
    assert evaluate(second, "--tickets", file, "--tasks", FILE, "--against", earlier) == 0

    [change] = json.loads((tmp_path / "second.json").read_text())["flips"]
    assert (change["better"], change["worse"], change["compared"]) == ([], ["A"], 1)
    assert "sorting · claude-haiku-4-5, before" in second.read_text()


def test_unusable_and_unsure_answers_are_counted_each_in_its_own_way(
    stand_in: StandIn, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        TASK.format(more="", values='["good", "bad"]').replace(
            'type = "label"', 'type = "label"\nunsure = "unsure"'
        )
    )
    file = tmp_path / "rows.csv"
    rows = ("text,category", "t1,good", "t2,good", "t3,good", "t4,nonsense", "t5,", ",good")
    file.write_text("\n".join(rows))
    for text, said in (("t1", "good"), ("t2", "rubbish"), ("t3", "unsure"), ("t4", "bad")):
        outcome = {"type": "succeeded", "text": said}
        stand_in.control.add_rows({"contains": text, "outcome": outcome})

    assert evaluate(tmp_path / "page.html", "--tickets", file, "--tasks", own) == 0

    [series] = json.loads((tmp_path / "page.json").read_text())["series"]
    assert series["compared"] == 3
    assert series["correct"] == 1
    counted = {name: series[name] for name in ("unusable", "unsure", "unlabelled", "unknown")}
    assert counted == dict.fromkeys(counted, 1)
    assert series["empty"] == 1
    assert series["requests"] == 5
    drawn = " ".join(re.sub("<[^>]*>", " ", (tmp_path / "page.html").read_text()).split())
    assert "good taken for (not allowed by the task) 1" in drawn
    assert "(not a value of the task) taken for bad 1" in drawn
    assert "good 67 % 100 % 50 % 2 1 1" in drawn
    assert ":un" not in drawn


def test_a_ticket_with_anything_left_to_a_person_is_not_compared_as_in_a_night(
    stand_in: StandIn, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    spam = '[output.spam]\ntype = "boolean"\n'
    own.write_text(
        TASK.format(more="", values='["good", "bad"]').replace(
            'type = "label"', 'type = "label"\nunsure = "unsure"'
        )
        + spam
    )
    file = tmp_path / "rows.csv"
    file.write_text("text,category,spam\nt1,Good,no\nt2,good,no\n")
    for text, said in (("t1", "good"), ("t2", "unsure")):
        answer = json.dumps({"category": said, "spam": False})
        stand_in.control.add_rows(
            {"contains": text, "outcome": {"type": "succeeded", "text": answer}}
        )

    assert evaluate(tmp_path / "page.html", "--tickets", file, "--tasks", own) == 0

    [series] = json.loads((tmp_path / "page.json").read_text())["series"]
    assert (series["compared"], series["correct"], series["unsure"]) == (1, 1, 1)
    assert series["rows"]["2"] == {"category": [["good"], ["good"]], "spam": [["no"], ["no"]]}


def test_lists_of_labels_that_are_all_empty_have_no_classes() -> None:
    card = Card("one", "one", "one@0", "claude", {"A": Judged({"topics": ((), ())})})

    assert "No class was expected or answered." in page("file.csv", [card], [])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"foo,bar\n1,2\n", "has no column subject and no column body"),
        ("t.csv", b"subject,body\na,b\n", "has no right answers"),
        ("t.csv", b"", "holds no tickets"),
        ("t.jsonl", b"not json\n[1]\n", "holds no tickets"),
        ("t.jsonl.gz", b"no gzip", "holds no tickets"),
        ("t.xlsx", b"PK", "its name says what it is"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_anything_is_asked(
    name: str,
    content: bytes | None,
    said: str,
    stand_in: StandIn,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)

    assert evaluate(tmp_path / "page.html", "--tickets", file, "--tasks", FILE) == 2

    assert said in " ".join(capsys.readouterr().out.split())
    assert stand_in.control.requests() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--models", "claude-unheard-of"),
        ("--tasks", "unheard-of"),
        ("--map", "nonsense"),
        ("--map", "body=no_such_column"),
        ("--against", "/no/such/file.json"),
        ("--against", str(FILE)),
    ],
)
def test_wrong_use_is_refused_before_anything_is_asked(
    arguments: tuple[str, str], stand_in: StandIn, tmp_path: Path
) -> None:
    assert evaluate(tmp_path / "page.html", *arguments) == 2
    assert stand_in.control.requests() == []


def test_a_refusal_of_claude_ends_the_command_in_its_words(
    stand_in: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.api_key = "sk-ant-wrong"
    assert evaluate(tmp_path / "page.html") == 2
    assert "does not accept the API key" in " ".join(capsys.readouterr().out.split())


def test_ctrl_c_ends_with_its_own_code(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "sleep", stopped)
    assert evaluate(tmp_path / "page.html") == 130


def test_what_strangers_wrote_cannot_become_part_of_the_page(
    stand_in: StandIn, tmp_path: Path
) -> None:
    file = tmp_path / "few.jsonl"
    rows = [
        {"id": f"<script>{n}</script>\u202e", "subject": "refund", "body": "", "category": label}
        for n, label in enumerate(("billing", "other"))
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    evaluate(tmp_path / "first.html", "--tickets", file, "--tasks", FILE)
    stand_in.control.add_rows({"outcome": {"type": "succeeded", "text": "other"}})
    arguments = ("--against", tmp_path / "first.json")
    evaluate(tmp_path / "page.html", "--tickets", file, "--tasks", FILE, *arguments)

    page = (tmp_path / "page.html").read_text()
    assert "&lt;script&gt;0" in page
    assert "<script" not in page
    assert "\u202e" not in page
