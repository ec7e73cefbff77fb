"""The template keeps the contract, allows no more than it must, and lets two stacks live side by
side."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services.cloudformation import engine
from moto.events.models import EventPattern

from nightshift.deployment import AUDIENCE
from nightshift.task.task import TASKS

# Actions whose resources no policy can name (docs.aws.amazon.com, service authorization
# reference for X-Ray, CloudWatch Logs and STS, 2026-11).
WITHOUT_RESOURCE = re.compile(
    r"xray:(Put(TraceSegments|TelemetryRecords)|GetSampling(Rules|Targets))"
    r"|logs:((Create|Get|Update|Delete|List)LogDeliver(y|ies)"
    r"|(Put|Describe)ResourcePolic(y|ies)|DescribeLogGroups)"
    r"|sts:(Tag)?GetWebIdentityToken"
)
NAME_OF = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Serverless::LayerVersion": "LayerName",
    "AWS::Serverless::StateMachine": "Name",
}
NEVER_NAMED = {
    "AWS::IAM::Policy",  # its name is its role's own
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
PARAMETERS: dict[str, Any] = {
    "Task": "ticket-classification",
    "Model": "claude-haiku-4-5",
    "Schedule": "cron(0 2 * * ? *)",
    "ScheduleState": "ENABLED",
    "MaxHoursBetweenNights": 26,
    "PollSeconds": 60,
    "MaxRequestsPerBatch": 10_000,
    "MaxAttempts": 3,
    "MaxCostUsd": 25,
    "MaxMonthlyCostUsd": 0,
    "NotificationEmail": "",
    "TicketTable": "",
    "FederationRuleId": "",
    "OrganizationId": "",
    "ServiceAccountId": "",
    "WorkspaceId": "",
    "WorkspaceRegion": "",
    "AnthropicBaseUrl": "https://api.anthropic.com",
    "Architecture": "arm64",
    "LogLevel": "INFO",
}
OUTPUTS = {
    "TicketTableName": "OwnTicketTable",
    "TicketStreamArn": "OwnTicketTable",
    "RunTableName": "RunTable",
    "WorkflowArn": "Workflow",
    "ApiKeySecretArn": "ApiKeySecret",
    "AlertTopicArn": "AlertTopic",
    "ReportTopicArn": "ReportTopic",
    "SubmitFunctionName": "SubmitFunction",
    "StatusFunctionName": "StatusFunction",
    "CollectFunctionName": "CollectFunction",
    "DashboardUrl": "Dashboard",
}
FUNCTIONS = ["SubmitFunction", "StatusFunction", "CollectFunction"]
TICKETS = {"Fn::If": ["MakesTicketTable", {"Ref": "OwnTicketTable"}, {"Ref": "TicketTable"}]}
TABLES = ["OwnTicketTable", "RunTable"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def of_type(resources: Any, *types: str) -> dict[str, Any]:
    return {name: each for name, each in resources.items() if each["Type"] in types}


def documents(resource: Any) -> Iterator[Any]:
    """The policy documents of a resource: what it may do, or who may do something to it."""
    properties = resource.get("Properties", {})
    if "PolicyDocument" in properties:
        yield properties["PolicyDocument"]
    for policy in properties.get("Policies", []):
        yield policy["PolicyDocument"]


def statements(resources: Any) -> list[tuple[str, Any]]:
    return [
        (name, statement)
        for name, resource in resources.items()
        for document in documents(resource)
        for statement in as_list(document["Statement"])
    ]


def allowed(resources: Any, role: str) -> list[tuple[str, Any]]:
    """Every action that a role's own policies allow, with what it is allowed on."""
    return [
        (action, statement["Resource"])
        for name, statement in statements(resources)
        if name == role
        for action in as_list(statement["Action"])
    ]


def test_no_policy_allows_a_whole_family_of_actions(resources: Any) -> None:
    actions = [a for _, each in statements(resources) for a in as_list(each["Action"])]

    assert len(actions) > 30
    assert [action for action in actions if "*" in action or "?" in action] == []


