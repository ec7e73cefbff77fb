"""The local cloud: it answers as AWS does, sees nothing of this machine, and leaves nothing."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tools.local.cloud.cloud import REPOSITORY, LocalCloud, local_cloud
from tools.local.cloud.stack import build, deploy

FUNCTION = dedent("""
    import os, signal, sys, time
    from importlib.util import find_spec
    from pathlib import Path
    import boto3

    class ClaudeRejected(Exception):
        pass

    def handler(event, context):
        match event["do"]:
            case "raise":
                raise ClaudeRejected("unknown model")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                sys.exit(1)
            case "sleep":
                time.sleep(event["seconds"])
            case "meet":
                (Path(event["place"]) / str(os.getpid())).touch()
                while len(os.listdir(event["place"])) < event["of"]:
                    time.sleep(0.01)
            case "look":
                import shipped
                seen = {name for name in ("boto3", "pytest", "ministack") if find_spec(name)}
                return {
                    "packages": sorted(seen), "environment": dict(os.environ),
                    "layer": shipped.__file__,
                }
            case "write":
                responses = boto3.client("dynamodb").batch_execute_statement(
                    Statements=[event["statement"]]
                )
                return responses["Responses"]
        return {"pid": os.getpid(), "left": context.get_remaining_time_in_millis()}
