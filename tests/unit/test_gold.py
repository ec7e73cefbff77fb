"""Answers beside what was known beforehand: what is compared, and sums that stay exact."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.aws import from_item, to_item
from nightshift.quality import gold
from nightshift.quality.gold import (
    MOST_BYTES,
    MOST_CONFUSED,
    UNKNOWN,
    Comparison,
    Gold,
    compare,
    total,
)
from nightshift.task.answer import Answer
from nightshift.task.outputs import Label, Value
from nightshift.tickets import attribute
from tests.tasks import changed, reviewed, reviews, task

OUTPUTS = reviews().output
RIGHT: dict[str, Value] = {name: reviewed()[name] for name in gold.comparable(OUTPUTS)}


def beside(known: dict[str, Value], unsure: tuple[str, ...] = (), **said: Any) -> Gold:
    """An answer to `reviews()` compared with what is known of the right one."""
    values = {name: value for name, value in reviewed(**said).items() if name not in unsure}
    return compare(OUTPUTS, known, Answer(values, unsure))


def test_an_answer_that_is_right_in_every_output_is_correct() -> None:
    found = beside(RIGHT)

    assert (found.tickets, found.correct, found.unsure) == (1, 1, 0)
    assert set(found.outputs) == {"status", "kind", "topics", "size", "spam"}
    assert all(each.compared == each.correct == 1 for each in found.outputs.values())
    assert not any(each.confused for each in found.outputs.values())
    assert found.outputs["spam"].classes == {"no": {"expected": 1, "answered": 1, "correct": 1}}
    assert found.outputs["size"].classes == {"-3": {"expected": 1, "answered": 1, "correct": 1}}


def test_texts_are_never_compared() -> None:
    assert not beside({"summary": "another", "points": ["another"]})


def test_a_wrong_output_makes_a_wrong_ticket_and_a_confusion() -> None:
    found = beside(RIGHT, status="bad")

    assert (found.tickets, found.correct) == (1, 0)
    assert found.outputs["status"] == Comparison(
        1,
        0,
        classes={"good": Counter(expected=1), "bad": Counter(answered=1)},
        confused={"good": Counter(bad=1)},
    )
    assert found.outputs["kind"].correct == 1


@pytest.mark.parametrize(
    ("known", "is_right"),
    [
        (["price", "taste"], True),
        (["taste", "price", "taste"], True),
        (["price"], False),
        (["price", "taste", "look"], False),
        ([], False),
        (["price", "Taste"], False),
        ("price", False),
    ],
)
def test_lists_of_labels_are_compared_as_sets(known: Value, is_right: bool) -> None:
    found = beside({"topics": known}).outputs["topics"]

    assert (found.compared, found.correct) == (1, int(is_right))
    assert found.confused == {}


def test_of_lists_of_labels_the_classes_say_what_is_missing_and_what_too_much() -> None:
    found = beside({"topics": ["price", "look"]}).outputs["topics"]

    assert found.classes == {
        "look": {"expected": 1},
        "price": {"expected": 1, "answered": 1, "correct": 1},
        "taste": {"answered": 1},
    }


@pytest.mark.parametrize(
    ("output", "known"),
    [
        ("status", "Good"),  # as the task spells it, or it is none of the task's
        ("status", "unsure"),
        ("status", 1),
        ("status", ["good"]),
        ("size", "-3"),
        ("size", 6),
        ("size", True),
        ("spam", "no"),
        ("spam", 0),
        ("topics", ["price", "smell"]),
    ],
)
def test_a_value_that_the_task_does_not_have_is_unknown_and_never_right(
    output: str, known: Value
) -> None:
    found = beside({output: known})

    assert (found.tickets, found.correct) == (1, 0)
    assert found.outputs[output].unknown == 1
    assert found.outputs[output].classes[UNKNOWN] == {"expected": 1}


def test_a_label_of_the_task_may_be_called_unknown_or_other() -> None:
    outputs = changed(
        output={"category": {"type": "label", "values": ["unknown", "other", "billing"]}}
    ).output

    found = total(
        compare(outputs, {"category": known}, Answer({"category": "unknown"}))
        for known in ("unknown", "other", "nonsense")
    ).outputs["category"]

    assert (found.compared, found.correct, found.unknown) == (3, 1, 1)
    assert found.confused == {"other": {"unknown": 1}, UNKNOWN: {"unknown": 1}}


def test_of_an_unsure_answer_nothing_is_compared_and_what_is_in_doubt_is_counted() -> None:
    found = beside(RIGHT, unsure=("status",))

    assert (found.tickets, found.correct, found.unsure) == (0, 0, 1)
    assert found.outputs == {"status": Comparison(unsure=1, classes={"good": Counter(unsure=1)})}


def test_doubt_about_an_output_of_which_nothing_was_known_is_no_gold() -> None:
    assert not beside({"kind": "long"}, unsure=("status",))


def test_an_output_that_today_s_task_does_not_have_is_not_compared() -> None:
    assert not compare(task().output, {"mood": "good"}, Answer({"category": "billing"}))


def test_a_number_with_many_values_is_compared_but_not_counted_value_by_value() -> None:
    outputs = changed(
        max_tokens=99, output={"amount": {"type": "integer", "minimum": 0, "maximum": 100_000}}
    ).output

    found = total(
        compare(outputs, {"amount": known}, Answer({"amount": 7})) for known in (7, 8, 100_001)
    )

    assert found.outputs == {"amount": Comparison(compared=3, correct=1)}


# Sums.

LABELS = [f"label {n:02}" for n in range(40)]
WIDE = changed(output={"category": {"type": "label", "values": LABELS}}).output
ANSWERS = st.lists(st.tuples(st.sampled_from([*LABELS, "?"]), st.sampled_from(LABELS)), max_size=60)


def of(pairs: list[tuple[str, str]]) -> Gold:
    return total(
        compare(WIDE, {"category": known}, Answer({"category": said})) for known, said in pairs
    )


@given(ANSWERS, st.integers(0, 60))
def test_the_sum_of_two_parts_is_the_whole(pairs: list[tuple[str, str]], at: int) -> None:
    whole = of(pairs)

    assert of(pairs[:at]) + of(pairs[at:]) == whole
    counted = whole.outputs["category"] if pairs else Comparison()
    assert counted.compared == len(pairs)
    assert counted.correct == sum(known == said for known, said in pairs)
    assert sum(each.total() for each in counted.confused.values()) == sum(
        known != said for known, said in pairs
    )


def test_beyond_so_many_confusions_the_largest_are_kept_and_the_rest_is_counted() -> None:
    everything = [(a, b) for a in LABELS for b in LABELS if a != b]  # 1,560 confusions
    often = everything[-500:]

    found = of([*everything, *often]).outputs["category"]

    pairs = {(a, b): n for a, counts in found.confused.items() for b, n in counts.items()}
    assert len(pairs) == MOST_CONFUSED
    assert all(pairs[pair] == 2 for pair in often)
    assert sum(pairs.values()) + found.other == found.compared == 2_060
    assert sum(counts["expected"] for counts in found.classes.values()) == 2_060


@pytest.mark.parametrize("at", [1_100, 1_560])
def test_what_was_left_out_of_one_sum_stays_counted_in_the_next(at: int) -> None:
    everything = [(a, b) for a in LABELS for b in LABELS if a != b]  # 1,560 confusions
    first, second = of(everything[:at]), of(everything[at:] or everything)

    found = (first + second).outputs["category"]

    assert first.outputs["category"].other == at - MOST_CONFUSED
    assert sum(len(counts) for counts in found.confused.values()) == MOST_CONFUSED
    counted = found.other + sum(each.total() for each in found.confused.values())
    assert counted == found.compared - found.correct == at + len(everything[at:] or everything)


# In the table.


def through_dynamodb(counted: Gold) -> tuple[dict[str, Any], Gold]:
    """How the table spells it, and what is read back: numbers are decimals there."""
    spelled = to_item({"gold": counted.plain})
    return spelled["gold"], Gold.read(from_item(spelled)["gold"])


def test_what_is_stored_is_read_back_as_it_was() -> None:
    counted = total([beside(RIGHT), beside(RIGHT, status="bad"), beside(RIGHT, ("kind",))])

    _, read = through_dynamodb(counted)

    assert read == counted
    assert type(read.outputs["status"].classes["good"]["expected"]) is int
    assert read + read == total([counted, counted])


def stored_bytes(spelled: dict[str, Any]) -> int:
    """At most what DynamoDB counts (docs.aws.amazon.com, item sizes, 2026-11): names in UTF-8, 11
    bytes for a number of up to 20 digits, 3 bytes for a map and 1 for each of its elements."""
    [(kind, value)] = spelled.items()
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + stored_bytes(each) for name, each in value.items())
    return {"N": 11, "S": len(str(value))}[kind]


def test_with_150_classes_that_are_all_confused_an_item_stays_far_from_400_kb() -> None:
    labels = [f"a category with a name of forty chars {n:03}" for n in range(150)]
    outputs: Any = {"category": Label(type="label", values=dict.fromkeys(labels, ""))}
    everything = total(
        compare(outputs, {"category": a}, Answer({"category": b})) for a in labels for b in labels
    )

    spelled, read = through_dynamodb(sum([everything] * 30, Gold()))

    found = read.outputs["category"]
    assert (found.compared, found.correct) == (30 * 22_500, 30 * 150)
    assert found.other + sum(each.total() for each in found.confused.values()) == 30 * 22_350
    assert sum(len(each) for each in found.confused.values()) == MOST_CONFUSED
    assert 50_000 < stored_bytes(spelled) < 110_000


def test_confusions_of_long_names_are_kept_as_far_as_their_bytes_go() -> None:
    labels = [f"{n:02}" + "ü" * 400 for n in range(40)]
    outputs: Any = {"category": Label(type="label", values=dict.fromkeys(labels, ""))}
    everything = total(
        compare(outputs, {"category": a}, Answer({"category": b})) for a in labels for b in labels
    )

    [(_, found)] = everything.outputs.items()

    names = [a + b for a, counts in found.confused.items() for b in counts]
    assert MOST_BYTES - 1_604 < sum(len(name.encode()) for name in names) <= MOST_BYTES
    assert found.other == 40 * 39 - len(names)


# What stands in the ticket.


@pytest.mark.parametrize(
    ("spelled", "value"),
    [
        (None, None),
        ({"NULL": True}, None),
        ({"S": ""}, None),
        ({"S": "billing"}, "billing"),
        ({"N": "3"}, 3),
        ({"N": "3.0"}, 3),
        ({"N": "-3"}, -3),
        ({"N": "3.5"}, "3.5"),
        ({"BOOL": False}, False),
        ({"L": [{"S": "a"}, {"S": "b"}]}, ["a", "b"]),
        ({"L": []}, []),
        ({"L": [{"S": "a"}, {"N": "1"}]}, ["a", "1"]),
        ({"SS": {"b", "a"}}, ["a", "b"]),
        ({"M": {"a": {"S": "b"}}}, '{"a":"b"}'),
    ],
)
def test_an_expected_attribute_of_any_type_is_a_value(spelled: Any, value: Value | None) -> None:
    found = attribute.value(spelled)

    assert found == value
    assert type(found) is type(value)


@given(st.one_of(st.text(min_size=1), st.integers(), st.booleans(), st.lists(st.text())))
def test_what_is_written_as_an_answer_is_read_as_the_same_value(value: Value) -> None:
    assert attribute.value(attribute.spelled(value)) == value
