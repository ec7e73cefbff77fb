"""The local AWS: MiniStack, mended where AWS answers differently.

Run as ``python -m tools.local.cloud.ministack``, configured by MiniStack's environment variables.
It must lead its own process group: it ends when its standard input does, however the process at
the other end came to die, and takes the processes that run the functions along.
"""

import hashlib
import io
import json
import os
import re
import signal
import sys
import tempfile
import threading
import venv
import zipfile
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from ministack import app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import dynamodb, lambda_svc, stepfunctions
from ministack.services.cloudformation import provisioners

from tools.local.cloud.dynamodb import spare_repeated_work

MENDED_VERSION = "1.5.33"

# What AWS puts beside the standard library; all else must come from the layers.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html (2026-11)
AWS_SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

RAISED = "__handler_raised__"
REPORT_OF_MINISTACK = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
REPORT_OF_AWS = (
    f'{{"status": "ok", "result": {{"{RAISED}": {{"errorMessage": str(e), '
    '"errorType": type(e).__name__, "stackTrace": traceback.format_tb(e.__traceback__)}}}'
)


def report_errors_as_aws_does() -> None:
    """Give Step Functions the name of what ended a function, and let the worker live on.

    MiniStack names every failure ``Runtime.HandlerError`` and ends the worker. AWS names the class
    of the exception, or ``Runtime.ExitError`` for a runtime that died.
    """
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    assert script.count(REPORT_OF_MINISTACK) == 1, "MiniStack's worker reports errors otherwise"
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(REPORT_OF_MINISTACK, REPORT_OF_AWS)
    execute: Callable[..., dict[str, Any]] = lambda_svc._execute_function_warm
    assert "Runtime.HandlerError" in execute.__code__.co_consts, "MiniStack names errors otherwise"

    def execute_as_aws_does(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result = execute(func, event, request_id)
        body = result.get("body")
        if not isinstance(body, dict):
            return result
        if RAISED in body:
            error = {**body[RAISED], "requestId": request_id}
        elif body.get("errorType") == "Runtime.HandlerError":
            message = f"RequestId: {request_id} Error: Runtime exited"
            error = {"errorMessage": message, "errorType": "Runtime.ExitError"}
        else:
            return result
        headline = f"[ERROR] {error['errorType']}: {error['errorMessage']}"
        log = "\n".join([result.get("log", ""), headline, *error.get("stackTrace", [])])
        return {"body": error, "error": True, "log": log.strip()}

    lambda_svc._execute_function_warm = execute_as_aws_does


def read_state_machines_as_yaml() -> None:
    """CloudFormation takes a state machine's definition file as JSON or YAML; MiniStack as JSON."""
    definition_of: Callable[[dict[str, Any]], str] = provisioners._sfn_definition
    assert "yaml" not in definition_of.__code__.co_names, "MiniStack reads YAML itself by now"

    def definition_as_json(properties: dict[str, Any]) -> str:
        return json.dumps(yaml.safe_load(definition_of(properties)))

    provisioners._sfn_definition = definition_as_json


def run_functions_without_our_packages(directory: Path) -> None:
    """Run the functions under this Python with the AWS SDK and nothing else beside their layers."""
    venv.create(directory, symlinks=True)
    python = directory / "bin" / "python"
    [site_packages] = directory.glob("lib/python*/site-packages")
    link_aws_sdk(site_packages)
    detect = lambda_runtime._detect_runtime_binary
    assert detect("python3.13")[0] == sys.executable, "MiniStack chooses the interpreter otherwise"

    def detect_ours(runtime: str) -> tuple[str, str]:
        _, script = detect(runtime)
        return str(python), script

    lambda_runtime._detect_runtime_binary = detect_ours


def link_aws_sdk(folder: Path) -> None:
    """Put the AWS SDK alone into a folder of packages, as AWS does beside a function."""
    for package in AWS_SDK:
        spec = find_spec(package)
        assert spec is not None, f"{package} is missing from the development environment"
        origin = Path(str(spec.origin))
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)


