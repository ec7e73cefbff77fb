"""A stack on a table that was brought, with a schedule and without a key, and its alarms."""

import json
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


def test_an_alarm_tells_someone_what_to_do(own: Stack) -> None:
    """What an alarm watches, and that it is there, is proved without a cloud: this one compares
    no dimensions and evaluates no expressions."""
    cloudwatch = own.cloud.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNamePrefix="brought-")["MetricAlarms"]
    own.told()

    for alarm in found:
        cloudwatch.set_alarm_state(
            AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="as if"
        )
    told = own.told()

    assert len(found) == 10
    assert {message.topic for message in told} == {"AlertTopicArn"}
    for alarm in found:
        [text] = [m.text for m in told if f'"{alarm["AlarmName"]}"' in m.subject]
        assert "What to do:" in text


def test_a_night_that_finishes_is_counted_where_the_alarm_of_silence_looks(own: Stack) -> None:
    # The local cloud keeps an alarm on FILL(metric, 0) as one on the metric.
    [alarm] = own.cloud.client("cloudwatch").describe_alarms(
        AlarmNames=[own.physical("NoFinishedNight")]
    )["MetricAlarms"]

    own.run()

    counted = [each for each in counted_by(own, "SubmitLogs") if "NightsFinished" in each]
    watched = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    assert (alarm["EvaluationPeriods"], alarm["Period"]) == (26, 3600)
    assert counted
    for document in counted:
        [sent] = document["_aws"]["CloudWatchMetrics"]
        [names] = sent["Dimensions"]
        assert sent["Namespace"] == alarm["Namespace"]
        assert {name: document[name] for name in names} == watched
        assert document["NightsFinished"] == [1]


def counted_by(stack: Stack, logs: str) -> list[dict[str, Any]]:
    """What a function has counted: on AWS its log lines in CloudWatch's embedded metric format
    become metrics, here they stay lines."""
    pages = stack.cloud.client("logs").get_paginator("filter_log_events")
    lines = pages.paginate(logGroupName=stack.physical(logs))
    said = [event["message"] for page in lines for event in page["events"]]
    return [json.loads(line) for line in said if '"_aws"' in line]


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