def test_every_resource_is_named_where_it_can_be(resources: Any) -> None:
    on_all = [each for _, each in statements(resources) if "*" in as_list(each["Resource"])]

    assert on_all
    for statement in on_all:
        for action in as_list(statement["Action"]):
            assert WITHOUT_RESOURCE.fullmatch(action), action


def test_no_policy_turns_itself_round(resources: Any) -> None:
    for _, statement in statements(resources):
        assert statement["Effect"] == "Allow"
        assert not statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}


def test_no_role_has_a_managed_policy(resources: Any) -> None:
    for role in of_type(resources, "AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]


def test_every_role_trusts_one_service(resources: Any) -> None:
    trusted = {
        name: [s["Principal"] for s in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]]
        for name, role in of_type(resources, "AWS::IAM::Role").items()
    }

    assert trusted == {
        "NightlyRuleRole": [{"Service": "events.amazonaws.com"}],
        "WorkflowRole": [{"Service": "states.amazonaws.com"}],
        "SubmitRole": [{"Service": "lambda.amazonaws.com"}],
        "StatusRole": [{"Service": "lambda.amazonaws.com"}],
        "CollectRole": [{"Service": "lambda.amazonaws.com"}],
    }


def test_a_physical_name_holds_the_stacks_so_two_stacks_share_an_account(resources: Any) -> None:
    named = {}
    for name, resource in resources.items():
        kind = resource["Type"]
        assert kind in NAME_OF or kind in NEVER_NAMED, f"{name}: how is a {kind} named?"
        if given := resource.get("Properties", {}).get(NAME_OF.get(kind)):
            named[name] = given

    assert named == {"WorkflowLogs": {"Fn::Sub": "/aws/vendedlogs/states/${AWS::StackName}"}}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_a_role_and_a_log_group_of_its_own(resources: Any, function: str) -> None:
    properties = resources[function]["Properties"]
    role = properties["Role"]["Fn::GetAtt"][0]
    logs = properties["LoggingConfig"]["LogGroup"]["Ref"]
    others = json.dumps([resources[each] for each in FUNCTIONS if each != function])

    assert resources[role]["Type"] == "AWS::IAM::Role"
    assert resources[logs]["Properties"]["RetentionInDays"] <= 90
    assert f'"{role}"' not in others
    assert f'"{logs}"' not in others
    assert ("logs:PutLogEvents", {"Fn::GetAtt": [logs, "Arn"]}) in allowed(resources, role)


def test_every_log_is_forgotten_some_day(resources: Any) -> None:
    groups = of_type(resources, "AWS::Logs::LogGroup")

    assert len(groups) == 4
    assert all(1 <= group["Properties"]["RetentionInDays"] <= 90 for group in groups.values())


def test_a_function_writes_the_ticket_table_in_its_own_way_only(resources: Any) -> None:
    arn = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Table}"
    table = {"Fn::Sub": [arn, {"Table": TICKETS}]}
    on_tickets = {
        role: {action for action, on in allowed(resources, role) if on == table}
        for role in ("SubmitRole", "StatusRole", "CollectRole")
    }

    assert on_tickets == {
        "SubmitRole": {"dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:UpdateItem"},
        "StatusRole": set(),
        "CollectRole": {
            "dynamodb:BatchGetItem",
            "dynamodb:DescribeTable",
            "dynamodb:PartiQLUpdate",
            "dynamodb:UpdateItem",
        },
    }


def test_nobody_may_delete_or_replace_a_ticket(resources: Any) -> None:
    for name, statement in statements(resources):
        if "OwnTicketTable" in json.dumps(statement["Resource"]):
            actions = set(as_list(statement["Action"]))
            assert not actions & {
                "dynamodb:BatchWriteItem",
                "dynamodb:DeleteItem",
                "dynamodb:PartiQLDelete",
                "dynamodb:PartiQLInsert",
                "dynamodb:PutItem",
            }, name


