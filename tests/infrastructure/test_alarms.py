"""Alarms and the dashboard speak of metrics that really exist, and an alarm fires when it must."""

import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest

from tests.crash.stack import Stack, through_handlers
from tests.crash_proof.world import workshop
from tests.handlers import counted, documents_in
from tests.infrastructure.cloudwatch import DAY, HOUR, Alarm, Point, metric_math
from tools.local.claude_standin.batches import Life

STACK = "a-stack"
# What AWS emits, by namespace: names, and the dimensions that they come with (docs.aws.amazon.com:
# Step Functions, Lambda, SQS, DynamoDB, "CloudWatch metrics", 2026-11).
OF_AWS: dict[str, tuple[set[str], set[tuple[str, ...]]]] = {
    "AWS/States": (
        {"ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"},
        {("StateMachineArn",)},
    ),
    "AWS/Lambda": ({"Duration", "Errors", "Throttles"}, {("FunctionName",)}),
    "AWS/SQS": ({"ApproximateNumberOfMessagesVisible"}, {("QueueName",)}),
    "AWS/DynamoDB": (
        {"WriteThrottleEvents"},
        {("TableName",), ("TableName", "GlobalSecondaryIndexName")},
    ),
}
VALUES: dict[str, set[str]] = {
    "StateMachineArn": {"Workflow"},
    "FunctionName": {"SubmitFunction", "StatusFunction", "CollectFunction"},
    "QueueName": {"MissedNights"},
    "TableName": {"OwnTicketTable"},
    "GlobalSecondaryIndexName": {"by_classification_status"},
    "service": {"nightshift"},
    "stack": {STACK},
}

type Metric = tuple[str, str, dict[str, str]]


@pytest.fixture(scope="module")
def alarms(resources: Any) -> dict[str, Any]:
    kind = "AWS::CloudWatch::Alarm"
    return {n: each["Properties"] for n, each in resources.items() if each["Type"] == kind}


@pytest.fixture(scope="module")
def dashboard(resources: Any) -> Any:
    """The dashboard as CloudFormation fills it in: names stand for what they name."""
    body, named = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    named = {name: resolved(value) for name, value in named.items()}
    return json.loads(filled(body, named))


def resolved(value: Any) -> str:
    """An intrinsic function as the logical name of what it refers to, the stack's name or text."""
    match value:
        case {"Ref": "AWS::StackName"}:
            return STACK
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::If": [_, chosen, _]}:
            return resolved(chosen)
        case {"Fn::Sub": str(text)}:
            return filled(text, {})
    return str(value)


