"""What Nightshift wrote beside what stands there: kept, changed, decided, waiting; and the sums."""

from typing import Any

import pytest

from nightshift.aws import to_item
from nightshift.quality.statistics import wilson
from nightshift.task.task import Task
from tests.tasks import changed, labelled, reviewed, reviews, task
from tools.operate.corrections.examples import chosen
from tools.operate.quality.compare import Became, compared
from tools.operate.quality.figures import Figures

DECIDING = labelled("billing", "technical")


def item(ticket_id: str = "T-1", **values: Any) -> dict[str, Any]:
    """A ticket that Nightshift has answered."""
    usual = {
        "ticket_id": ticket_id,
        "classified_at": "2026-11-22T02:10:00+00:00",
        "classified_by": "claude-haiku-4-5",
        "classified_from": "AAAAAAAA",
        "classified_with": "sorting@00000001",
    }
    kept = {name: value for name, value in (usual | values).items() if value is not None}
    return dict(to_item(kept))


def sorted_as(wrote: Any, now: Any, **other: Any) -> dict[str, Any]:
    return item(classified_as=wrote, category=now, **other)


def became(found: dict[str, Any], asked: Task) -> dict[str, tuple[str, tuple[Any, ...]]]:
    return {each.output: (each.became, each.pairs) for each in compared(found, asked)}


def test_an_answer_that_stands_is_kept() -> None:
    assert became(sorted_as("billing", "billing"), task()) == {"category": (Became.KEPT, ())}


@pytest.mark.parametrize(("now", "to"), [("other", "other"), (None, "nothing"), ("", "")])
def test_an_answer_that_differs_was_changed(now: str | None, to: str) -> None:
    found = became(sorted_as("billing", now), task())

    assert found == {"category": (Became.CHANGED, (("billing", to),))}


def test_outputs_of_several_are_compared_each_by_its_type() -> None:
    wrote = reviewed()
    same = {"size": -3, "topics": ["taste", "price"], "points": ["cheap", "sweet"]}
    now = wrote | same | {"spam": True, "kind": "short", "summary": "Mine.", "status": None}

    found = became(item(classified_as=wrote, **now), reviews())

    assert found == {
        "status": (Became.CHANGED, (("good", "nothing"),)),
        "kind": (Became.CHANGED, (("long", "short"),)),
        "topics": (Became.KEPT, ()),  # labels in another order
        "size": (Became.KEPT, ()),
        "spam": (Became.CHANGED, (("no", "yes"),)),
        "summary": (Became.CHANGED, (("text", "another text"),)),
        "points": (Became.KEPT, ()),
    }


@pytest.mark.parametrize(
    ("now", "pairs"),
    [
        (["price"], (("taste", "nothing"),)),
        (["price", "taste", "look"], (("nothing", "look"),)),
        (["look", "price"], (("taste", "nothing"), ("nothing", "look"))),
        (None, (("price", "nothing"), ("taste", "nothing"))),
        ({"taste", "price"}, ()),  # a set, as a person may write it
    ],
)
def test_of_several_labels_each_goes_or_comes_by_itself(now: Any, pairs: Any) -> None:
    wrote = reviewed()
    found = became(item(classified_as=wrote, **(wrote | {"topics": now})), reviews())

    assert found["topics"] == (Became.CHANGED if pairs else Became.KEPT, pairs)


def test_numbers_are_equal_by_value() -> None:
    found = item(classified_as=reviewed(size=2), **reviewed())
    found["size"] = {"N": "2.0"}

    assert became(found, reviews())["size"] == (Became.KEPT, ())


def test_a_word_of_a_text_is_never_told() -> None:
    wrote = reviewed(summary="SECRET", points=["SECRET"])
    now = reviewed(summary="HIDDEN", points=["HIDDEN"])
    figures = Figures(reviews())

    figures.add(item(classified_as=wrote, **now), "ticket_id")

    assert "SECRET" not in repr(figures)
    assert "HIDDEN" not in repr(figures)


UNSURE = {"classified_as": None, "classified_from": None}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"category": "billing"}, Became.DECIDED),
        ({"category": "billing", "classification_status": "failed"}, Became.DECIDED),
        ({"classification_status": "review"}, Became.WAITS),
        ({"classification_status": "review", "category": "of an earlier night"}, Became.WAITS),
        ({"classification_status": "pending", "category": "of an earlier night"}, None),
        ({}, None),
    ],
)
def test_what_was_left_to_a_person_is_no_correction(
    values: dict[str, Any], expected: Became | None
) -> None:
    found = became(item(**UNSURE, **values), DECIDING)

    assert [each for each, _ in found.values()] == ([expected] if expected else [])