def test_reading_executions_is_a_policy_apart_from_the_functions(resources: Any) -> None:
    # In the role it would need the workflow, which needs the function, which needs the role.
    policy = resources["SubmitReadsExecutions"]

    assert policy["Properties"]["Roles"] == [{"Ref": "SubmitRole"}]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "states:DescribeExecution"
    assert statement["Resource"]["Fn::Sub"].endswith(":execution:${Workflow.Name}:*")
    assert "Workflow" not in json.dumps(resources["SubmitRole"])


@pytest.mark.parametrize("table", TABLES)
def test_a_table_outlives_its_stack_and_costs_nothing_while_idle(
    resources: Any, table: str
) -> None:
    properties = resources[table]["Properties"]

    assert resources[table]["DeletionPolicy"] == "Retain"
    assert resources[table]["UpdateReplacePolicy"] == "Retain"
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_ticket_table_and_its_index_are_those_of_the_contract(resources: Any) -> None:
    properties = resources["OwnTicketTable"]["Properties"]

    assert properties["KeySchema"] == [{"AttributeName": "ticket_id", "KeyType": "HASH"}]
    assert properties["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "by_classification_status",
            "KeySchema": [
                {"AttributeName": "classification_status", "KeyType": "HASH"},
                {"AttributeName": "ticket_id", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]
    assert sorted(properties["AttributeDefinitions"], key=lambda each: each["AttributeName"]) == [
        {"AttributeName": "classification_status", "AttributeType": "S"},
        {"AttributeName": "ticket_id", "AttributeType": "S"},
    ]
    assert "TimeToLiveSpecification" not in properties
    # Both images: a consumer can tell a new answer from any other change.
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_a_table_of_the_users_is_used_in_place_of_ours(template: Any, resources: Any) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    everything = json.dumps([template["Globals"], resources, template["Outputs"]])

    assert template["Conditions"]["MakesTicketTable"] == {
        "Fn::Equals": [{"Ref": "TicketTable"}, ""]
    }
    assert resources["OwnTicketTable"]["Condition"] == "MakesTicketTable"
    assert variables["TICKET_TABLE"] == TICKETS
    assert template["Outputs"]["TicketTableName"]["Value"] == TICKETS
    # Nobody takes for granted that ours exists; the one output that needs it, exists with it.
    stream = template["Outputs"]["TicketStreamArn"]
    assert stream["Condition"] == "MakesTicketTable"
    assert everything.count('"OwnTicketTable"') == everything.count(json.dumps(TICKETS)) + 2


def test_an_identity_is_for_one_audience_and_only_where_there_is_no_key(
    template: Any, resources: Any
) -> None:
    policy = resources["SignInWithoutKey"]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]

    assert policy["Condition"] == "SignsInWithoutKey"
    assert template["Conditions"]["SignsInWithoutKey"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "FederationRuleId"}, ""]}]
    }
    assert statement["Action"] == "sts:GetWebIdentityToken"
    assert statement["Condition"]["ForAllValues:StringEquals"] == {
        "sts:IdentityTokenAudience": AUDIENCE
    }


def test_the_run_table_forgets_old_runs(resources: Any) -> None:
    properties = resources["RunTable"]["Properties"]

    assert properties["KeySchema"] == [
        {"AttributeName": "run_id", "KeyType": "HASH"},
        {"AttributeName": "record", "KeyType": "RANGE"},
    ]
    assert properties["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }


def test_a_night_that_could_not_start_is_kept_and_seen(resources: Any) -> None:
    [target] = resources["NightlyRule"]["Properties"]["Targets"]
    queue = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
    [policy] = of_type(resources, "AWS::SQS::QueuePolicy").values()
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    watched = [
        alarm["Properties"]
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
        if queue in json.dumps(alarm["Properties"].get("Dimensions"))
    ]

    assert target["Arn"] == {"Ref": "Workflow"}
    assert resources[queue]["Type"] == "AWS::SQS::Queue"
    assert policy["Properties"]["Queues"] == [{"Ref": queue}]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["NightlyRule", "Arn"]}}
    }
    assert [alarm["AlarmActions"] for alarm in watched] == [[{"Ref": "AlertTopic"}]]