""")

ACCOUNT = "000000000000"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_PROFILE", "production")
        patch.setenv("AWS_SESSION_TOKEN", "a session of the user")
        patch.setenv("AWS_ENDPOINT_URL_SQS", "https://sqs.us-east-1.amazonaws.com")
        patch.setenv("ANTHROPIC_API_KEY", "sk-ant-theirs")
        with local_cloud(tmp_path_factory.mktemp("cloud"), wait_scale=0) as running:
            yield running


@pytest.fixture(scope="module")
def function(cloud: LocalCloud) -> str:
    return create_function(cloud)


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"do": "raise"}, "ClaudeRejected"),
        ({"do": "die"}, "Runtime.ExitError"),
        ({"do": "exit"}, "Runtime.ExitError"),
        ({"do": "sleep", "seconds": 60}, "Sandbox.Timedout"),
    ],
)
def test_a_failed_function_reaches_the_workflow_by_its_name_on_aws(
    cloud: LocalCloud, order: dict[str, Any], error: str
) -> None:
    function = create_function(cloud, timeout=3)
    catch = {"ErrorEquals": [error], "Next": "Caught", "Output": "{% $states.errorOutput %}"}
    call = lambda_task(function, order, Catch=[catch])

    execution = run(cloud, {"Call": call, "Caught": {"Type": "Succeed"}})

    assert execution["status"] == "SUCCEEDED"
    caught = json.loads(execution["output"])
    assert caught["Error"] == error
    assert json.loads(caught["Cause"])["errorType"] == error


def test_the_cause_of_a_failure_says_what_was_raised_and_where(
    cloud: LocalCloud, function: str
) -> None:
    execution = run(cloud, {"Call": lambda_task(function, {"do": "raise"})})

    cause = json.loads(execution["cause"])
    assert cause["errorMessage"] == "unknown model"
    assert "in handler" in cause["stackTrace"][-1]


def test_a_retrier_without_attempts_shields_an_error_from_the_retrier_for_all(
    cloud: LocalCloud, function: str
) -> None:
    never = {"ErrorEquals": ["ClaudeRejected"], "MaxAttempts": 0}
    twice = {"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}
    raising = lambda_task(function, {"do": "raise"}, Retry=[never, twice])
    dying = lambda_task(function, {"do": "die"}, Retry=[never, twice])

    raised, died = run(cloud, {"Call": raising}), run(cloud, {"Call": dying})

    assert (raised["error"], attempts(cloud, raised)) == ("ClaudeRejected", 1)
    assert (died["error"], attempts(cloud, died)) == ("Runtime.ExitError", 3)


def test_a_worker_outlives_an_exception(cloud: LocalCloud, function: str) -> None:
    before = invoke(cloud, function, {"do": "say"})

    invoke(cloud, function, {"do": "raise"})

    assert invoke(cloud, function, {"do": "say"})["pid"] == before["pid"]


def test_an_exception_is_in_the_functions_log(cloud: LocalCloud, function: str) -> None:
    invoke(cloud, function, {"do": "raise"})

    events = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")
    assert "[ERROR] ClaudeRejected: unknown model" in {e["message"] for e in events["events"]}


def test_a_function_sees_its_layers_and_the_aws_sdk_and_no_other_package(
    cloud: LocalCloud, function: str
) -> None:
    assert invoke(cloud, function, {"do": "look"})["packages"] == ["boto3"]


def test_a_function_sees_nothing_of_the_developers_environment(
    cloud: LocalCloud, function: str
) -> None:
    environment = invoke(cloud, function, {"do": "look"})["environment"]

    assert "production" not in environment.values()
    assert "ANTHROPIC_API_KEY" not in environment
    assert environment["HOME"] != os.environ["HOME"]


def test_workers_share_one_unpacked_layer(cloud: LocalCloud) -> None:
    names = [create_function(cloud), create_function(cloud)]

    layers = {invoke(cloud, name, {"do": "look"})["layer"] for name in names}

    assert len(layers) == 1


def test_functions_run_side_by_side(cloud: LocalCloud, function: str, tmp_path: Path) -> None:
    orders = [{"do": "meet", "place": str(tmp_path), "of": 4}] * 4

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda order: invoke(cloud, function, order), orders))

    assert len({answer["pid"] for answer in answers}) == 4


def test_our_clients_and_commands_cannot_find_another_account(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "production")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    identity = cloud.client("sts").get_caller_identity()
    cloud.client("sqs").list_queues()
    environment = cloud.environment()

    assert identity["Account"] == "000000000000"
    assert environment["AWS_ENDPOINT_URL"] == cloud.endpoint
    assert {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"}.isdisjoint(environment)
    assert {"AWS_ENDPOINT_URL_SQS", "ANTHROPIC_API_KEY"}.isdisjoint(environment)


def test_the_cloud_listens_on_one_loopback_address(cloud: LocalCloud) -> None:
    port = int(cloud.endpoint.rpartition(":")[2])

    assert is_listening(port)
    assert not is_listening(port, "127.0.0.2")  # where Linux answers for 0.0.0.0


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_process_that_started_the_cloud(
    tmp_path: Path, end: signal.Signals
) -> None:
    program = dedent(f"""
        import pathlib, signal
        from tests.stack.test_local_cloud import create_function, invoke, local_cloud
        # As in a terminal: a shell has what it starts in the background ignore Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with local_cloud(pathlib.Path({str(tmp_path)!r})) as cloud:
            name = create_function(cloud)
            print(cloud.endpoint, invoke(cloud, name, {{"do": "say"}})["pid"], flush=True)
            invoke(cloud, name, {{"do": "sleep", "seconds": 50}})
    """)
    owner = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout
    endpoint, worker = owner.stdout.readline().split()
    assert is_running(int(worker))

    owner.send_signal(end)
    owner.wait(60)

    port = int(endpoint.rpartition(":")[2])
    wait_until(lambda: not is_running(int(worker)) and not is_listening(port))


def test_a_project_is_built_once_and_deployed_with_a_workflow_in_yaml(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    project = write_project(tmp_path)
    parameters = {"Schedule": "cron(0 2 * * ? *)", "Email": ""}

    template = build(cloud, project)
    first_build = template.stat().st_mtime_ns
    assert build(cloud, project).stat().st_mtime_ns == first_build
    outputs = deploy(cloud, "night", template, parameters)
    execution = finish(cloud, outputs["WorkflowArn"])

    assert outputs["Schedule"] == parameters["Schedule"]
    assert json.loads(execution["output"]) == {"heard": outputs["TopicArn"]}
    (project / "functions" / "app.py").write_text("changed = True")
    assert build(cloud, project).stat().st_mtime_ns != first_build


def test_the_policies_of_functions_and_workflows_are_enforced(tmp_path: Path) -> None:
    with local_cloud(tmp_path, settings={"AUTH": "true"}) as cloud:
        name = create_function(cloud)
        create_table(cloud, "tickets")
        statement = "UPDATE tickets SET category=? WHERE ticket_id=? AND subject='x'"
        parameters = [{"S": "bug"}, {"S": "T-1"}]
        order = {"do": "write", "statement": {"Statement": statement, "Parameters": parameters}}
        call = lambda_task(f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}", order)

        not_called = run(cloud, {"Call": call}, role=name)
        allow(cloud, name, "lambda:InvokeFunction", f"lambda:us-east-1:{ACCOUNT}:function:{name}")
        not_written = run(cloud, {"Call": call}, role=name)
        allow(cloud, name, "dynamodb:PartiQLUpdate", f"dynamodb:us-east-1:{ACCOUNT}:table/tickets")
        done = run(cloud, {"Call": call}, role=name)

    assert not_called["error"] == "States.Permissions"
    assert "lambda:InvokeFunction" in not_called["cause"]
    assert "dynamodb:PartiQLUpdate" in not_written["cause"]
    assert json.loads(done["output"])["Payload"][0]["Error"]["Code"] == "ConditionalCheckFailed"


def allow(cloud: LocalCloud, role: str, action: str, resource: str) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:{resource}"}
    cloud.client("iam").put_role_policy(
        RoleName=role,
        PolicyName=action.replace(":", "-"),
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def create_function(cloud: LocalCloud, timeout: int = 60) -> str:
    """A function with a layer and a role of its own name."""
    name = f"f{time.monotonic_ns()}"
    role = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    client = cloud.client("lambda")
    layer = client.publish_layer_version(
        LayerName="shipped", Content={"ZipFile": zipped("python/shipped.py", "")}
    )
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="app.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": zipped("app.py", FUNCTION)},
        Timeout=timeout,
        Layers=[layer["LayerVersionArn"]],
    )
    return name


def create_table(cloud: LocalCloud, name: str) -> None:
    cloud.client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "ticket_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "ticket_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def zipped(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def invoke(cloud: LocalCloud, function: str, order: dict[str, Any]) -> Any:
    client = cloud.client("lambda")
    answer = client.invoke(FunctionName=function, Payload=json.dumps(order))
    return json.loads(answer["Payload"].read())


def lambda_task(function: str, order: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": order},
        "End": True,
        **fields,
    }


def run(cloud: LocalCloud, states: dict[str, Any], role: str = "workflow") -> dict[str, Any]:
    """Create a workflow of these states and run it from the first to its end."""
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    machine = cloud.client("stepfunctions").create_state_machine(
        name=f"m{time.monotonic_ns()}",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        definition=json.dumps(definition),
    )
    return finish(cloud, machine["stateMachineArn"])


def finish(cloud: LocalCloud, state_machine_arn: str) -> dict[str, Any]:
    client = cloud.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=state_machine_arn)["executionArn"]
    wait_until(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING")
    execution: dict[str, Any] = client.describe_execution(executionArn=arn)
    return execution


def attempts(cloud: LocalCloud, execution: dict[str, Any]) -> int:
    history = cloud.client("stepfunctions").get_execution_history(
        executionArn=execution["executionArn"]
    )
    return [event["type"] for event in history["events"]].count("TaskScheduled")


def is_running(pid: int) -> bool:
    """Whether a process exists and is more than a zombie that nobody has waited for."""
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    status = subprocess.run(command, check=False, capture_output=True, text=True)
    return status.stdout.strip()[:1] not in {"", "Z"}


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


def wait_until(condition: Any, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def write_project(directory: Path) -> Path:
    files = {
        "template.yaml": """
            AWSTemplateFormatVersion: "2010-09-09"
            Transform: AWS::Serverless-2016-10-31
            Parameters:
              Schedule: {Type: String}
              Email: {Type: String}
            Resources:
              Topic: {Type: AWS::SNS::Topic}
              Function:
                Type: AWS::Serverless::Function
                Properties: {CodeUri: functions, Handler: app.handler, Runtime: python3.13}
              Workflow:
                Type: AWS::Serverless::StateMachine
                Properties:
                  DefinitionUri: workflow.asl.yaml
                  DefinitionSubstitutions: {Topic: !Ref Topic}
            Outputs:
              Schedule: {Value: !Ref Schedule}
              TopicArn: {Value: !Ref Topic}
              WorkflowArn: {Value: !Ref Workflow}
        """,
        "workflow.asl.yaml": """
            QueryLanguage: JSONata
            StartAt: Hear
            States:
              Hear:  # a comment, which JSON could not hold
                Type: Pass
                Output: {heard: "${Topic}"}
                End: true
        """,
        "functions/app.py": "def handler(event, context): ...",
    }
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))
    return directory
