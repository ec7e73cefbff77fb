"""Each role can do its work, not with one permission less, and nothing beside it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.stack.stack import Stack
from tools.local.claude_standin.gateway import OF_STS, SERVICE
from tools.local.cloud.cloud import REGION

# What the local cloud cannot check: there logs and traces are nobody's calls, while on AWS Lambda
# and Step Functions make them with the role. So these are compared with what AWS asks for
# (docs.aws.amazon.com: Lambda execution role, Step Functions logging and X-Ray, 2026-11).
UNCHECKED = ("logs:", "xray:")
OF_A_FUNCTION = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
OF_A_WORKFLOW = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
NO_PERMISSION = {
    "type": "errored",
    "error": {"type": "permission_error", "message": "Your key may not use this model."},
}
LONG_ID = "T-" + "x" * 200
RUN = "2026-11-22"


class Permission(NamedTuple):
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True)
class Role:
    """A role of the deployed stack, whose policies can be edited while it is in use."""

    stack: Stack
    name: str

    @cached_property
    def iam(self) -> Any:
        return self.stack.cloud.client("iam")

    @cached_property
    def policies(self) -> dict[str, Any]:
        """The inline policies as they were deployed."""
        names = self.iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        return {
            name: self.iam.get_role_policy(RoleName=self.name, PolicyName=name)["PolicyDocument"]
            for name in names
        }

    @property
    def permissions(self) -> list[Permission]:
        """What the local cloud can check."""
        return [each for each in self._allowed() if not each.action.startswith(UNCHECKED)]

    @property
    def unchecked(self) -> set[str]:
        """The actions that it cannot check."""
        return {each.action for each in self._allowed() if each.action.startswith(UNCHECKED)}

    def lose(self, lost: Permission) -> None:
        for name, document in self.policies.items():
            left = without(lost, document["Statement"])
            if left:
                self._put(name, {**document, "Statement": left})
            else:
                self.iam.delete_role_policy(RoleName=self.name, PolicyName=name)

    def recover(self) -> None:
        for name, document in self.policies.items():
            self._put(name, document)

    def clients(self) -> Callable[[str], Any]:
        """boto3 clients with this role's credentials."""
        role = self.iam.get_role(RoleName=self.name)["Role"]
        trust = role["AssumeRolePolicyDocument"]
        ours = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}
        opened = {**trust, "Statement": [*trust["Statement"], ours]}
        self.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=json.dumps(opened))
        sts = self.stack.cloud.client("sts")
        assumed = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
        self.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=json.dumps(trust))
        session = boto3.Session(
            assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"], REGION
        )
        return lambda service: session.client(service, endpoint_url=self.stack.cloud.endpoint)

    def _allowed(self) -> Iterator[Permission]:
        for document in self.policies.values():
            for statement in document["Statement"]:
                for action in as_list(statement["Action"]):
                    for resource in as_list(statement["Resource"]):
                        yield Permission(action, resource)

    def _put(self, name: str, document: Any) -> None:
        self.iam.put_role_policy(
            RoleName=self.name, PolicyName=name, PolicyDocument=json.dumps(document)
        )


@dataclass(frozen=True)
class Function:
    """A function of the deployed stack, called without the workflow."""

    stack: Stack
    name: str

    @property
    def role(self) -> Role:
        return Role(self.stack, self.configuration["Role"].rpartition("/")[2])

    @cached_property
    def client(self) -> Any:
        return self.stack.cloud.client("lambda")

    @cached_property
    def configuration(self) -> dict[str, Any]:
        return dict(self.client.get_function_configuration(FunctionName=self.name))

    def call(self, event: Any) -> Any:
        answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    def start_cold(self) -> None:
        """Forget what it keeps between calls, as Lambda does after any change."""
        self.client.update_function_configuration(
            FunctionName=self.name, Timeout=self.configuration["Timeout"]
        )


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def without(lost: Permission, statements: list[Any]) -> list[Any]:
    """The same statements, allowing one action less on one resource."""
    left = []
    for statement in statements:
        actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
        if lost.action not in actions or lost.resource not in resources:
            left.append(statement)
            continue
        others = [action for action in actions if action != lost.action]
        elsewhere = [resource for resource in resources if resource != lost.resource]
        if others:
            left.append({**statement, "Action": others})
        if elsewhere:
            left.append({**statement, "Action": lost.action, "Resource": elsewhere})
    return left


@pytest.fixture
def submit(stack: Stack) -> Function:
    return Function(stack, stack.outputs["SubmitFunctionName"])