def test_the_rule_may_start_this_workflow_and_do_nothing_else(resources: Any) -> None:
    # No local cloud reads the role of a rule's target.
    [target] = resources["NightlyRule"]["Properties"]["Targets"]
    role, attribute = target["RoleArn"]["Fn::GetAtt"]
    others = [
        policy["Properties"]["Roles"] for policy in of_type(resources, "AWS::IAM::Policy").values()
    ]

    assert attribute == "Arn"
    assert resources[role]["Type"] == "AWS::IAM::Role"
    assert allowed(resources, role) == [("states:StartExecution", {"Ref": "Workflow"})]
    assert [{"Ref": role}] not in others


def test_a_start_that_fails_is_tried_again_for_an_hour(resources: Any) -> None:
    [target] = resources["NightlyRule"]["Properties"]["Targets"]

    assert target["RetryPolicy"] == {
        "MaximumRetryAttempts": 10,
        "MaximumEventAgeInSeconds": 3_600,
    }


def test_the_schedule_and_its_switch_are_parameters(resources: Any) -> None:
    rule = resources["NightlyRule"]["Properties"]

    assert rule["ScheduleExpression"] == {"Ref": "Schedule"}
    assert rule["State"] == {"Ref": "ScheduleState"}


def test_the_parameters_are_those_of_the_contract_with_their_defaults(template: Any) -> None:
    defaults = {name: each["Default"] for name, each in template["Parameters"].items()}

    assert defaults == PARAMETERS


def test_every_shipped_task_can_be_chosen_and_the_default_is_one(template: Any) -> None:
    task = template["Parameters"]["Task"]
    shipped = {each.stem for each in TASKS.glob("*.toml")}

    assert task["Default"] in shipped
    assert [each for each in shipped if not re.fullmatch(task["AllowedPattern"], each)] == []


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_has_a_description_and_bounds_that_its_default_keeps(
    template: Any, name: str
) -> None:
    parameter = template["Parameters"][name]
    default = parameter["Default"]

    assert len(parameter["Description"]) > 20
    if parameter["Type"] == "Number":
        assert parameter["MinValue"] <= default <= parameter["MaxValue"]
    elif "AllowedValues" in parameter:
        assert default in parameter["AllowedValues"]
    else:
        assert re.fullmatch(parameter["AllowedPattern"], default)


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("PollSeconds", {"MinValue": 60}),
        ("MaxRequestsPerBatch", {"MinValue": 1, "MaxValue": 100_000}),
        ("MaxAttempts", {"MinValue": 1}),
        ("ScheduleState", {"AllowedValues": ["ENABLED", "DISABLED"]}),
        ("Architecture", {"AllowedValues": ["arm64", "x86_64"]}),
    ],
)
def test_the_bounds_are_those_of_the_contract(
    template: Any, name: str, bounds: dict[str, Any]
) -> None:
    assert bounds.items() <= template["Parameters"][name].items()


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("Task", ["call-summaries", "reviews2"], ["", "Reviews", "a b", "-a", "../a", "a.toml"]),
        ("Model", ["claude-haiku-5-5", "claude-haiku-4-5-20251001"], ["", "gpt-5", "claude-x y"]),
        ("Schedule", ["rate(1 day)", "cron(30 1 ? * MON-FRI *)"], ["", "0 2 * * *", "cron()"]),
        ("NotificationEmail", ["", "ops@example.com"], ["ops", "ops@example", "a b@example.com"]),
        ("TicketTable", ["", "tickets", "help.desk-1_"], ["ab", "a b", "arn:aws:x", "x" * 256]),
        ("FederationRuleId", ["", "fdrl_01AbC"], ["fdrl_", "rule", "fdrl_a b"]),
        ("OrganizationId", ["", "00000000-0000-4000-8000-00000000000a"], ["org", "0" * 36]),
        ("ServiceAccountId", ["", "svac_01AbC"], ["svac_", "me"]),
        ("WorkspaceId", ["", "wrkspc_01AbC"], ["wrkspc_", "default", "wrkspc_a b", "wrkspc_a/*"]),
        ("WorkspaceRegion", ["", "us-east-1", "us-gov-west-1"], ["us", "us-east", "us-east-1/x"]),
        ("AnthropicBaseUrl", ["http://127.0.0.1:8080"], ["", "api.anthropic.com", "https://a b"]),
    ],
)
def test_a_pattern_takes_what_is_right_and_nothing_else(
    template: Any, name: str, good: list[str], bad: list[str]
) -> None:
    pattern = template["Parameters"][name]["AllowedPattern"]

    assert [each for each in good if not re.fullmatch(pattern, each)] == []
    assert [each for each in bad if re.fullmatch(pattern, each)] == []


