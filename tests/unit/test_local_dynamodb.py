"""The local DynamoDB answers what it would answer without being spared repeated work."""

from typing import Any

import pytest
from ministack.services import _dynamodb_keywords, dynamodb

from tools.local.cloud.dynamodb import spare_repeated_work

ITEM = {
    "ticket_id": {"S": "1"},
    "body": {"S": "Hello"},
    "specs": {"M": {"watts": {"N": "9"}, "colours": {"L": [{"S": "red"}, {"S": "blue"}]}}},
}


@pytest.fixture(autouse=True)
def spared() -> None:
    spare_repeated_work()
    spare_repeated_work()  # as two worlds in one process do


@pytest.mark.parametrize(
    ("expression", "names", "found"),
    [
        ("ticket_id, body", None, {"ticket_id": ITEM["ticket_id"], "body": ITEM["body"]}),
        ("#0", {"#0": "body"}, {"body": ITEM["body"]}),
        ("#0", {"#0": "specs"}, {"specs": ITEM["specs"]}),
        ("ticket_id,gone", {}, {"ticket_id": ITEM["ticket_id"]}),
        ("specs.watts", {}, {"specs": {"M": {"watts": {"N": "9"}}}}),
        ("specs.#c[1]", {"#c": "colours"}, {"specs": {"M": {"colours": {"L": [{"S": "blue"}]}}}}),
        ("", {}, ITEM),
    ],
)
def test_a_projection_is_of_its_own_names_and_paths(
    expression: str, names: dict[str, str] | None, found: dict[str, Any]
) -> None:
    assert dynamodb._project_item(ITEM, expression, names) == found
    assert dynamodb._project_item({}, expression, names) == {}


@pytest.mark.parametrize("expression", ["body, body", "specs, specs.watts", "status"])
def test_a_projection_that_is_refused_is_refused_each_time(expression: str) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="Invalid ProjectionExpression"):
            dynamodb._project_item(ITEM, expression, {})


def test_the_same_statement_with_other_parameters_is_another_change() -> None:
    text = "UPDATE tickets SET category=? WHERE ticket_id=?"

    first, second = (
        _dynamodb_keywords.parse_statement(text, [{"S": category}, {"S": "1"}])
        for category in ("billing", "other")
    )

    assert "billing" in repr(first)
    assert "other" in repr(second)
    assert "billing" not in repr(second)


def test_the_same_condition_holds_for_one_item_and_not_for_another() -> None:
    values = {":least": {"N": "5"}}

    held = [
        dynamodb._evaluate_condition("watts > :least", {"watts": {"N": watts}}, values, {})
        for watts in ("9", "1")
    ]

    assert held == [True, False]