def test_an_output_that_the_version_did_not_have_was_never_left_to_a_person() -> None:
    found = item(classified_as={"kind": "long", "size": 2}, kind="long", size=2, status="bad")

    assert became(found, reviews()) == {"kind": (Became.KEPT, ()), "size": (Became.KEPT, ())}


def test_a_label_that_is_never_left_to_a_person_was_not_decided_by_one() -> None:
    """An older version of the task did not have it; somebody has filled it in since."""
    label = {"type": "label", "values": ["good", "bad"]}
    outputs = {"mood": label, "category": {**label, "unsure": "unsure"}}
    found = item(**UNSURE, category="good", mood="bad")

    assert became(found, changed(output=outputs, max_tokens=99)) == {
        "category": (Became.DECIDED, ())
    }


def test_what_claude_was_sure_of_beside_a_doubt_is_compared() -> None:
    wrote = {"kind": "long", "size": 2}
    now = {"kind": "short", "size": 2, "status": "bad"}
    found = became(item(classified_as=wrote, classified_from=None, **now), reviews())

    assert found == {
        "status": (Became.DECIDED, ()),
        "kind": (Became.CHANGED, (("long", "short"),)),
        "size": (Became.KEPT, ()),
    }


def test_what_cannot_be_compared_is_counted_as_such() -> None:
    figures = Figures(reviews())
    for found in (
        item(classified_with=None, category="billing"),  # answered by release 0.1.0
        {"ticket_id": {"S": "new"}},
        item(classified_as="billing", category="other"),  # the single output of another task
    ):
        figures.add(found, "ticket_id")

    assert (figures.tickets, figures.other, figures.all.of) == (3, 3, 0)


def test_the_single_output_of_another_task_was_not_taken_away_by_a_person() -> None:
    found = item(classified_as="good", mood="good", classified_with="reviews@00000001")

    assert became(found, task()) == {}


def test_the_same_output_of_another_task_is_compared() -> None:
    found = sorted_as("billing", "other", classified_with="an-older-task@00000001")

    assert became(found, task()) == {"category": (Became.CHANGED, (("billing", "other"),))}


def test_shares_are_those_of_each_class_and_version() -> None:
    figures = Figures(task())
    wrote = ["billing"] * 6 + ["other"] * 4
    now = ["billing"] * 4 + ["other"] * 2 + ["other"] * 3 + ["billing"]
    for n, (was, is_now) in enumerate(zip(wrote, now, strict=True)):
        version = f"sorting@0000000{n % 2}"
        figures.add(
            sorted_as(was, is_now, ticket_id=f"T-{n}", classified_with=version), "ticket_id"
        )

    [(output, rates)] = figures.by_class()
    assert output == "category"
    assert [(word, r.changed, r.of) for word, r in rates] == [("billing", 2, 6), ("other", 1, 4)]
    assert rates[0][1].interval == wilson(2, 6)
    versions = {version: (rate.changed, rate.of) for (version, _), rate in figures.by_version()}
    assert versions == {"sorting@00000000": (1, 5), "sorting@00000001": (2, 5)}
    assert (figures.all.changed, figures.all.of, figures.all.share) == (3, 10, 0.3)
    told = [
        (each.pair, [one.ticket_id for one in each.corrections]) for each in figures.confusions()
    ]
    assert told == [(("billing", "other"), ["T-5", "T-4"]), (("other", "billing"), ["T-9"])]


def test_a_ticket_with_two_changed_outputs_is_one_corrected_ticket() -> None:
    figures = Figures(reviews())
    figures.add(item(classified_as=reviewed(), **reviewed(spam=True, size=1)), "ticket_id")

    assert (figures.all.changed, figures.all.of, len(figures.confusions())) == (1, 1, 2)


def test_the_newest_of_every_change_comes_first_the_most_frequent_change_before() -> None:
    figures = Figures(task())
    changes = [("billing", "other")] * 3 + [("other", "account")] * 2 + [("account", "billing")]
    for n, (was, is_now) in enumerate(changes):
        at = f"2026-11-{10 + n}"
        figures.add(sorted_as(was, is_now, ticket_id=f"T-{n}", classified_at=at), "ticket_id")

    assert chosen(figures.confusions()) == ["T-2", "T-4", "T-5", "T-1", "T-3", "T-0"]