@pytest.fixture
def status(stack: Stack) -> Function:
    return Function(stack, stack.outputs["StatusFunctionName"])


@pytest.fixture
def collect(stack: Stack) -> Function:
    return Function(stack, stack.outputs["CollectFunctionName"])


def test_submit_needs_every_permission_it_has(stack: Stack, submit: Function) -> None:
    def work() -> Any:
        """A lock to take over, a ticket without text, one with a long id: all in one call."""
        stack.forget()
        stack.put("A", LONG_ID)
        stack.put_item({"ticket_id": "empty", "classification_status": "pending"})
        stack.put_record({"run_id": "lock", "record": "lock", "holder": execution(stack, "over")})
        return submit.call(submission(stack))

    assert idle_permissions(submit, work) == []


def test_status_needs_every_permission_it_has(
    stack: Stack, submit: Function, status: Function
) -> None:
    def work() -> Any:
        """One batch to look for, and one whose create is in doubt."""
        [batch] = send(stack, submit)
        doubtful = {k: v for k, v in batch.items() if k not in ("batch_id", "created_at")}
        stack.put_record(doubtful | {"record": "batch#0002", "state": "creating"})
        return status.call({"execution": execution(stack, "me"), "run_id": RUN})

    assert idle_permissions(status, work) == []


def test_collect_needs_every_permission_it_has(
    stack: Stack, submit: Function, collect: Function
) -> None:
    def work() -> Any:
        [batch] = send(stack, submit)
        stack.claude.control.end_batch(batch["batch_id"])
        event = {"execution": execution(stack, "me"), "run_id": RUN, "record": batch["record"]}
        return collect.call(event)

    assert idle_permissions(collect, work) == []


def test_the_workflow_needs_every_permission_it_has(stack: Stack) -> None:
    """A night with a rejected ticket calls all three functions, reports, records and alerts."""
    role = Role(stack, stack.physical("WorkflowRole"))
    idle = []

    for lost in role.permissions:
        stack.forget()
        stack.put("A")
        stack.claude.control.add_rows({"outcome": NO_PERMISSION})
        role.lose(lost)
        try:
            night = stack.run()
        finally:
            role.recover()
        if not refused(night.history(), lost):
            idle.append(str(lost))

    assert len(role.permissions) > 5
    assert idle == []


REFUSALS = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
FORBIDDEN: list[tuple[str, str, dict[str, Any]]] = [
    # Another stack's table in the same account.
    ("dynamodb", "get_item", {"TableName": "{theirs}", "Key": {"ticket_id": {"S": "A"}}}),
    ("dynamodb", "query", {"TableName": "{theirs}", "KeyConditionExpression": "ticket_id = :a",
                           "ExpressionAttributeValues": {":a": {"S": "A"}}}),
    ("dynamodb", "update_item", {"TableName": "{theirs}", "Key": {"ticket_id": {"S": "A"}}}),
    # Tickets: never read all at once, replaced, brought back to life or deleted.
    ("dynamodb", "scan", {"TableName": "{tickets}"}),
    ("dynamodb", "put_item", {"TableName": "{tickets}", "Item": {"ticket_id": {"S": "A"}}}),
    ("dynamodb", "delete_item", {"TableName": "{tickets}", "Key": {"ticket_id": {"S": "A"}}}),
    ("dynamodb", "batch_write_item", {"RequestItems": {"{tickets}": [
        {"DeleteRequest": {"Key": {"ticket_id": {"S": "A"}}}}]}}),
    ("dynamodb", "batch_execute_statement", {"Statements": [
        {"Statement": "DELETE FROM \"{tickets}\" WHERE ticket_id='A'"}]}),
    ("dynamodb", "delete_table", {"TableName": "{tickets}"}),
    # The record of runs: never forgotten.
    ("dynamodb", "delete_item", {"TableName": "{runs}",
                                 "Key": {"run_id": {"S": "lock"}, "record": {"S": "lock"}}}),
    ("dynamodb", "delete_table", {"TableName": "{runs}"}),
    # Secrets: never another one, never changed, never listed.
    ("secretsmanager", "get_secret_value", {"SecretId": "{their_secret}"}),
    ("secretsmanager", "put_secret_value", {"SecretId": "{secret}", "SecretString": "sk-ant-x"}),
    ("secretsmanager", "list_secrets", {}),
    # The workflow and the functions: never started, stopped or called.
    ("stepfunctions", "start_execution", {"stateMachineArn": "{workflow}"}),
    ("stepfunctions", "stop_execution", {"executionArn": "{execution}"}),
    ("lambda", "invoke", {"FunctionName": "{function}"}),
    # Nothing is told behind the workflow's back, and nothing else is looked at.
    ("sns", "publish", {"TopicArn": "{alerts}", "Message": "all is well"}),
    ("s3", "list_buckets", {}),
    ("iam", "list_roles", {}),
]  # fmt: skip


