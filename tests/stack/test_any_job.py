"""A job that nobody has thought of: one task file, on a table whose key has another name."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from nightshift.task.task import load
from tests.stack.conftest import REVIEWS, Place
from tests.stack.stack import Stack

TABLE = "shop-reviews"
WRONG = {
    "out of bounds": {"size": 6},
    "unknown label": {"status": "maybe"},
    "too long": {"headline": "x" * 61},
    "missing": {"size": None},
    "extra": {"mood": "good"},
    "wrong type": {"recommends": "yes"},
    "too many": {"points": ["a", "b", "c", "d"]},
}
# What is known beforehand, in the types of DynamoDB.
KNOWN: dict[str, dict[str, Any]] = {
    "said": {"status": "keep", "tags": ["quality", "price"], "size": 4, "recommends": True},
    "said amiss": {"status": "keep", "size": Decimal(4), "headline": "texts are not compared"},
    "doubt": {"status": "keep", "recommends": True},
}
GOOD = {
    "status": "Keep",
    "tags": ["price", "PRICE", "quality"],
    "size": 4,
    "recommends": True,
    "headline": " Fine ",
    "points": ["solid"],
}


@pytest.fixture(scope="module")
def shop(place: Place) -> Iterator[Stack]:
    """The project with one more task file, deployed beside a table of the shop's own."""
    place.cloud.client("dynamodb").create_table(
        TableName=TABLE,
        AttributeDefinitions=[
            {"AttributeName": "product_id", "AttributeType": "S"},
            {"AttributeName": "classification_status", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "product_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_classification_status",
                "KeySchema": [
                    {"AttributeName": "classification_status", "KeyType": "HASH"},
                    {"AttributeName": "product_id", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    stack = place.deploy("shop", TicketTable=TABLE, Task=REVIEWS.stem, MaxRequestsPerBatch="1000")
    stack.store_key(place.claude.api_key)
    stack.claude.control.clear()
    yield stack
    for night in stack.nights:
        night.stop()


def put(stack: Stack, name: str, **more: Any) -> None:
    review = {
        "product_id": name,
        "title": f"Lamp {name}!",
        "price": Decimal("12.5"),
        "specs": {"watts": Decimal(9), "colours": ["red", "white"]},
        "text": "<p>Bright &amp; cheap.</p>",
        "classification_status": "pending",
    }
    stack.put_item(review | more)


def reviews(stack: Stack) -> dict[str, Any]:
    return {item["product_id"]: item for item in stack._scan("TicketTableName")}


def say(stack: Stack, name: str, **changes: Any) -> None:
    """What Claude answers about one review, each time."""
    answer = {key: value for key, value in (GOOD | changes).items() if value is not None}
    said = {"type": "succeeded", "text": json.dumps(answer)}
    stack.claude.control.add_rows({"contains": f"Lamp {name}!", "outcome": said})


def test_a_job_of_one_file_runs_and_wrong_answers_are_never_written(shop: Stack) -> None:
    names = [f"invented {number:02}" for number in range(20)]
    for name in [*names, "cut", "no json", *WRONG]:
        put(shop, name)
    for name, known in KNOWN.items():
        put(shop, name, **{f"expected_{output}": value for output, value in known.items()})
    put(shop, "blank", title="", text=" ", price="", specs="")
    say(shop, "said")
    say(shop, "said amiss", size=1)
    say(shop, "doubt", status="UNSURE")
    for name, changes in WRONG.items():
        say(shop, name, **changes)
    cut = {"type": "succeeded", "text": '{"status": "keep"', "stop_reason": "max_tokens"}
    shop.claude.control.add_rows({"contains": "Lamp cut!", "outcome": cut})
    prose = {"type": "succeeded", "text": "I like it."}
    shop.claude.control.add_rows({"contains": "Lamp no json!", "outcome": prose})

    night = shop.run(run_id="one").output

    found = reviews(shop)
    task = load(str(REVIEWS))
    wrong = {*WRONG, "cut", "no json"}
    answered = {name: found[name] for name in [*names, "said", "said amiss"]}
    for name, item in answered.items():
        if item.get("classification_status") == "review":
            continue  # invented answers may be unsure
        values = {output: plain(item[output]) for output in task.output}
        for output, value in values.items():
            assert task.output[output].read(value) == value, name
        assert plain(item["classified_as"]) == values
        assert item["classified_with"].startswith("reviews@")
        assert len(item["classified_from"]) == 8
    assert plain(found["said"]["tags"]) == ["price", "quality"]
    assert (found["said"]["size"], found["said"]["headline"]) == (4, "Fine")
    doubt = found["doubt"]
    assert doubt["classification_status"] == "review"
    assert (doubt["size"], "status" in doubt, "classified_from" in doubt) == (4, False, False)
    assert "status" not in doubt["classified_as"]
    for name in wrong:
        assert found[name]["classification_status"] == "failed", name
        assert found[name]["classification_attempts"] == 3
        assert not found[name].keys() & {*task.output, "classified_at"}, name
    assert found["blank"]["classification_error"].startswith("empty_ticket")
    assert (night["status"], night["failed"], night["empty"]) == ("complete", len(wrong) + 1, 1)
    assert night["submitted"] == (
        night["classified"] + night["unsure"] + night["superseded"] + night["requeued"]
        + night["failed"] - night["empty"]
    )  # fmt: skip
    assert (night["gold"], night["correct"]) == (2, 1)
    waiting = sum(item.get("classification_status") == "review" for item in found.values())
    [report] = [told for told in shop.told() if told.topic == "ReportTopicArn"]
    assert (
        "Right: 1 of 2 known beforehand in every output, 50.0 % (95 % interval 9.5 % to 90.5 %); "
        "1 more left to a person"
    ) in report.text
    assert f"For a person to decide: {waiting}, {waiting} wait" in report.text
    assert "reviews answered" in report.text
    assert "recommends: " in report.text
    assert "headline: " in report.text


def plain(value: Any) -> Any:
    """A value of DynamoDB as the task's outputs know it."""
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return value