def share_unpacked_layers(directory: Path) -> None:
    """Unpack each layer once and for all: MiniStack does it for every worker, in seconds each."""
    spawn = lambda_runtime.Worker._spawn
    assert "_LAMBDA_LAYERS_DIRS" in spawn.__code__.co_consts, "MiniStack finds layers otherwise"
    directory.mkdir(parents=True, exist_ok=True)
    lock = threading.Lock()

    def unpacked(layer: dict[str, Any]) -> str:
        content = lambda_svc._resolve_layer_zip(layer)
        target = directory / hashlib.sha256(content).hexdigest()
        with lock:
            if not target.exists():
                with tempfile.TemporaryDirectory(dir=directory) as unfinished:
                    zipfile.ZipFile(io.BytesIO(content)).extractall(unfinished)
                    # Another cloud may be as far: whoever comes second keeps the first one's.
                    with suppress(OSError):
                        Path(unfinished).rename(target)
                    Path(unfinished).mkdir(exist_ok=True)
        return str(target)

    def spawn_on_shared_layers(worker: lambda_runtime.Worker) -> None:
        config = worker.config
        if layers := config.get("Layers"):
            variables = dict(config.get("Environment", {}).get("Variables", {}))
            variables["_LAMBDA_LAYERS_DIRS"] = os.pathsep.join(map(unpacked, layers))
            worker.config = {**config, "Layers": [], "Environment": {"Variables": variables}}
        spawn(worker)

    lambda_runtime.Worker._spawn = spawn_on_shared_layers


