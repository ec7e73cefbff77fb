"""The report at breakfast: a verdict first, then what is worth a look."""

from decimal import Decimal
from typing import Any

import pytest

from nightshift.ending import mail

REPORT: dict[str, Any] = {
    "run_id": "2026-11-22",
    "status": "complete",
    "batches": 2,
    "submitted": 1_245,
    "classified": 1_200,
    "unsure": 0,
    "superseded": 5,
    "requeued": 20,
    "failed": 23,
    "empty": 3,
    "pending": 1,
    "input_tokens": 320_000,
    "output_tokens": 6_000,
    "cost_usd": 0.175,
    "realtime_cost_usd": 0.35,
    "saved_usd": 0.175,
    "duration_seconds": 5_040,
    "categories": {"billing": 300, "technical": 900},
    "failures": {"empty_ticket": 3, "refusal": 20},
    "month_cost_usd": 3.456,
    "notices": [],
}


def text(*before: dict[str, int], limit: str = "0", **changes: Any) -> str:
    reports = [{"categories": categories} for categories in before]
    return mail.text(REPORT | changes, reports, Decimal(limit))


def test_the_whole_message() -> None:
    usual = [{"billing": 200, "technical": 1_000}, {"billing": 400, "other": 1}]

    assert (
        text(*usual, limit="100", notices=["The model retires."])
        == """\
All is done: 1,200 tickets sorted, 23 given up.

                 now  average of the last 2 runs
technical        900        500
billing          300        300
other              0          0

Given up: 23 (each says why in classification_error)
  refusal              20
  empty_ticket          3

1,245 requests in 2 batches
20 went back to pending
5 were edited, sorted by hand or deleted meanwhile
1 ticket pending now

Cost $0.1750, saved $0.1750 against real time
This month so far $3.46 of $100.00
320,000 tokens in, 6,000 out

Note: The model retires.

Run 2026-11-22: complete, 1 h 24 min"""
    )


def test_what_was_redacted_is_counted_where_something_was() -> None:
    assert "Redacted before sending: 12 e-mail addresses, 1 card number\n" in text(
        redacted={"card": 1, "email": 12}
    )
    assert "Redacted" not in text(redacted={}) + text()


def quality(tickets: int, correct: int, unsure: int = 0, **outputs: Any) -> dict[str, Any]:
    """What a report keeps of answers that were known beforehand."""
    each = outputs or {"category": {"compared": tickets, "correct": correct}}
    kept = {"tickets": tickets, "correct": correct, "unsure": unsure, "outputs": each}
    return {"gold": tickets, "correct": correct, "quality": kept}


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        (
            quality(300, 283),
            "Right: 283 of 300 known beforehand, 94.3 % (95 % interval 91.1 % to 96.4 %)",
        ),
        (
            quality(3_000, 2_999),
            "Right: 2,999 of 3,000 known beforehand, >99.9 % (95 % interval 99.8 % to >99.9 %)",
        ),
        (
            quality(2, 0, 3, category={"classes": {":unknown": {"expected": 2, "unsure": 1}}}),
            "Right: 0 of 2 known beforehand, 0.0 % (95 % interval 0.0 % to 65.8 %); 3 more left "
            "to a person; 3 expect a value that the task does not have",
        ),
        (
            quality(20, 20, category={"compared": 20}, spam={"compared": 20}),
            "Right: 20 of 20 known beforehand in every output, 100.0 % (95 % interval 83.9 % to "
            "100.0 %)",
        ),
        (quality(0, 0, 5), "Right: 0 of 0 known beforehand; 5 more left to a person"),
    ],
)
def test_how_right_it_is_stands_in_one_line(counted: dict[str, Any], said: str) -> None:
    assert said in text(**counted).split("\n\n")


def test_where_nothing_was_known_beforehand_nothing_is_said_of_being_right() -> None:
    assert "Right" not in text()


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"unsure": 12}, "For a person to decide: 12 (classification_status is review)"),
        (
            {"unsure": 12, "waiting": 1_340},
            "For a person to decide: 12, 1,340 wait now (classification_status is review)",
        ),
        (
            {"unsure": 0, "waiting": 1},
            "For a person to decide: 0, 1 waits now (classification_status is review)",
        ),
    ],
)
def test_how_many_wait_for_a_person_is_said_even_if_none_is_of_tonight(
    counts: dict[str, int], said: str
) -> None:
    assert said in text(**counts).split("\n\n")


def test_where_none_waits_nothing_is_said_of_waiting() -> None:
    assert "person" not in text(unsure=0, waiting=0)


