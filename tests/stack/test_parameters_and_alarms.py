"""A stack on a table that was brought, with a schedule and without a key, and its alarms."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import Place
from tests.stack.stack import Stack, wait_until

TABLE = "helpdesk"
KEY = [{"AttributeName": "ticket_id", "KeyType": "HASH"}]
INDEX = {
    "IndexName": "by_classification_status",
    "KeySchema": [
        {"AttributeName": "classification_status", "KeyType": "HASH"},
        {"AttributeName": "ticket_id", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}
TYPES = [
    {"AttributeName": "ticket_id", "AttributeType": "S"},
    {"AttributeName": "classification_status", "AttributeType": "S"},
]


@pytest.fixture(scope="module")
def own(place: Place) -> Iterator[Stack]:
    """The table is still without its index."""
    dynamodb = place.cloud.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=KEY,
        AttributeDefinitions=TYPES[:1],
        BillingMode="PAY_PER_REQUEST",
    )
    identity = place.claude.identity
    stack = place.deploy(
        "brought",
        TicketTable=TABLE,
        FederationRuleId=identity.rule_id,
        OrganizationId=identity.organization_id,
        ServiceAccountId="svac_standin",
        ScheduleState="ENABLED",
        Schedule="cron(0 0 1 1 ? 2099)",
    )
    stack.since = time.time()  # others have asked the same Claude before
    yield stack
    stack.forget()


def test_a_table_without_the_index_is_refused_until_it_has_it(own: Stack) -> None:
    own.put("A")

    refused = own.run()
    told = own.told()
    own.dynamodb.update_table(
        TableName=TABLE,
        AttributeDefinitions=TYPES,
        GlobalSecondaryIndexUpdates=[{"Create": INDEX}],
    )
    good = own.run()

    assert own.outputs["TicketTableName"] == TABLE
    assert (refused.status, refused.error) == ("FAILED", "SettingsInvalid")
    assert "aws dynamodb update-table --table-name helpdesk" in refused.cause
    calls = [e for e in refused.history() if e["type"] == "TaskScheduled"]
    functions = [e for e in calls if e["taskScheduledEventDetails"]["resourceType"] == "lambda"]
    assert len(functions) == 1
    assert [message.topic for message in told] == ["AlertTopicArn"]
    assert (good.output["status"], good.output["classified"]) == ("complete", 1)
    assert own.categories() == {"A": "billing"}


def test_no_key_is_needed_where_aws_vouches_for_the_functions(own: Stack) -> None:
    tokens = own.claude.identity.tokens

    assert own.calls("token")
    assert {entry["status"] for entry in own.calls()} == {200}
    for where, said in own.everything_said():
        assert not any(token in said for token in tokens), where


def test_an_alarm_that_is_driven_tells_someone_what_to_do(own: Stack) -> None:
    cloudwatch = own.cloud.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNamePrefix="brought-")["MetricAlarms"]
    own.told()

    for alarm in found:
        drive(cloudwatch, alarm)
    told = own.told()

    assert len(found) == 10
    assert {message.topic for message in told} == {"AlertTopicArn"}
    for alarm in found:
        [text] = [m.text for m in told if f'"{alarm["AlarmName"]}"' in m.subject]
        assert "What to do:" in text


def drive(cloudwatch: Any, alarm: dict[str, Any]) -> None:
    """Let its metric cross the threshold. The local cloud evaluates no expression on several."""
    if not alarm.get("MetricName"):
        cloudwatch.set_alarm_state(
            AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="as if"
        )
        return
    below = alarm["ComparisonOperator"].startswith("LessThan")
    value = alarm["Threshold"] - 1 if below else alarm["Threshold"] + 1
    datum = {"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"], "Value": value}
    cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])


def test_a_night_that_finishes_ends_the_alarm_of_silence(own: Stack) -> None:
    cloudwatch = own.cloud.client("cloudwatch")
    [alarm] = cloudwatch.describe_alarms_for_metric(
        Namespace="Nightshift", MetricName="NightsFinished"
    )["MetricAlarms"]

    cloudwatch.put_metric_data(
        Namespace="Nightshift",
        MetricData=[
            {
                "MetricName": "NightsFinished",
                "Dimensions": [
                    {"Name": "service", "Value": "nightshift"},
                    {"Name": "stack", "Value": own.name},
                ],
                "Value": 1,
                "Timestamp": time.time(),
            }
        ],
    )

    named = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    assert (alarm["EvaluationPeriods"], alarm["Period"]) == (26, 3600)
    assert named == {"service": "nightshift", "stack": own.name}
    [now] = cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
    assert now["StateValue"] == "OK"


def test_the_table_stays_when_the_stack_goes(own: Stack) -> None:
    own.put("B")
    client = own.cloud.client("cloudformation")

    client.delete_stack(StackName=own.name)
    wait_until(lambda: gone(client, own.name))

    assert "B" in own.tickets()


def gone(client: Any, name: str) -> bool:
    try:
        [stack] = client.describe_stacks(StackName=name)["Stacks"]
    except client.exceptions.ClientError:
        return True
    return bool(stack["StackStatus"] == "DELETE_COMPLETE")