def filled(text: str, named: dict[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        name = match[1].removesuffix(".Arn")
        return named.get(name, resolved({"Ref": name}))

    return re.sub(r"\$\{([\w:.]+)\}", fill, text)


@pytest.fixture(scope="module")
def emitted() -> tuple[set[str], set[str]]:
    """The names of what the functions count in a night, and the dimensions that they send."""
    with workshop() as ours, through_handlers(), redirect_stdout(StringIO()) as out:
        stack = Stack.on(ours, Life(seconds=1000))
        stack.put("A")
        assert stack.night()["status"] == "complete"
        documents = documents_in(out.getvalue())
    names: set[str] = set()
    for document in documents:
        [sent] = document["_aws"]["CloudWatchMetrics"]
        assert sent["Namespace"] == "Nightshift"
        assert document["service"] == "nightshift"
        names |= counted(document).keys()
    [dimensions] = {
        tuple(sorted(d["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0])) for d in documents
    }
    return names, set(dimensions)


def of_alarm(alarm: Any) -> Iterator[Metric]:
    if "MetricName" in alarm:
        yield metric(alarm)
    for query in alarm.get("Metrics", []):
        if "MetricStat" in query:
            yield metric(query["MetricStat"]["Metric"])


def metric(described: Any) -> Metric:
    dimensions = {each["Name"]: resolved(each["Value"]) for each in described["Dimensions"]}
    return described["Namespace"], described["MetricName"], dimensions


def of_widget(widget: Any) -> Iterator[Metric]:
    """The metrics of a widget, each `.` replaced by what stands above it."""
    above: list[str] = []
    for row in widget["properties"].get("metrics", []):
        words = [word for word in row if isinstance(word, str)]
        if not words:
            continue
        above = [above[n] if word == "." else word for n, word in enumerate(words)]
        namespace, name, *rest = above
        yield namespace, name, dict(zip(rest[::2], rest[1::2], strict=True))


def assert_exists(found: Metric, emitted: tuple[set[str], set[str]]) -> None:
    namespace, name, dimensions = found
    if namespace == "Nightshift":
        names, keys = emitted
        assert name in names, f"nobody emits {name}"
        assert dimensions.keys() == keys, name
    else:
        names, allowed = OF_AWS[namespace]
        assert name in names, f"{namespace} has no {name}"
        assert tuple(dimensions) in allowed, name
    for dimension, value in dimensions.items():
        assert value in VALUES[dimension], (name, dimension, value)


def test_the_stack_in_our_dimensions_is_the_stacks_own_name(template: Any) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]

    assert variables["STACK_NAME"] == {"Ref": "AWS::StackName"}


def test_an_alarm_watches_what_is_really_emitted(
    alarms: dict[str, Any], emitted: tuple[set[str], set[str]]
) -> None:
    assert len(alarms) == 10
    for name, alarm in alarms.items():
        found = list(of_alarm(alarm))
        assert found, name
        for each in found:
            assert_exists(each, emitted)


def test_the_dashboard_shows_what_is_really_emitted(
    dashboard: Any, emitted: tuple[set[str], set[str]]
) -> None:
    shown = [each for widget in dashboard["widgets"] for each in of_widget(widget)]

    for each in shown:
        assert_exists(each, emitted)
    assert {namespace for namespace, *_ in shown} == OF_AWS.keys() - {"AWS/SQS"} | {"Nightshift"}


def test_every_metric_of_ours_is_shown_or_watched(
    dashboard: Any, alarms: dict[str, Any], emitted: tuple[set[str], set[str]]
) -> None:
    names, _ = emitted
    shown = {name for widget in dashboard["widgets"] for _, name, _ in of_widget(widget)}
    watched = {name for alarm in alarms.values() for _, name, _ in of_alarm(alarm)}

    assert names <= shown | watched


def test_every_alarm_reaches_people_and_says_what_to_do(alarms: dict[str, Any]) -> None:
    for name, alarm in alarms.items():
        said = alarm["AlarmDescription"]
        text = said if isinstance(said, str) else said["Fn::Sub"]
        assert alarm["AlarmActions"] == [{"Ref": "AlertTopic"}], name
        assert "What to do:" in text, name
        section = "Red nights" if name == "FailedNights" else "Alarms"
        assert f'docs/operate.md, "{section}"' in text, name
        assert len(text) <= 1_024, name
        assert alarm.get("ActionsEnabled", True) is True, name


def test_an_alarm_looks_back_no_further_than_cloudwatch_does(
    alarms: dict[str, Any], template: Any
) -> None:
    # Seven days in all, one day with periods under an hour (PutMetricAlarm, 2026-11).
    longest = template["Parameters"]["MaxHoursBetweenNights"]["MaxValue"]
    for name, alarm in alarms.items():
        stats = [q["MetricStat"] for q in alarm.get("Metrics", []) if "MetricStat" in q]
        for period in {each["Period"] for each in stats or [alarm]}:
            times = alarm["EvaluationPeriods"]
            seconds = period * (times if isinstance(times, int) else longest)
            assert period % 60 == 0, name
            assert seconds <= (604_800 if period >= 3_600 else 86_400), name


def test_silence_alone_is_an_alarm_where_a_night_is_due(
    template: Any, resources: Any, alarms: dict[str, Any]
) -> None:
    # ExecutionsSucceeded would be fed by every green `already_running`.
    alarm = alarms["NoFinishedNight"]

    assert resources["NoFinishedNight"]["Condition"] == "HasSchedule"
    assert template["Conditions"]["HasSchedule"] == {
        "Fn::Equals": [{"Ref": "ScheduleState"}, "ENABLED"]
    }
    assert [name for _, name, _ in of_alarm(alarm)] == ["NightsFinished"]
    assert alarm["EvaluationPeriods"] == {"Ref": "MaxHoursBetweenNights"}
    assert alarm["TreatMissingData"] == "breaching"
    others = [each for name, each in alarms.items() if name != "NoFinishedNight"]
    assert {each["TreatMissingData"] for each in others} == {"notBreaching"}


@pytest.mark.parametrize("fills_a_void", [True, False])
@pytest.mark.parametrize("hours", [1, 24, 26, 74, 168])
def test_no_finished_night_is_told_when_the_parameter_says_and_until_the_next_one(
    alarms: dict[str, Any], hours: int, fills_a_void: bool
) -> None:
    alarm = Alarm(alarms["NoFinishedNight"], hours, fills_a_void)
    night = Point("NightsFinished", at=100 * DAY + 1_234)
    # Beyond a day it is evaluated by the full hour.
    slack = HOUR if hours > 24 else 0

    def states(begin: float, end: float) -> set[str]:
        return {alarm.state([night], night.at + t) for t in range(int(begin), int(end), HOUR // 4)}

    assert alarm.state([], night.at) == "ALARM"
    assert states(slack, hours * HOUR) == {"OK"}
    assert states(hours * HOUR + slack, 3 * hours * HOUR + 9 * HOUR) == {"ALARM"}


# What a bad night of each alarm looks like: metrics and their values, and how long they last.
BAD_NIGHTS = {
    "FailedNights": ({"ExecutionsFailed": 1}, 0),
    "AbortedNights": ({"ExecutionsAborted": 1}, 0),
    "TimedOutNights": ({"ExecutionsTimedOut": 1}, 0),
    "MissedNightsAlarm": ({"ApproximateNumberOfMessagesVisible": 1}, 6 * HOUR),
    "ManyTicketsFailed": ({"TicketsFailed": 10, "TicketsClassified": 90}, HOUR),
    "RequestsExpired": ({"RequestsExpired": 5}, HOUR),
    "SubmitNearTimeout": ({"Duration": 880_000}, HOUR),
    "StatusNearTimeout": ({"Duration": 280_000}, HOUR),
    "CollectNearTimeout": ({"Duration": 880_000}, HOUR),
}


def test_every_other_alarm_tells_each_of_two_bad_nights_in_a_row(alarms: dict[str, Any]) -> None:
    assert BAD_NIGHTS.keys() == alarms.keys() - {"NoFinishedNight"}
    for name, (metrics, lasts) in BAD_NIGHTS.items():
        points = [
            Point(metric, day * DAY + 3 * HOUR + minute, value)
            for day in (10, 11)
            for minute in range(0, lasts + 1, 60)
            for metric, value in metrics.items()
        ]

        alarm = Alarm(alarms[name])
        states = [alarm.state(points, now) for now in range(10 * DAY, 13 * DAY, 300)]

        turned_red = [pair for pair in pairwise(states) if pair == ("OK", "ALARM")]
        assert len(turned_red) == 2, name
        assert states[-1] == "OK", name


@pytest.mark.parametrize("name", ["FailedNights", "AbortedNights", "TimedOutNights"])
def test_a_point_of_step_functions_may_come_late(alarms: dict[str, Any], name: str) -> None:
    metric = alarms[name]["MetricName"]
    points = [Point(metric, DAY, 1, late=600), Point(metric, DAY + 540, 0)]

    states = {Alarm(alarms[name]).state(points, DAY + t) for t in range(0, HOUR, 60)}

    assert "ALARM" in states


@pytest.mark.parametrize("function", ["Submit", "Status", "Collect"])
def test_a_long_call_is_seen_although_its_point_comes_after_those_of_later_calls(
    resources: Any, alarms: dict[str, Any], function: str
) -> None:
    # A point has the time at which the call began, and comes when it has ended.
    timeout = resources[f"{function}Function"]["Properties"]["Timeout"]
    alarm = Alarm(alarms[f"{function}NearTimeout"])
    long = Point("Duration", DAY, timeout * 990, late=timeout)
    short = [Point("Duration", DAY + t, 2_000, late=2) for t in range(-600, 2 * HOUR, 60)]

    states = {alarm.state([long, *short], DAY + t) for t in range(0, HOUR, 60)}

    assert "ALARM" in states


@pytest.mark.parametrize(
    ("classified", "failed", "alarm"),
    [(0, 0, False), (1, 1, False), (0, 4, False), (0, 5, True), (95, 5, False), (94, 6, True),
     (9_600, 400, False), (9_000, 1_000, True)],
)  # fmt: skip
def test_a_share_of_given_up_tickets_is_an_alarm_and_one_of_two_is_not(
    alarms: dict[str, Any], classified: int, failed: int, alarm: bool
) -> None:
    described = alarms["ManyTicketsFailed"]
    [share] = [query for query in described["Metrics"] if query.get("ReturnData", True)]

    value = metric_math(share["Expression"], {"classified": classified, "failed": failed})

    assert {q["Id"] for q in described["Metrics"]} == {"share", "classified", "failed"}
    assert described["ComparisonOperator"] == "GreaterThanThreshold"
    assert (value > described["Threshold"]) is alarm


@pytest.mark.parametrize("function", ["Submit", "Status", "Collect"])
def test_a_function_that_saves_in_time_is_no_alarm(
    resources: Any, alarms: dict[str, Any], dashboard: Any, function: str
) -> None:
    # Submit and collect legitimately work until a minute before their end.
    timeout = resources[f"{function}Function"]["Properties"]["Timeout"]
    alarm = alarms[f"{function}NearTimeout"]
    lines = [
        line["value"]
        for widget in dashboard["widgets"]
        if any(dims == {"FunctionName": f"{function}Function"} for _, _, dims in of_widget(widget))
        for line in widget["properties"].get("annotations", {}).get("horizontal", [])
    ]

    assert [dims for _, _, dims in of_alarm(alarm)] == [{"FunctionName": f"{function}Function"}]
    assert alarm["Period"] > timeout
    assert (timeout - 60) * 1000 + 10_000 < alarm["Threshold"] < timeout * 1000
    assert alarm["Statistic"] == "Maximum"
    assert lines == [timeout]


def test_the_dashboard_lies_on_its_grid_without_gaps_or_overlaps(dashboard: Any) -> None:
    taken = [
        (x, y)
        for widget in dashboard["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    bottom = max(y for _, y in taken) + 1

    assert len(taken) == len(set(taken)) == 24 * bottom
    assert all(widget["properties"].get("title") for widget in dashboard["widgets"][1:])


def test_the_dashboard_shows_every_alarm_and_leads_to_everything(
    dashboard: Any, alarms: dict[str, Any], template: Any
) -> None:
    [text, states, *_] = dashboard["widgets"]
    links = re.findall(r"\]\((\S+)\)", text["properties"]["markdown"])
    url = template["Outputs"]["DashboardUrl"]["Value"]["Fn::Sub"]

    assert set(states["properties"]["alarms"]) == alarms.keys()
    assert len(links) == 6
    assert all(link.startswith("https://AWS::Region.console.aws.amazon.com/") for link in links)
    assert [n for n in ("Workflow", "OwnTicketTable", "SubmitLogs") if n in "".join(links)] == [
        "Workflow", "OwnTicketTable", "SubmitLogs",
    ]  # fmt: skip
    assert url.endswith("#dashboards/dashboard/${Dashboard}")


def test_the_link_to_a_log_group_with_slashes_is_as_the_console_writes_them(
    dashboard: Any, resources: Any
) -> None:
    name = resolved(resources["WorkflowLogs"]["Properties"]["LogGroupName"])
    [text, *_] = dashboard["widgets"]

    assert "/log-group/" + name.replace("/", "$252F") + ")" in text["properties"]["markdown"]


def test_what_batches_saved_is_what_they_cost(dashboard: Any) -> None:
    [money] = [w for w in dashboard["widgets"] if "Cost" in w["properties"].get("title", "")]
    expressions = [row[0] for row in money["properties"]["metrics"] if isinstance(row[0], dict)]

    assert [each["expression"] for each in expressions] == ["cost * 1"]


def test_expressions_of_the_dashboard_name_metrics_of_their_widget(dashboard: Any) -> None:
    for widget in dashboard["widgets"]:
        rows = widget["properties"].get("metrics", [])
        options = [word for row in rows for word in row if isinstance(word, dict)]
        ids = {each["id"] for each in options if "id" in each}
        used = {
            word for each in options for word in re.findall(r"[a-z]\w*", each.get("expression", ""))
        }
        assert used == ids, widget["properties"].get("title")
