"""A table that was brought: what fits is used, what does not is named with its cure."""

import json
import shlex
from argparse import ArgumentParser
from typing import Any

import pytest

from nightshift.errors import SettingsInvalid
from tests.moto.scene import Scene, client, table

ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
UNITS = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 3}
PROVISIONED = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": UNITS}
STATUS, TICKET = ("classification_status", "HASH"), ("ticket_id", "RANGE")


def keys(*named: tuple[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in named]


def index(*named: tuple[str, str], projection: str = "KEYS_ONLY") -> dict[str, Any]:
    shown = {"ProjectionType": projection}
    return {
        "IndexName": "by_classification_status",
        "KeySchema": keys(*named),
        "Projection": shown,
    }


def bring(
    scene: Scene,
    *named: tuple[str, str],
    indexes: tuple[dict[str, Any], ...] = (),
    kind: str = "S",
    billing: dict[str, Any] = ON_DEMAND,
) -> None:
    """A table of the user's, as the stack is told to use it."""
    names = {name for name, _ in named}
    names |= {each["AttributeName"] for one in indexes for each in one["KeySchema"]}
    types = dict.fromkeys(names, "S") | {named[0][0]: kind}
    client("dynamodb").create_table(
        TableName="helpdesk",
        KeySchema=keys(*named),
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in types.items()],
        **({"GlobalSecondaryIndexes": list(indexes)} if indexes else {}),
        **billing,
    )
    scene.configure(TICKET_TABLE="helpdesk")


def refusal(scene: Scene, **asked: Any) -> str:
    before = scene.runs.scan()["Items"]
    with pytest.raises(SettingsInvalid) as refused:
        scene.submit(scene.start(), **asked)
    assert scene.runs.scan()["Items"] == before
    assert scene.posts() == []
    return str(refused.value)


@pytest.mark.parametrize("projection", ["KEYS_ONLY", "ALL"])
def test_a_table_with_key_and_index_is_used(scene: Scene, projection: str) -> None:
    bring(scene, ("ticket_id", "HASH"), indexes=(index(STATUS, TICKET, projection=projection),))

    assert scene.send_all(scene.start())["report"]["status"] == "nothing_to_do"


@pytest.mark.parametrize("asked", [{}, {"dry_run": True}], ids=str)
@pytest.mark.parametrize("billing", [ON_DEMAND, PROVISIONED], ids=["on demand", "provisioned"])
def test_a_missing_index_is_named_with_the_command_that_adds_it(
    scene: Scene, billing: dict[str, Any], asked: dict[str, Any]
) -> None:
    bring(scene, ("ticket_id", "HASH"), billing=billing)

    said = refusal(scene, **asked)

    assert "helpdesk cannot be used: the index by_classification_status is missing" in said
    run(said[said.index("aws dynamodb update-table") :])
    assert scene.send_all(scene.start("again"), **asked)["next"] == "report"
    made = client("dynamodb").describe_table(TableName="helpdesk")["Table"]
    [added] = made["GlobalSecondaryIndexes"]
    assert added["KeySchema"] == keys(STATUS, TICKET)
    assert added["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    if billing is PROVISIONED:
        assert UNITS.items() <= added["ProvisionedThroughput"].items()


def run(command: str) -> None:
    """Do what the AWS CLI does with this one command; it must have no other option."""
    words = shlex.split(command)
    parser = ArgumentParser(prog="aws", allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--table-name")
    parser.add_argument("--attribute-definitions", nargs="+")
    parser.add_argument("--global-secondary-index-updates", type=json.loads)
    options = parser.parse_args(words[3:])
    definitions = [
        dict(part.split("=") for part in each.split(",")) for each in options.attribute_definitions
    ]
    assert words[:3] == ["aws", "dynamodb", "update-table"]
    client("dynamodb").update_table(
        TableName=options.table_name,
        AttributeDefinitions=definitions,
        GlobalSecondaryIndexUpdates=options.global_secondary_index_updates,
    )


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        ([("ticket_id", "HASH")], "N"),
        ([("ticket_id", "HASH"), ("created_at", "RANGE")], "S"),
    ],
    ids=["a number", "a sort key"],
)
def test_a_table_with_a_key_of_another_kind_cannot_be_used(
    scene: Scene, named: list[tuple[str, str]], kind: str
) -> None:
    bring(scene, *named, kind=kind)

    said = refusal(scene)

    assert "its key must be a partition key that is a string, without a sort key" in said
    assert "cannot be changed" in said


def test_a_table_whose_key_has_another_name_is_used(scene: Scene) -> None:
    bring(scene, ("product_id", "HASH"))
    command = refusal(scene).partition("Add it with: ")[2]
    assert '"AttributeName": "product_id", "KeyType": "RANGE"' in command
    run(command)
    table("helpdesk").put_item(
        Item={"product_id": "P-1", "classification_status": "pending", "subject": "A refund"}
    )

    scene.configure()
    step = scene.send_all(scene.start("again"))

    assert step["next"] == "wait"
    assert scene.sent() == ["P-1"]


def test_an_index_of_another_keys_table_is_to_be_made_anew_with_that_key(scene: Scene) -> None:
    bring(scene, ("product_id", "HASH"), indexes=(index(STATUS, TICKET),))

    said = refusal(scene)

    assert "the partition key classification_status and the sort key product_id" in said
    assert '"AttributeName": "product_id", "KeyType": "RANGE"' in said


def test_an_index_of_that_name_with_other_keys_is_to_be_made_anew(scene: Scene) -> None:
    bring(scene, ("ticket_id", "HASH"), indexes=(index(STATUS),))

    said = refusal(scene)

    assert "must have the partition key classification_status and the sort key ticket_id" in said
    deletes, _, creates = said.partition("and when it is gone add it with: ")
    assert '[{"Delete": {"IndexName": "by_classification_status"}}]' in deletes
    assert creates.startswith("aws dynamodb update-table --table-name helpdesk")


def test_a_table_that_is_not_there_is_named(scene: Scene) -> None:
    scene.configure(TICKET_TABLE="helpdesk")

    assert "There is no table helpdesk in this account and region." in refusal(scene)


def test_a_table_is_looked_at_once_by_a_process(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send_all(scene.start())
    client("dynamodb").delete_table(TableName="TicketTable")
    client("dynamodb").create_table(
        TableName="TicketTable",
        KeySchema=keys(("ticket_id", "HASH"), ("x", "RANGE")),
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("ticket_id", "x", STATUS[0])
        ],
        GlobalSecondaryIndexes=[index(STATUS, TICKET)],
        **ON_DEMAND,
    )

    assert scene.submit(scene.start("again"))["next"] == "report"
    scene.configure()
    with pytest.raises(SettingsInvalid, match="sort key"):
        scene.submit(scene.start("cold"))