def test_every_parameter_is_used(template: Any) -> None:
    used = json.dumps([template[part] for part in ("Conditions", "Globals", "Resources")])

    assert [name for name in PARAMETERS if f'"Ref": "{name}"' not in used] == []


def test_the_outputs_are_those_of_the_contract(template: Any) -> None:
    outputs = template["Outputs"]

    assert outputs.keys() == OUTPUTS.keys()
    assert all(output["Description"] for output in outputs.values())
    for name, resource in OUTPUTS.items():
        assert resource in json.dumps(outputs[name]["Value"]), name


def test_the_key_is_in_no_environment_variable_and_in_no_template(
    template: Any, resources: Any
) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    secret = resources["ApiKeySecret"]["Properties"]

    assert variables["API_KEY_SECRET"] == {"Fn::GetAtt": ["ApiKeySecret", "Id"]}
    assert [name for name in variables if "KEY" in name] == ["API_KEY_SECRET"]
    assert "resolve:secretsmanager" not in json.dumps(template)
    assert not secret.keys() & {"SecretString", "GenerateSecretString"}
    assert not any("Environment" in resources[each]["Properties"] for each in FUNCTIONS)


def policy(resources: Any, name: str) -> tuple[Any, list[str], list[Any]]:
    """The condition, the roles and the statements of a policy that stands apart from its roles."""
    each = resources[name]
    roles = [role["Ref"] for role in each["Properties"]["Roles"]]
    return each.get("Condition"), roles, each["Properties"]["PolicyDocument"]["Statement"]


ROLES = ["SubmitRole", "StatusRole", "CollectRole"]


def test_the_functions_may_read_this_stacks_secret_alone_and_only_where_there_is_a_key(
    template: Any, resources: Any
) -> None:
    readers = [
        name
        for name, statement in statements(resources)
        if "secretsmanager" in json.dumps(statement)
    ]
    condition, roles, [statement] = policy(resources, "ReadApiKey")

    assert readers == ["ReadApiKey"]
    assert roles == ROLES
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert statement["Resource"] == {"Fn::GetAtt": ["ApiKeySecret", "Id"]}
    assert template["Conditions"][condition] == {"Fn::Equals": [{"Ref": "WorkspaceId"}, ""]}


REGION = {"Fn::If": ["HasWorkspaceRegion", {"Ref": "WorkspaceRegion"}, {"Ref": "AWS::Region"}]}
# What each function calls there (the stand-in's gateway says which call needs which action).
THROUGH_AWS = {
    "Submit": {
        "CancelBatchInference",
        "CountTokens",
        "CreateBatchInference",
        "GetBatchInference",
        "GetModel",
        "ListBatchInferences",
    },
    "Status": {"GetBatchInference", "ListBatchInferences"},
    "Collect": {"DeleteBatchInference", "GetBatchInference"},
}


@pytest.mark.parametrize("verb", THROUGH_AWS)
def test_a_function_may_make_its_own_calls_to_the_one_workspace_alone(
    resources: Any, verb: str
) -> None:
    condition, roles, [statement] = policy(resources, f"{verb}ThroughAws")
    [arn, names] = statement["Resource"]["Fn::Sub"]

    assert (condition, roles) == ("ReachesClaudeThroughAws", [f"{verb}Role"])
    actions = {action.removeprefix("aws-external-anthropic:") for action in statement["Action"]}
    assert actions == THROUGH_AWS[verb]
    assert arn == (
        "arn:${AWS::Partition}:aws-external-anthropic:${Region}:${AWS::AccountId}"
        ":workspace/${WorkspaceId}"
    )
    assert names == {"Region": REGION}


