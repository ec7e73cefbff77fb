"""What makes a table unfit that DynamoDB's local doubles do not show."""

from typing import Any, cast

import pytest

from nightshift.errors import SettingsInvalid
from nightshift.tickets.table import TicketTable
from nightshift.tickets.table_check import command_to_add_index, key_of, misfits
from tests.unit.examples import table_of

TABLE = table_of("ticket_id", "helpdesk")
[INDEX] = TABLE["GlobalSecondaryIndexes"]


class Aws:
    """DescribeTable, whose answers are counted."""

    def __init__(self, *tables: dict[str, Any]) -> None:
        self.tables = {table["TableName"]: table for table in tables}
        self.asked: list[str] = []

    def describe_table(self, TableName: str) -> Any:  # noqa: N803
        self.asked.append(TableName)
        return {"Table": self.tables[TableName]}


@pytest.mark.parametrize("key", ["ticket_id", "product_id", "id", "größe", "order"])
def test_the_key_of_a_table_may_have_any_name(key: str) -> None:
    table = table_of(key)

    assert list(misfits(table)) == []
    assert key_of(cast(Any, Aws(table)), "tickets") == key


def test_a_table_is_described_once_for_all_who_ask() -> None:
    aws = Aws(table_of("product_id"))
    tickets = [TicketTable(cast(Any, aws), "tickets") for _ in range(2)]

    assert [each.key for each in tickets * 3] == ["product_id"] * 6
    assert aws.asked == ["tickets"]


def test_a_table_that_does_not_fit_is_looked_at_again() -> None:
    unfit = {**TABLE, "GlobalSecondaryIndexes": []}
    aws = Aws(unfit)
    with pytest.raises(SettingsInvalid, match="by_classification_status is missing"):
        key_of(cast(Any, aws), "helpdesk")
    aws.tables["helpdesk"] = TABLE

    assert key_of(cast(Any, aws), "helpdesk") == "ticket_id"


def test_the_command_names_the_tables_own_key() -> None:
    command = command_to_add_index(table_of("product_id", "shop"))

    assert "--table-name shop" in command
    assert "AttributeName=product_id,AttributeType=S" in command
    assert '{"AttributeName": "product_id", "KeyType": "RANGE"}' in command
    assert "ticket_id" not in command


@pytest.mark.parametrize("kind", ["N", "B"])
def test_a_key_that_is_no_string_is_refused_under_its_own_name(kind: str) -> None:
    table = table_of("product_id")
    table["AttributeDefinitions"][0]["AttributeType"] = kind

    with pytest.raises(SettingsInvalid, match="a string, without a sort key"):
        key_of(cast(Any, Aws(table)), "tickets")


def test_a_sort_key_is_refused_whatever_the_order_of_the_parts() -> None:
    table = table_of("product_id")
    table["AttributeDefinitions"].append({"AttributeName": "colour", "AttributeType": "S"})
    table["KeySchema"].insert(0, {"AttributeName": "colour", "KeyType": "RANGE"})

    assert "without a sort key" in next(misfits(table))


def test_an_index_with_another_tables_key_is_to_be_made_anew() -> None:
    table = {**table_of("product_id"), "GlobalSecondaryIndexes": [INDEX]}

    [misfit] = misfits(table)

    assert "the partition key classification_status and the sort key product_id" in misfit
    assert misfit.count("product_id") == 3  # the sort key, and twice in the command


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