@pytest.mark.parametrize("function", ["submit", "status", "collect"])
def test_what_a_function_has_no_business_with_is_refused(
    stack: Stack, neighbour: Stack, function: str, request: pytest.FixtureRequest
) -> None:
    client = cache(request.getfixturevalue(function).role.clients())
    names = {
        "tickets": stack.outputs["TicketTableName"],
        "runs": stack.outputs["RunTableName"],
        "secret": stack.outputs["ApiKeySecretArn"],
        "workflow": stack.outputs["WorkflowArn"],
        "function": stack.outputs["CollectFunctionName"],
        "alerts": stack.outputs["AlertTopicArn"],
        "execution": execution(stack, "running"),
        "theirs": neighbour.outputs["TicketTableName"],
        "their_secret": neighbour.outputs["ApiKeySecretArn"],
    }

    answers = {
        f"{service} {operation} {given}": answer_to(
            client(service), operation, filled(given, names)
        )
        for service, operation, given in FORBIDDEN
    }

    assert {call: said for call, said in answers.items() if said not in REFUSALS} == {}


def test_logs_and_traces_are_written_as_aws_asks_for_it(
    stack: Stack, submit: Function, status: Function, collect: Function
) -> None:
    workflow = Role(stack, stack.physical("WorkflowRole"))

    assert [each.role.unchecked for each in (submit, status, collect)] == [OF_A_FUNCTION] * 3
    assert workflow.unchecked == OF_A_WORKFLOW


def test_the_schedule_may_start_its_workflow_and_nothing_else(stack: Stack) -> None:
    role = Role(stack, stack.physical("NightlyRuleRole"))

    assert role.permissions == [("states:StartExecution", stack.outputs["WorkflowArn"])]


def filled(given: Any, names: dict[str, str]) -> Any:
    text = json.dumps(given)
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return json.loads(text)


def answer_to(client: Any, operation: str, arguments: dict[str, Any]) -> str:
    """The code of the error, or that there was none."""
    try:
        getattr(client, operation)(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


def idle_permissions(function: Function, work: Callable[[], Any]) -> list[str]:
    """Permissions without which a function does its work just as well."""
    role = function.role
    done = work()
    assert "errorMessage" not in done, done
    idle = []
    # Which call to Claude needs which permission through AWS is in test_through_aws.py.
    for lost in [each for each in role.permissions if not is_of_claude(each)]:
        role.lose(lost)
        try:
            answer = work()
            if "errorMessage" not in answer:  # what it needs may be cached
                function.start_cold()
                answer = work()
        finally:
            role.recover()
        if "errorMessage" not in answer or lost.action not in answer["errorMessage"]:
            idle.append(f"{lost}: {answer}")
    assert role.permissions
    return idle


def is_of_claude(permission: Permission) -> bool:
    """Whether it is one for Claude Platform on AWS."""
    return permission.action.startswith(f"{SERVICE}:") or permission.action in OF_STS


def refused(history: list[dict[str, Any]], lost: Permission) -> bool:
    """Whether a state was refused this very permission."""
    failures = [event.get("taskFailedEventDetails", {}) for event in history]
    denied = [each["cause"] for each in failures if each.get("error") == "States.Permissions"]
    return any(
        cause.endswith(f"perform: {lost.action} on resource: {lost.resource}") for cause in denied
    )


def execution(stack: Stack, name: str) -> str:
    return stack.outputs["WorkflowArn"].replace(":stateMachine:", ":execution:") + f":{name}"


def submission(stack: Stack) -> dict[str, Any]:
    started = {"started_at": f"{RUN}T02:00:00.000Z", "input": {}, "estimate": None}
    return {"execution": execution(stack, "me"), **started}


def send(stack: Stack, submit: Function) -> list[dict[str, Any]]:
    """Have two tickets sent, one without a subject in the way of some helpdesks, which is written
    apart; the records of their batch, whose results a test brings about."""
    stack.forget()
    stack.put("A")
    null = {"subject": None, "body": "My invoice?", "classification_status": "pending"}
    stack.put_item({"ticket_id": "null", **null})
    stack.claude.control.set_life(seconds=None)
    submit.call(submission(stack))
    return stack.records("batch#", state="open")
