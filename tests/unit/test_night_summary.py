"""The summary of a night: it tells the truth, and fits on narrow screens."""

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.tasks import changed, task
from tools.desk.files.tickets import Findings
from tools.local.night.keep import FILES, Tickets
from tools.local.night.summary import Night, summary

OUTPUT: dict[str, Any] = {
    "run_id": "2026-11-22",
    "status": "complete",
    "batches": 5,
    "submitted": 48_001,
    "classified": 47_950,
    "unsure": 0,
    "superseded": 0,
    "requeued": 4,
    "failed": 50,
    "empty": 3,
    "unchanged": 0,
    "pending": 0,
    "input_tokens": 12_798_362,
    "output_tokens": 245_440,
    "cost_usd": 7.0127,
    "realtime_cost_usd": 14.0254,
    "saved_usd": 7.0127,
    "duration_seconds": 71,
}
WIDTHS = pytest.mark.parametrize("width", [60, 80, 120])


@pytest.fixture
def night(tmp_path: Path) -> Night:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    categories = Counter(technical=20_000, billing=15_000, account=8_000, feedback=4_900, other=50)
    failed = {
        "empty_ticket: the ticket has no text in any of the task's inputs.": ["T-1", "T-2", "T-3"],
        "unusable_answer: 3 answers were none of the categories.": [f"R-{n}" for n in range(46)],
        "invalid_request_error: prompt is too long.": ["長" * 341 + "[bold]\x1b[2J"],
    }
    findings = Findings(48_000, [(7, "not JSON"), (9, "no ticket_id")], ["cut-1"])
    tickets = Tickets({"category": categories}, categories.total(), failed=failed)
    return Night(OUTPUT, tickets, findings, task(), "claude-haiku-4-5", False, tmp_path)


def sorted_as(**categories: int) -> Tickets:
    counts = Counter(categories)
    return Tickets({"category": counts}, counts.total())


def shown(night: Night, width: int = 100) -> str:
    screen = io.StringIO()
    Console(file=screen, width=width, highlight=False).print(summary(night))
    return screen.getvalue()


@WIDTHS
def test_no_line_is_broken_or_cut(night: Night, width: int) -> None:
    lines = shown(night, width).splitlines()

    assert max(map(cell_len, lines)) <= width
    rows = {" ".join(line.split()[:4]) for line in lines}
    for row in (
        "technical 20,000 42 %",
        "submitted 48,001 requests, in",
        "tokens 12,798,362 in, 245,440",
        "cost $7.01 for claude-haiku-4-5",
        "in real time $14.03",
        "a year $2,559.64 saved,",
        "tickets.csv every ticket with",
    ):
        assert any(seen.startswith(row) for seen in rows), row


@WIDTHS
def test_a_failure_is_shown_with_its_reason_and_some_tickets(night: Night, width: int) -> None:
    text = " ".join(shown(night, width).split())

    why = "the ticket has no text in any of the task's inputs."
    assert f"3 empty_ticket: {why} T-1, T-2, T-3" in text
    assert "46 unusable_answer: 3 answers were none of the categories. R-0, R-1, R-2" in text
    assert "and 43 more" in text


def test_a_strange_id_neither_fills_the_screen_nor_rules_it(night: Night) -> None:
    text = shown(night)

    assert 5 < text.count("長") < 20
    assert "\x1b" not in text


def test_the_longest_bar_belongs_to_the_largest_category(night: Night) -> None:
    bars = {line.split()[0]: line.count("█") for line in shown(night).splitlines() if "█" in line}

    assert bars["technical"] > bars["billing"] > bars["account"] > bars["feedback"]


def test_how_right_it_is_is_told_where_the_file_knew_the_answers(night: Night) -> None:
    knowing = replace(night, output=OUTPUT | {"gold": 300, "correct": 283})

    assert "283 of 300 known beforehand, 94.3 % (95 % interval" in shown(knowing)
    assert "known beforehand" not in shown(night)
    assert "known beforehand" not in shown(replace(night, output=OUTPUT | {"gold": 0}))


def test_what_was_wrong_with_the_file_is_told(night: Night) -> None:
    text = shown(night)

    assert "Look: 2 lines of the file were left out. 47,950 of 48,000 tickets have a" in text
    assert "line 7: not JSON" in text
    assert not night.is_good
    assert "body cut to 300 KB: cut-1" in text


def test_the_stand_in_says_that_it_is_one_and_claude_does_not(night: Night) -> None:
    assert "not by Claude" in shown(night)
    assert "Nothing was charged" in shown(night)

    real = shown(replace(night, real=True))

    assert "stand-in" not in real
    assert "Nothing was charged" not in real


def test_a_night_with_failed_tickets_is_good(night: Night) -> None:
    night.findings.bad_lines.clear()

    assert night.is_good
    assert "A good night: 47,950 of 48,000 tickets have a category." in shown(night)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"status": "partial", "reason": "budget"}, "The run ended as partial (budget)."),
        ({"classified": 47_949}, "The books do not balance: 48,001 requests, 48,000 ends."),
        ({"pending": 2}, "2 tickets pending."),
    ],
)
def test_a_night_that_was_not_good_says_why(
    night: Night, changes: dict[str, Any], complaint: str
) -> None:
    bad = replace(night, output=OUTPUT | changes)

    assert bad.complaints() == [complaint]
    assert complaint in shown(bad)
    assert "good night" not in shown(bad)