def test_the_platform_may_ask_who_calls_and_only_the_platform(resources: Any) -> None:
    condition, roles, [asks, tags] = policy(resources, "VouchThroughAws")

    assert (condition, roles) == ("ReachesClaudeThroughAws", ROLES)
    assert asks["Action"] == "sts:GetWebIdentityToken"
    assert asks["Condition"] == {
        "StringEquals": {"aws:CalledViaLast": "aws-external-anthropic.amazonaws.com"},
        "ForAnyValue:StringEquals": {
            "sts:IdentityTokenAudience": [
                "https://api.anthropic.com",
                "https://platform.claude.com",
            ]
        },
    }
    assert tags["Action"] == "sts:TagGetWebIdentityToken"


def test_a_workspace_is_dialed_at_its_own_region_unless_another_address_is_given(
    template: Any,
) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    conditions = template["Conditions"]
    there, [endpoint, names], given = _unless(variables["ANTHROPIC_BASE_URL"])

    assert (endpoint, names) == (
        "https://aws-external-anthropic.${Region}.api.aws",
        {"Region": REGION},
    )
    assert given == {"Ref": "AnthropicBaseUrl"}
    assert variables["WORKSPACE_REGION"] == REGION
    assert conditions[there]["Fn::And"] == [
        {"Condition": "ReachesClaudeThroughAws"},
        {"Fn::Equals": [{"Ref": "AnthropicBaseUrl"}, PARAMETERS["AnthropicBaseUrl"]]},
    ]
    assert conditions["ReachesClaudeThroughAws"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "WorkspaceId"}, ""]}]
    }


def _unless(value: Any) -> tuple[str, list[Any], Any]:
    condition, there, otherwise = value["Fn::If"]
    return condition, there["Fn::Sub"], otherwise


@pytest.mark.parametrize("rule", ["", "fdrl_01"])
@pytest.mark.parametrize("workspace", ["", "wrkspc_01"])
def test_two_ways_to_sign_in_are_refused(template: Any, workspace: str, rule: str) -> None:
    given = PARAMETERS | {"WorkspaceId": workspace, "FederationRuleId": rule}
    values = {name: {"Value": str(value)} for name, value in given.items()}

    if workspace and rule:
        with pytest.raises(ValueError, match="WorkspaceId and a FederationRuleId are two ways"):
            engine._evaluate_rules(template, values, {})
    else:
        engine._evaluate_rules(template, values, {})


def test_the_workflow_logs_its_errors_without_data_and_is_traced(resources: Any) -> None:
    properties = resources["Workflow"]["Properties"]
    [destination] = properties["Logging"]["Destinations"]

    assert properties["Type"] == "STANDARD"
    assert properties["Logging"]["Level"] in ("ERROR", "ALL")
    assert properties["Logging"]["IncludeExecutionData"] is False
    assert destination["CloudWatchLogsLogGroup"]["LogGroupArn"] == {
        "Fn::GetAtt": ["WorkflowLogs", "Arn"]
    }
    assert properties["Tracing"] == {"Enabled": True}


def test_functions_are_traced_without_code(template: Any, resources: Any) -> None:
    assert template["Globals"]["Function"]["Tracing"] == "Active"
    for role in ("SubmitRole", "StatusRole", "CollectRole", "WorkflowRole"):
        actions = {action for action, _ in allowed(resources, role)}
        assert {"xray:PutTraceSegments", "xray:PutTelemetryRecords"} <= actions, role


def test_no_function_reserves_concurrency(template: Any, resources: Any) -> None:
    # A new account has ten, and at least as many must stay unreserved.
    everything = json.dumps([template["Globals"], resources])

    assert "ReservedConcurrentExecutions" not in everything
    assert "ProvisionedConcurrency" not in everything


def test_the_mail_subscribes_to_both_topics_if_there_is_one(resources: Any) -> None:
    subscriptions = of_type(resources, "AWS::SNS::Subscription").values()

    assert {each["Properties"]["TopicArn"]["Ref"] for each in subscriptions} == {
        "AlertTopic",
        "ReportTopic",
    }
    assert {each["Condition"] for each in subscriptions} == {"HasNotificationEmail"}
    assert {each["Properties"]["Endpoint"]["Ref"] for each in subscriptions} == {
        "NotificationEmail"
    }


