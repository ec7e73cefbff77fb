"""Whether a ticket table fits: its key, and the index that names the pending tickets.

A table that the stack has made always fits. A table of the user's own may not.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nightshift.aws import ClientError, error_code
from nightshift.errors import SettingsInvalid
from nightshift.tickets.ticket import STATUS_INDEX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@lru_cache(maxsize=1)
def key_of(dynamodb: "DynamoDBClient", name: str) -> str:
    """The name of a ticket table's partition key. The table is checked, once in the life of a
    function's process.

    Raises:
        SettingsInvalid: the table cannot be used (yet); the message says what is missing, and what
            to do.
    """
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise SettingsInvalid(
            f"There is no table {name} in this account and region. Correct the parameter "
            "TicketTable, or leave it empty to have a table made."
        ) from None
    misfit = next(misfits(table), None)
    if misfit:
        raise SettingsInvalid(f"The ticket table {name} cannot be used: {misfit}")
    return _partition_key(table)


def misfits(table: Any) -> Iterator[str]:
    """What is wrong with a table, from DynamoDB's own description of it; the gravest first."""
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    key = _partition_key(table)
    if len(table["KeySchema"]) > 1 or types[key] != "S":
        yield (
            "its key must be a partition key that is a string, without a sort key. The key of a "
            "table cannot be changed: copy the tickets into a table that has such a key."
        )
    if types.get("classification_status", "S") != "S":
        yield "another index has the key classification_status, but not as a string."
    indexes = {each["IndexName"]: each for each in table.get("GlobalSecondaryIndexes", [])}
    if STATUS_INDEX not in indexes:
        yield f"the index {STATUS_INDEX} is missing. Add it with: {command_to_add_index(table)}"
        return
    index = indexes[STATUS_INDEX]
    if _keys(index) != {"classification_status": "HASH", key: "RANGE"}:
        yield (
            f"the index {STATUS_INDEX} must have the partition key classification_status and the "
            f"sort key {key}. Delete it with: aws dynamodb update-table --table-name "
            f"{table['TableName']} --global-secondary-index-updates "
            f'\'[{{"Delete": {{"IndexName": "{STATUS_INDEX}"}}}}]\' '
            f"and when it is gone add it with: {command_to_add_index(table)}"
        )
    if index.get("IndexStatus", "ACTIVE") not in ("ACTIVE", "UPDATING"):
        yield (
            f"the index {STATUS_INDEX} is not ready ({index['IndexStatus']}). Building it takes "
            "minutes to hours: start again when it is ACTIVE."
        )


def command_to_add_index(table: Any) -> str:
    """The AWS CLI command that adds the index to a table, provisioned as the table itself is."""
    key = _partition_key(table)
    create = (
        f'{{"Create": {{"IndexName": "{STATUS_INDEX}", "KeySchema": ['
        '{"AttributeName": "classification_status", "KeyType": "HASH"}, '
        f'{{"AttributeName": "{key}", "KeyType": "RANGE"}}], '
        f'"Projection": {{"ProjectionType": "KEYS_ONLY"}}{_throughput(table)}}}}}'
    )
    return (
        f"aws dynamodb update-table --table-name {table['TableName']} --attribute-definitions "
        f"AttributeName={key},AttributeType=S "
        "AttributeName=classification_status,AttributeType=S "
        f"--global-secondary-index-updates '[{create}]'"
    )


def _partition_key(table: Any) -> str:
    return next(name for name, kind in _keys(table).items() if kind == "HASH")


def _keys(described: Any) -> dict[str, str]:
    return {each["AttributeName"]: each["KeyType"] for each in described["KeySchema"]}


def _throughput(table: Any) -> str:
    """The index of a provisioned table needs capacity units; one of an on-demand table none."""
    billing = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    if billing == "PAY_PER_REQUEST":
        return ""
    units = table["ProvisionedThroughput"]
    return (
        f', "ProvisionedThroughput": {{"ReadCapacityUnits": {units["ReadCapacityUnits"]}, '
        f'"WriteCapacityUnits": {units["WriteCapacityUnits"]}}}'
    )