REVIEWS: dict[str, Any] = {
    "items": ["review", "reviews"],
    "classified": 8,
    "unsure": 1_001,
    "failed": 0,
    "failures": {},
    "categories": {"good": 6, "bad": 2, "unsure": 1_001},
    "outputs": {
        "mood": {"type": "label", "counts": {"good": 6, "bad": 2, "unsure": 1_001}},
        "kind": {"type": "label", "counts": {"short": 7, "long": 2}},
        "topics": {"type": "labels", "counts": dict(zip("abcdefg", range(9, 2, -1), strict=True))},
        "tags": {"type": "labels", "counts": {}},
        "stars": {"type": "integer", "counts": {"numbers": 8, "sum": -12}},
        "spam": {"type": "boolean", "counts": {"yes": 2, "no": 6}},
        "never": {"type": "boolean", "counts": {"no": 6}},
        "summary": {"type": "text", "counts": {"texts": 8, "characters": 404}},
        "bullets": {"type": "texts", "counts": {"texts": 16, "characters": 160}},
        "none": {"type": "texts", "counts": {}},
    },
}


def test_every_output_has_a_line_in_the_way_of_its_type_but_the_first_label() -> None:
    told = text(**REVIEWS).split("\n\n")

    assert told[:4] == [
        "All is done: 8 reviews answered, 1,001 for a person to decide.",
        "unsure      1,001\ngood            6\nbad             2",
        "kind: short 7, long 2\n"
        "topics: a 9, b 8, c 7, d 6, e 5, ...\n"
        "tags: none\n"
        "stars: -1.5 on average\n"
        "spam: 25% yes\n"
        "never: 0% yes\n"
        "summary: 50 characters on average\n"
        "bullets: 10 characters on average\n"
        "none: 0 characters on average",
        "For a person to decide: 1,001 (classification_status is review)",
    ]
    assert "\n1 review pending now" in text(**REVIEWS)
    assert "ticket" not in text(**REVIEWS)


def test_a_task_without_a_label_has_no_table() -> None:
    stars = {"stars": {"type": "integer", "counts": {"numbers": 2, "sum": 7}}}

    told = text(categories={}, outputs=stars).split("\n\n")

    assert told[1] == "stars: 3.5 on average"


def test_a_report_of_before_outputs_were_counted_is_told_as_ever() -> None:
    old = {name: value for name, value in REPORT.items() if name != "unsure"}

    assert mail.text(old, [], Decimal(0)) == mail.text(REPORT, [], Decimal(0))


def test_what_there_is_nothing_to_say_about_is_left_out() -> None:
    quiet = text(failed=0, failures={}, categories={}, requeued=0, superseded=0)

    for word in (
        "Given up",
        "person",
        "review",
        "technical",
        "went back",
        "by hand",
        "average",
        "Note",
        " of $",
    ):
        assert word not in quiet
    assert quiet.startswith("All is done: 1,200 tickets sorted.\n")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"failed": 0}, "All is done: 1,200 tickets sorted."),
        ({"classified": 1, "failed": 0}, "All is done: 1 ticket sorted."),
        (
            {"unsure": 2_000, "failed": 0},
            "All is done: 1,200 tickets sorted, 2,000 for a person to decide.",
        ),
        (
            {"unsure": 1, "classified": 1, "items": ["call", "calls"]},
            "All is done: 1 call sorted, 1 for a person to decide, 23 given up.",
        ),
        (
            {"status": "partial", "reason": "budget", "failed": 0},
            "Not all is done (a budget is reached): 1,200 tickets sorted.",
        ),
        (
            {"status": "partial", "reason": "of tomorrow"},
            "Not all is done (of tomorrow): 1,200 tickets sorted, 23 given up.",
        ),
        ({"status": "canceled"}, "Canceled: 1,200 tickets sorted, 23 given up before that."),
    ],
)
def test_the_verdict_is_one_line(changes: dict[str, Any], verdict: str) -> None:
    assert mail.verdict(REPORT | changes) == verdict


def test_a_run_from_before_categories_were_kept_is_no_comparison() -> None:
    assert "average" not in mail.text(REPORT, [{"classified": 3}], Decimal(0))


def test_one_of_a_thing_is_not_called_several() -> None:
    report = REPORT | {"classified": 1, "submitted": 1, "batches": 1, "pending": 1}

    said = mail.text(report, [], Decimal(0))

    assert "1 ticket sorted" in said
    assert "1 request in 1 batch\n" in said
    assert "1 ticket pending now" in said