def keep_alarms_of_metric_math() -> None:
    """CloudFormation makes alarms on expressions too; MiniStack refuses them.

    One on ``FILL(metric, 0)`` is kept as an alarm on the metric: MiniStack looks at no gaps. One on
    several metrics is kept without any, and never evaluated: only SetAlarmState moves it.
    """
    record_of: Callable[[str, Any], dict[str, Any]] = provisioners._cw_metric_alarm_record
    assert "Metrics" in record_of.__code__.co_consts, "MiniStack knows metric math by now"

    def record_with_expressions(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if "Metrics" not in properties:
            return record_of(name, properties)
        plain = {key: value for key, value in properties.items() if key != "Metrics"}
        stats = [query["MetricStat"] for query in properties["Metrics"] if "MetricStat" in query]
        if len(stats) == 1:
            [stat] = stats
            of_metric = stat["Metric"] | {"Statistic": stat["Stat"], "Period": stat["Period"]}
            return record_of(name, plain | of_metric)
        single = {"Namespace": "-", "MetricName": "-"}
        return record_of(name, plain | single) | {"Namespace": "", "MetricName": ""}

    provisioners._cw_metric_alarm_record = record_with_expressions


def stream_what_statements_change() -> None:
    """A change by PartiQL is in a table's stream as any other; in MiniStack's it is missing."""
    update: Callable[..., tuple[int, Any, Any]] = dynamodb._partiql_update
    assert "_emit_stream_event" not in update.__code__.co_names, "MiniStack streams them by now"

    def update_and_stream(table: Any, parsed: Any, data: Any = None) -> tuple[int, Any, Any]:
        if not (table.get("StreamSpecification") or {}).get("StreamEnabled"):
            return update(table, parsed, data)
        key, sort_key, _, unusable = dynamodb._partiql_key_target(table, parsed)
        before = None if unusable else table["items"].get(key, {}).get(sort_key)
        answer = update(table, parsed, data)
        if answer[0] == 200:
            after = table["items"][key][sort_key]
            dynamodb._emit_stream_event(parsed["table"], "MODIFY", before, after)
        return answer

    dynamodb._partiql_update = update_and_stream


def check_statements_as_aws_does() -> None:
    """Ask for the action of each statement in a PartiQL batch, on its table.

    MiniStack asks for ``dynamodb:BatchExecuteStatement`` on ``*``, which is no action of AWS.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html (2026-11)
    """
    checks_of: Callable[..., list[tuple[str, str]]] = iam_actions.dynamodb_transaction_checks
    assert "PartiQL" not in str(checks_of.__code__.co_consts), "MiniStack checks statements by now"

    def checks(action: str, body: bytes, region: str, account: str) -> list[tuple[str, str]]:
        if action != "dynamodb:BatchExecuteStatement":
            return checks_of(action, body, region, account)
        statements = [each["Statement"] for each in json.loads(body)["Statements"]]
        asked = {(_verb_of(statement), _table_of(statement)) for statement in statements}
        arn = f"arn:aws:dynamodb:{region}:{account}:table"
        return sorted((f"dynamodb:PartiQL{verb}", f"{arn}/{table}") for verb, table in asked)

    iam_actions.dynamodb_transaction_checks = checks


def _verb_of(statement: str) -> str:
    return statement.split(maxsplit=1)[0].title()


def _table_of(statement: str) -> str:
    [table] = re.findall(r'\b(?:FROM|INTO|UPDATE)\s+"?([\w.-]+)', statement, re.IGNORECASE)[:1]
    return str(table)


def check_workflows_as_aws_does() -> None:
    """With ``AUTH=true``, let a state do only what its workflow's role allows.

    MiniStack checks the roles of functions, but never that of a state machine.
    """
    execute, invoke = stepfunctions._execute_task, stepfunctions._invoke_resource
    assert "RoleArn" not in str(invoke.__code__.co_names), "MiniStack checks workflows by now"
    role: ContextVar[str] = ContextVar("role")

    def execute_as_role(state: Any, given: Any, execution: Any, context: Any) -> Any:
        machine = stepfunctions._state_machines[execution["stateMachineArn"]]
        role.set(machine["roleArn"])
        return execute(state, given, execution, context)

    def invoke_if_allowed(resource: str, arguments: Any) -> Any:
        action, on = asked_by_a_state(resource, arguments)
        if app.AUTH and not role_allows(role.get(), action, on):
            denied = f"{role.get()} is not authorized to perform: {action} on resource: {on}"
            raise stepfunctions._ExecutionError("States.Permissions", denied)
        return invoke(resource, arguments)

    stepfunctions._execute_task = execute_as_role
    stepfunctions._invoke_resource = invoke_if_allowed


def asked_by_a_state(resource: str, arguments: dict[str, Any]) -> tuple[str, str]:
    """The IAM action of a service integration, and the resource that its arguments name."""
    service, operation = resource.split(":")[-2:]
    action = f"{service}:{operation[0].upper()}{operation[1:]}"
    if action == "lambda:Invoke":
        return "lambda:InvokeFunction", arguments["FunctionName"]
    if "TableName" in arguments:
        where = f"{get_region()}:{get_account_id()}"
        return action, f"arn:aws:dynamodb:{where}:table/{arguments['TableName']}"
    return action, arguments.get("TopicArn", "*")


def role_allows(role_arn: str, action: str, resource: str) -> bool:
    """Whether a role's policies, as they are now, allow an action on a resource."""
    request = iam_evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(role_arn.rpartition("/")[2], get_account_id())
    return bool(iam_evaluator.evaluate(request, policies).decision == "Allow")


def die_with_parent() -> None:
    """Kill this process group as soon as standard input ends."""
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    assert os.getpgrp() == os.getpid(), "start it in a process group of its own"
    assert version("ministack") == MENDED_VERSION, "look at the mends before changing the version"
    threading.Thread(target=die_with_parent, daemon=True).start()
    report_errors_as_aws_does()
    read_state_machines_as_yaml()
    scratch = Path(tempfile.mkdtemp(prefix="lambda-"))
    run_functions_without_our_packages(scratch / "python")
    share_unpacked_layers(Path(__file__).parents[3] / ".build" / "layers")
    keep_alarms_of_metric_math()
    spare_repeated_work()
    stream_what_statements_change()
    check_statements_as_aws_does()
    check_workflows_as_aws_does()
    try:
        app.main()
    finally:
        os.killpg(0, signal.SIGKILL)
