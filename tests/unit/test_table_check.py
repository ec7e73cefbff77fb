"""What makes a table unfit that DynamoDB's local doubles do not show."""

from typing import Any

import pytest

from nightshift.tickets.table_check import misfits

TABLE: dict[str, Any] = {
    "TableName": "helpdesk",
    "AttributeDefinitions": [
        {"AttributeName": "ticket_id", "AttributeType": "S"},
        {"AttributeName": "classification_status", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "ticket_id", "KeyType": "HASH"}],
}
INDEX = {
    "IndexName": "by_classification_status",
    "KeySchema": [
        {"AttributeName": "classification_status", "KeyType": "HASH"},
        {"AttributeName": "ticket_id", "KeyType": "RANGE"},
    ],
}


@pytest.mark.parametrize("status", ["CREATING", "DELETING"])
def test_an_index_that_is_not_ready_is_to_be_waited_for(status: str) -> None:
    table = TABLE | {"GlobalSecondaryIndexes": [INDEX | {"IndexStatus": status}]}

    [misfit] = misfits(table)

    assert f"is not ready ({status})" in misfit
    assert "start again when it is ACTIVE" in misfit


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING"])
def test_an_index_that_answers_is_fine(status: str) -> None:
    table = TABLE | {"GlobalSecondaryIndexes": [INDEX | {"IndexStatus": status}]}

    assert list(misfits(table)) == []


def test_a_status_that_is_no_string_cannot_be_indexed() -> None:
    [ticket_id, _] = TABLE["AttributeDefinitions"]
    number = {"AttributeName": "classification_status", "AttributeType": "N"}
    table = TABLE | {"AttributeDefinitions": [ticket_id, number]}

    first = next(misfits(table))

    assert "classification_status, but not as a string" in first
