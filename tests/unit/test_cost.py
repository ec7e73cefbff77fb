"""`make cost`: every model side by side, for a file of tickets, without starting anything."""

import json
import re
import sys
from pathlib import Path

import pytest

from nightshift.claude.prices import published
from tests.definitions import TEMPLATE
from tests.tasks import task
from tools.desk import DEFAULT_MODEL
from tools.desk.cost.__main__ import main
from tools.desk.cost.compare import Tickets, load, offers
from tools.desk.files.tickets import Source

NIGHT = Tickets("a file", count=1_000, empty=0, left_out=0, tokens=100_000)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["cost", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "80")
    return main()


def test_the_default_model_is_that_of_a_stack() -> None:
    assert TEMPLATE["Parameters"]["Model"]["Default"] == DEFAULT_MODEL


def test_every_model_is_there_the_one_asked_for_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = [json.dumps({"id": n, "subject": "Refund", "body": "x" * 300}) for n in range(1_000)]
    file = tmp_path / "night.jsonl"
    file.write_text("\n".join([*lines, '{"id": "empty"}', "not JSON"]))

    assert run(monkeypatch, "--tickets", file, "--model", "claude-opus-5") == 1

    said = capsys.readouterr().out
    shown = [
        line.split()[0].rstrip("*+") for line in said.splitlines() if re.match(" +claude-", line)
    ]
    assert (shown[0], set(shown)) == ("claude-opus-5", set(published().rows))
    assert len(shown) == len(published().rows)
    for words in ("1,001 tickets", "1 of them without any text", "lines left out: 1", "30 % more"):
        assert words in " ".join(said.split())
    assert "…" not in said


def test_a_file_is_said_to_be_taken_as_a_night_and_few_tokens_are_not_rounded_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text('{"id": 1, "subject": "Refund", "body": "please"}')

    assert run(monkeypatch, "--tickets", file) == 0

    said = " ".join(capsys.readouterr().out.split())
    assert "1 ticket in one.jsonl, 0 of them without any text. Taken as what comes in for" in said
    assert "A year is 365 nights like this one." in said
    assert " 0 k" not in said
    assert " 1 k" not in said
    assert "$0.0000" not in said


def test_a_shipped_task_is_priced_with_its_own_sample_and_by_the_thousand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--task", "call-summaries") == 0

    said = " ".join(capsys.readouterr().out.split())
    [(many, empty)] = re.findall(r"(\d+) calls in the built-in sample, (\d+) of them", said)
    [night] = re.findall(r" claude-haiku-4-5 .*? \$\S+ \$(\S+) ", said)
    [thousand] = re.findall(
        r"A thousand such calls in batches of claude-haiku-4-5: \$(\S+)\.", said
    )
    assert float(thousand) == pytest.approx(
        1_000 * float(night) / (int(many) - int(empty)), rel=0.01
    )
    assert "What Claude adds to the prompt for an answer in JSON is not." in said


def test_a_file_without_any_request_has_no_price_by_the_thousand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text('{"id": 1, "subject": "", "body": " "}')

    assert run(monkeypatch, "--tickets", file) == 0

    assert "A thousand" not in capsys.readouterr().out


def test_the_price_of_a_night_is_the_table_times_its_tokens() -> None:
    first, second, *_ = offers(NIGHT, task(), "claude-haiku-4-5-20251001")

    assert (first.model, first.asked, second.model) == (
        "claude-haiku-4-5",
        True,
        "claude-haiku-5-5",
    )
    assert first.realtime == 2 * first.batch
    usage = first.usage
    assert first.batch * 2_000_000 == usage.input_tokens + 5 * usage.output_tokens
    assert second.usage.input_tokens == pytest.approx(1.3 * usage.input_tokens, rel=0.02)


def test_a_long_task_is_cached_where_the_model_takes_it() -> None:
    taxonomy = task().model_copy(update={"system": "a category and what it means " * 300})

    cached = {offer.model for offer in offers(NIGHT, taxonomy, "claude-haiku-4-5") if offer.caches}

    assert "claude-haiku-5-5" in cached
    assert "claude-haiku-4-5" not in cached
    assert not any(offer.caches for offer in offers(NIGHT, task(), "claude-haiku-4-5"))


def test_the_sample_is_counted_where_no_file_is_given() -> None:
    sample = load(Source(None, task()))

    assert (sample.count, sample.name) == (3_000, "the built-in sample")
    assert 0 < sample.empty < 20


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model", "gpt-5"), "No price is known for model 'gpt-5'"),
        (("--tickets", "nowhere.jsonl"), "nowhere.jsonl cannot be read"),
        (("--tickets", "tickets.xlsx"), "its name says what it is"),
        (("--tickets", "bad.jsonl"), "bad.jsonl holds no ticket that can be counted. Line 1:"),
        (("--tickets", "empty.jsonl"), "empty.jsonl holds no ticket"),
    ],
)
def test_what_cannot_be_counted_is_named(
    arguments: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "bad.jsonl").write_text('{"subject": "no id"}')
    (tmp_path / "empty.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)

    assert run(monkeypatch, *arguments) == 2

    assert says in " ".join(capsys.readouterr().out.split())