WORKFLOW_ARN = "arn:aws:states:eu-central-1:123456789012:stateMachine:nightshift-Workflow"


def status_change(status: str, workflow: str = WORKFLOW_ARN) -> dict[str, Any]:
    """An event of Step Functions, as its documentation shows one."""
    execution = workflow.replace("stateMachine", "execution") + ":night"
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-11-22T19:42:21Z",
        "region": "eu-central-1",
        "resources": [execution],
        "detail": {
            "executionArn": execution,
            "stateMachineArn": workflow,
            "name": "night",
            "status": status,
            "startDate": 1_551_225_271_984,
            "stopDate": 1_551_225_291_984,
            "input": "{}",
            "output": None,
        },
    }


def test_an_alert_of_a_night_that_timed_out_says_after_how_long(
    resources: Any, workflow: Any
) -> None:
    told = resources["TimedOutNights"]["Properties"]["AlarmDescription"]

    assert f"after {workflow['TimeoutSeconds'] // 3_600} hours" in told


@pytest.fixture
def cut_off(resources: Any) -> EventPattern:
    pattern = json.dumps(resources["CutOffRule"]["Properties"]["EventPattern"])
    return EventPattern.load(pattern.replace('{"Ref": "Workflow"}', f'"{WORKFLOW_ARN}"'))


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED"])
def test_an_end_that_no_state_can_tell_of_is_told(cut_off: EventPattern, status: str) -> None:
    assert cut_off.matches_event(status_change(status))


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "FAILED", "PENDING_REDRIVE"])
def test_an_end_that_speaks_for_itself_is_not_told_twice(
    cut_off: EventPattern, status: str
) -> None:
    assert not cut_off.matches_event(status_change(status))


def test_another_workflow_is_none_of_our_business(cut_off: EventPattern) -> None:
    assert not cut_off.matches_event(status_change("ABORTED", WORKFLOW_ARN + "-2"))


def test_what_is_told_of_a_cut_off_night_is_one_string_of_status_and_execution(
    resources: Any,
) -> None:
    [target] = resources["CutOffRule"]["Properties"]["Targets"]
    transformer = target["InputTransformer"]

    filled = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        value = status_change("ABORTED")
        for key in path.removeprefix("$.").split("."):
            value = value[key]
        filled = filled.replace(f"<{name}>", str(value))
    told = json.loads(filled)
    assert "ABORTED" in told
    assert status_change("ABORTED")["detail"]["executionArn"] in told
    assert "<" not in told


def test_eventbridge_may_publish_the_alert(resources: Any) -> None:
    # "You can't use Condition blocks in Amazon SNS topic policies for EventBridge"
    # (docs.aws.amazon.com, EventBridge, resource-based policies, 2026-11).
    [target] = resources["CutOffRule"]["Properties"]["Targets"]
    permits = [
        statement
        for name, statement in statements(resources)
        if name == "AlertTopicPolicy"
        and "events.amazonaws.com" in as_list(statement["Principal"]["Service"])
    ]

    assert target["Arn"] == {"Ref": "AlertTopic"}
    assert "RoleArn" in target or any("Condition" not in statement for statement in permits)


def test_an_alarm_may_publish_the_alert(resources: Any) -> None:
    permits = [
        statement["Resource"]
        for name, statement in statements(resources)
        if name == "AlertTopicPolicy"
        and "cloudwatch.amazonaws.com" in as_list(statement["Principal"]["Service"])
    ]

    assert permits == [{"Ref": "AlertTopic"}]


def test_resources_stand_in_the_order_the_data_flows(resources: Any) -> None:
    order = list(resources)

    assert order.index("NightlyRule") < order.index("Workflow") < order.index("SubmitFunction")
    assert order.index("SubmitFunction") < order.index("StatusFunction")
    assert order.index("StatusFunction") < order.index("CollectFunction")