def test_one_ticket_is_told_in_the_singular(night: Night) -> None:
    output = OUTPUT | {"submitted": 1, "classified": 1, "requeued": 0, "failed": 0, "empty": 0}
    one = replace(
        night, output=output, tickets=sorted_as(other=1), findings=Findings(1, [(7, "bad")])
    )

    text = " ".join(shown(one).split())

    assert "Look: 1 line of the file was left out. 1 of 1 ticket has a category" in text
    assert "1 ticket pending." in replace(one, output=output | {"pending": 1}).complaints()


def test_a_ticket_that_the_table_lost_is_noticed(night: Night) -> None:
    lost = replace(night, findings=Findings(48_001))

    assert lost.complaints() == ["48,001 tickets in, 48,000 out."]


def test_a_night_that_gave_most_tickets_up_is_no_good_one_and_says_what_to_do(night: Night) -> None:
    prose = {
        "unreadable_answer: no answer was one that the task allows in 3 attempts.": ["R"] * 600
    }
    tickets = replace(sorted_as(other=500), failed=prose)
    output = OUTPUT | {"empty": 0}
    bad = replace(night, output=output, tickets=tickets, findings=Findings(1_100, [], []))

    assert any(said.startswith("600 tickets given up, ") for said in bad.complaints())
    text = " ".join(shown(bad).split())
    assert "A good night" not in text
    assert "look at the prompt" in text


@pytest.mark.parametrize(("with_text", "empty"), [(9, 9), (1, 1)])
def test_some_empty_tickets_are_nobodys_fault(night: Night, with_text: int, empty: int) -> None:
    assert with_empty_ones(night, with_text, empty).complaints() == []


@pytest.mark.parametrize(("with_text", "empty"), [(0, 3), (1, 9)])
def test_a_night_of_mostly_empty_tickets_is_no_good_one(
    night: Night, with_text: int, empty: int
) -> None:
    [said] = with_empty_ones(night, with_text, empty).complaints()

    assert said.startswith(f"{empty} tickets without text in subject or body, ")


def with_empty_ones(night: Night, with_text: int, empty: int) -> Night:
    failed = {"empty_ticket: the ticket has no text in any of the task's inputs.": ["E"] * empty}
    counts = {"empty": empty, "failed": empty, "submitted": with_text, "classified": with_text}
    return replace(
        night,
        output=OUTPUT | counts | {"requeued": 0},
        tickets=replace(sorted_as(other=with_text), failed=failed),
        findings=Findings(with_text + empty),
    )


REVIEWS = changed(
    items=("review", "reviews"),
    max_tokens=400,
    output={
        "mood": {"type": "label", "values": ["good", "bad"], "unsure": "unsure"},
        "topics": {"type": "labels", "values": ["price", "taste"], "max_items": 2},
        "stars": {"type": "integer", "minimum": -5, "maximum": 5},
        "spam": {"type": "boolean"},
        "summary": {"type": "text", "max_characters": 100},
    },
)


@pytest.fixture
def reviewed(night: Night) -> Night:
    """A night of a task with an output of nearly every type."""
    answers = {
        "mood": Counter(good=6, bad=2),
        "topics": Counter(price=3),
        "stars": Counter(numbers=8, sum=-12),
        "spam": Counter(yes=2, no=6),
        "summary": Counter(texts=8, characters=400),
    }
    counts = {"submitted": 9, "classified": 8, "unsure": 1, "requeued": 0, "failed": 0, "empty": 0}
    return replace(
        night,
        task=REVIEWS,
        output=OUTPUT | counts,
        tickets=Tickets(answers, answered=8, unsure=1),
        findings=Findings(9),
    )


def test_every_output_is_told_in_the_way_of_its_type(reviewed: Night) -> None:
    lines = [" ".join(line.split()) for line in shown(reviewed).splitlines()]

    for said in (
        "stars: -1.5 on average",
        "spam: 25% yes",
        "summary: 50 characters on average",
    ):
        assert said in lines
    for bar in ("good 6 75 %", "bad 2 25 %", "price 3 100 %"):
        assert any(line.startswith(bar) for line in lines), bar
    assert any(line.startswith("unsure 1 are left to a person") for line in lines)


def test_of_many_labels_the_most_frequent_are_drawn_and_the_others_counted(night: Night) -> None:
    labels = {f"label-{n:02}": 100 - n for n in range(20)}

    said = shown(replace(night, tickets=sorted_as(**labels)))

    assert "label-11" in said and "label-12" not in said
    assert "and 8 others" in said
    assert "others" not in shown(night)


def test_what_waits_for_a_person_is_no_complaint_and_has_the_tasks_words(reviewed: Night) -> None:
    assert reviewed.complaints() == []
    said = "A good night: 8 of 9 reviews have an answer, 1 waits for a person."
    assert said in shown(reviewed)

    [lost] = replace(reviewed, findings=Findings(10)).complaints()
    assert lost == "10 reviews in, 9 out."


def test_a_night_without_an_unsure_answer_does_not_speak_of_any(night: Night) -> None:
    text = shown(night)

    assert "left to a person" not in text
    assert "for a person" not in text
