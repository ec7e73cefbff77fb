"""The workflow: valid, every error named in it exists, none is unhandled, and no night fills it."""

import builtins
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
from jsonata import Jsonata
from statelint.linter import Linter

import nightshift
from nightshift import errors
from nightshift.events import SubmitCall
from nightshift.runs import stored
from nightshift.runs.records import Trouble
from tests.definitions import EVENTS, ITERATION, MOST_EVENTS, STATES, events
from tests.handlers import Context, entry_point

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "workflow.asl.yaml").read_text()
# Names that come from AWS: of the states language, of Lambda, of its runtimes.
OF_AWS = re.compile(r"(DynamoDB|States|Lambda|Runtime|Sandbox)\.[A-Za-z]+")
OURS = {
    name
    for name, each in vars(errors).items()
    if isinstance(each, type)
    and issubclass(each, errors.NightshiftError)
    and each is not errors.NightshiftError
}
# The same call may be made again.
PASSING = {"ClaudeUnavailable"}
# A retry may cure it, for all we know.
UNKNOWN = {"Unexpected"}
LAMBDAS = {
    "Submit batches": "SubmitFunction",
    "Check status": "StatusFunction",
    "Collect batch": "CollectFunction",
}
SERVICE_ERRORS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
}


@pytest.fixture(scope="module")
def states() -> dict[str, Any]:
    return STATES


@pytest.fixture(scope="module")
def tasks(states: Any) -> dict[str, Any]:
    return {name: state for name, state in states.items() if state["Type"] == "Task"}


def filled(workflow: Any) -> Any:
    """The definition as Step Functions gets it, as far as statelint's schema can follow."""
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:name"
    definition = deepcopy(workflow)
    for state in definition["States"].values():
        if state["Type"] == "Wait":
            state["Seconds"] = 60  # it knows numbers only
        if "FunctionName" in state.get("Arguments", {}):
            state["Arguments"]["FunctionName"] = arn
    return definition


def test_the_definition_is_valid(workflow: Any) -> None:
    assert Linter.validate(filled(workflow)) == []


def test_the_linter_would_find_a_state_that_is_missing(workflow: Any) -> None:
    broken = filled(workflow)
    broken["States"]["Wait for batches"]["Next"] = "Nowhere"

    assert Linter.validate(broken) != []


def test_the_query_language_is_jsonata_throughout(workflow: Any, states: Any) -> None:
    paths = {"InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector", "ItemsPath"}

    assert workflow["QueryLanguage"] == "JSONata"
    for name, state in states.items():
        assert "QueryLanguage" not in state, name
        assert not state.keys() & paths, name


def test_every_substitution_has_a_placeholder_and_the_reverse(resources: Any) -> None:
    given = resources["Workflow"]["Properties"]["DefinitionSubstitutions"]

    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == given.keys()


def test_every_expression_is_valid_jsonata(workflow: Any) -> None:
    expressions = list(expressions_in(workflow))

    assert len(expressions) == TEXT.count("{%") == TEXT.count("%}")
    for expression in expressions:
        Jsonata(expression)


def expressions_in(document: Any) -> Iterator[str]:
    """Every JSONata expression, without its marks."""
    if isinstance(document, str) and document.startswith("{%"):
        yield document.strip().removeprefix("{%").removesuffix("%}")
    elif isinstance(document, dict):
        yield from (each for value in document.values() for each in expressions_in(value))
    elif isinstance(document, list):
        yield from (each for value in document for each in expressions_in(value))


def evaluate(text: str, states_input: Any, context: Any = None) -> Any:
    """What Step Functions makes of an expression; `$parse` is its own function."""
    [expression] = expressions_in(text)
    jsonata = Jsonata(expression)
    jsonata.register_lambda("parse", json.loads)
    frame = jsonata.create_frame()
    frame.bind("states", {"input": states_input, "context": context or {}})
    return jsonata.evaluate(None, frame)


def raised(error: str, message: str) -> dict[str, str]:
    """An error as a function's exception reaches a Catch."""
    cause = {"errorMessage": message, "errorType": error, "stackTrace": []}
    return {"Error": error, "Cause": json.dumps(cause)}


@pytest.mark.parametrize("error", sorted(OURS))
def test_our_own_words_reach_whoever_is_told(states: Any, error: str) -> None:
    failure = raised(error, "Store the key with: aws secretsmanager ...")

    told, noted = said_of(states, failure)

    assert evaluate(states["Explain the failure"]["Output"]["error"], failure) == error
    assert told == "Store the key with: aws secretsmanager ..."
    assert noted == (error, told)


MESSAGE = 'Store "the key" with:\n\taws secretsmanager \\ ü \N{GRINNING FACE} }'


@pytest.mark.parametrize(
    "cause",
    [
        json.dumps({"errorMessage": MESSAGE, "errorType": "ApiKeyMissing", "stackTrace": []}),
        json.dumps({"errorType": "ApiKeyMissing", "errorMessage": MESSAGE}, ensure_ascii=False),
        json.dumps({"errorMessage": MESSAGE}, separators=(",", ":")),
        # Step Functions cuts it.
        json.dumps({"errorMessage": MESSAGE, "stackTrace": ["  File " * 9_999]})[:32_768],
    ],
)
def test_a_message_is_told_word_for_word_if_it_stands_in_the_cause_whole(
    states: Any, cause: str
) -> None:
    told, noted = said_of(states, {"Error": "ApiKeyMissing", "Cause": cause})

    assert told == MESSAGE
    assert noted == ("ApiKeyMissing", MESSAGE)


def said_of(states: Any, failure: Any) -> tuple[str, tuple[str, str]]:
    """What is told of a failure, and what is noted on a batch."""
    explain = states["Explain the failure"]["Output"]
    aside = states["Set the batch aside"]["Arguments"]["ExpressionAttributeValues"]
    return (
        evaluate(explain["cause"], failure),
        (
            evaluate(aside[":error"]["S"], {"failure": failure}),
            evaluate(aside[":cause"]["S"], {"failure": failure}),
        ),
    )


@pytest.mark.parametrize(
    "failure",
    [
        raised("Runtime.MarshalError", "SECRET"),
        raised("Runtime.ImportModuleError", "SECRET"),
        {"Error": "States.Timeout", "Cause": ""},
        {"Error": "Lambda.Unknown", "Cause": "The cause could not be determined. SECRET"},
        {"Error": "Sandbox.Timedout", "Cause": '{"errorMessage": "SECRET"}'},
        {"Error": "DynamoDB.AmazonDynamoDBException", "Cause": "SECRET, and not JSON"},
        # Ours by name, but not as Lambda hands an exception on.
        {"Error": "LedgerMismatch", "Cause": "SECRET, and not JSON"},
        {"Error": "LedgerMismatch", "Cause": ""},
        {"Error": "LedgerMismatch", "Cause": '{"errorMessage": null}'},
        {"Error": "LedgerMismatch", "Cause": '{"errorMessage": ""}'},
        {"Error": "LedgerMismatch", "Cause": '"SECRET"'},
        {"Error": "LedgerMismatch", "Cause": '["errorMessage", "SECRET"]'},
        {"Error": "LedgerMismatch", "Cause": '{"a": "\\"errorMessage\\": \\"SECRET\\""}'},
        raised("LedgerMismatch", "SECRET" * 9_999) | {"Cause": '{"errorMessage": "SECRET \\u00'},
    ],
)
def test_the_words_of_others_are_not(states: Any, failure: Any) -> None:
    told, noted = said_of(states, failure)

    assert told.startswith("This was not expected.")
    assert noted[0] == failure["Error"]
    assert noted[1].startswith("This was not expected.")
    assert "SECRET" not in told + noted[1]


@pytest.mark.parametrize(
    ("step", "there"),
    [
        ({"next": "submit"}, "Submit batches"),
        ({"next": "wait", "wait_seconds": 60}, "Wait for batches"),
        ({"next": "report", "tell": True}, "Report the night"),
        ({"next": "report", "tell": False}, "Was it a good night?"),
    ],
)
def test_what_submit_says_comes_next_does(states: Any, step: Any, there: str) -> None:
    assert chosen(states["What comes next?"], step) == there


@pytest.mark.parametrize(
    ("problem", "there"),
    [
        ({}, "Good night"),
        ({"problem": None}, "Good night"),
        ({"notices": [], "problem": None}, "Good night"),
        ({"notices": ["a budget binds"], "problem": None}, "Warn someone"),
        ({"problem": {"error": "LedgerMismatch", "cause": "?"}}, "Record the failure"),
        ({"notices": ["?"], "problem": {"error": "?", "cause": "?"}}, "Record the failure"),
    ],
)
def test_a_night_with_a_problem_fails_after_its_report_and_one_with_a_notice_does_not(
    states: Any, problem: Any, there: str
) -> None:
    assert chosen(states["Was it a good night?"], problem) == there


def test_a_notice_is_an_alert_and_the_night_stays_good(states: Any) -> None:
    warn = states["Warn someone"]
    step = {"notices": ["A budget binds.", "The model retires."], "report": {"status": "partial"}}

    message = evaluate(warn["Arguments"]["Message"], step, {"Execution": {"Id": "arn:night"}})

    assert message == "A budget binds.\n\nThe model retires.\n\n${ExecutionUrl}arn:night"
    assert warn["Arguments"]["TopicArn"] == "${AlertTopic}"
    assert evaluate(warn["Output"], step) == step
    assert warn["Next"] == "Good night"


def chosen(choice: Any, states_input: Any) -> str:
    """Where a choice leads."""
    ways = (way for way in choice["Choices"] if evaluate(way["Condition"], states_input) is True)
    way = next(ways, {"Next": choice["Default"]})
    return str(way["Next"])


@pytest.mark.parametrize("state", LAMBDAS)
def test_a_call_outlasts_its_function(
    states: Any, resources: Any, template: Any, state: str
) -> None:
    # So a retry never runs beside a living call.
    function = resources[LAMBDAS[state]]["Properties"]

    assert states[state]["Arguments"]["FunctionName"] == f"${{{LAMBDAS[state]}}}"
    assert states[state]["TimeoutSeconds"] > function["Timeout"]
    assert function["Timeout"] <= 900


def test_every_task_ends_some_day(workflow: Any, tasks: Any) -> None:
    assert all(task["TimeoutSeconds"] <= 960 for task in tasks.values())
    assert workflow["TimeoutSeconds"] == 120 * 3_600


def test_every_function_is_called_by_a_state(tasks: Any) -> None:
    called = {
        name: task
        for name, task in tasks.items()
        if task["Resource"] == "arn:aws:states:::lambda:invoke"
    }

    assert called.keys() == LAMBDAS.keys()


@pytest.mark.parametrize("state", LAMBDAS)
def test_an_error_that_a_retry_does_not_cure_is_not_retried(states: Any, state: str) -> None:
    first = states[state]["Retry"][0]

    assert first["MaxAttempts"] == 0
    assert set(first["ErrorEquals"]) == OURS - PASSING - UNKNOWN


@pytest.mark.parametrize("state", LAMBDAS)
def test_lambdas_own_errors_are_retried_with_full_jitter(states: Any, state: str) -> None:
    [retrier] = [
        each for each in states[state]["Retry"] if SERVICE_ERRORS & set(each["ErrorEquals"])
    ]

    assert set(retrier["ErrorEquals"]) >= SERVICE_ERRORS
    assert retrier["JitterStrategy"] == "FULL"
    assert retrier["MaxAttempts"] >= 3
    assert retrier["MaxDelaySeconds"] <= 300


@pytest.mark.parametrize("state", LAMBDAS)
def test_an_unavailable_provider_is_waited_for_by_the_hour(states: Any, state: str) -> None:
    [retrier] = [each for each in states[state]["Retry"] if PASSING & set(each["ErrorEquals"])]

    waits = [
        min(
            retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt,
            retrier["MaxDelaySeconds"],
        )
        for attempt in range(retrier["MaxAttempts"])
    ]
    assert 3_600 < sum(waits) < 120 * 3_600


def test_whatever_is_retried_is_retried_with_jitter(tasks: Any) -> None:
    retriers = [each for task in tasks.values() for each in task["Retry"] if each["MaxAttempts"]]

    assert all(each["JitterStrategy"] == "FULL" for each in retriers)
    assert all(each["BackoffRate"] > 1 for each in retriers)


def test_every_task_retries_all_other_errors_last(tasks: Any) -> None:
    for name, task in tasks.items():
        assert task["Retry"][-1]["ErrorEquals"] == ["States.ALL"], name
        assert all("States.ALL" not in each["ErrorEquals"] for each in task["Retry"][:-1]), name


def test_every_error_ends_in_an_explanation(workflow: Any) -> None:
    told_anyway = {
        "Record the failure": "Tell someone",
        "Tell someone": "Night failed",
        "Mark it as told": "Night failed",
    }
    for name, state in workflow["States"].items():
        if state["Type"] in ("Task", "Map"):
            last = state["Catch"][-1]
            assert last["ErrorEquals"] == ["States.ALL"], name
            assert last["Next"] == told_anyway.get(name, "Explain the failure"), name


def test_an_error_of_one_batch_does_not_stop_the_others(states: Any) -> None:
    [catch] = states["Collect batch"]["Catch"]

    assert catch["ErrorEquals"] == ["States.ALL"]
    assert catch["Next"] == "Set the batch aside"
    assert states["Set the batch aside"]["Output"] == {}
    assert states["Set the batch aside"]["End"] is True


def test_every_failure_is_recorded_and_told_before_the_end(states: Any) -> None:
    assert states["Explain the failure"]["Next"] == "Record the failure"
    assert states["Record the failure"]["Next"] == "Tell someone"
    assert states["Tell someone"]["Next"] == "Was it recorded?"
    assert states["Was it recorded?"]["Choices"][0]["Next"] == "Mark it as told"
    assert states["Was it recorded?"]["Default"] == "Night failed"
    assert states["Mark it as told"]["Next"] == "Night failed"
    assert states["Tell someone"]["Arguments"]["TopicArn"] == "${AlertTopic}"
    assert states["Report the night"]["Arguments"]["TopicArn"] == "${ReportTopic}"
    assert states["Night failed"]["Type"] == "Fail"


def test_an_update_never_makes_an_item_that_was_not_there(states: Any) -> None:
    mark, aside = (states[name]["Arguments"] for name in ("Mark it as told", "Set the batch aside"))

    assert mark["ConditionExpression"] == "attribute_exists(run_id)"
    assert aside["ConditionExpression"] == "#state IN (:open, :closed)"
    assert aside["ExpressionAttributeNames"]["#state"] == "state"


def test_the_workflow_sets_a_batch_aside_with_the_attributes_of_the_ledger(states: Any) -> None:
    aside = states["Set the batch aside"]["Arguments"]
    update = aside["UpdateExpression"]
    for short, name in aside["ExpressionAttributeNames"].items():
        update = update.replace(short, name)
    trouble = stored.trouble(Trouble("BatchNotFound", "gone", "me"))

    written = set(re.findall(r"(\w+) = ", update))

    assert written == {"aside_by"} | {name for name, value in trouble.items() if value}


@pytest.mark.parametrize("given", [{}, {"run_id": "backlog"}])
@pytest.mark.parametrize("started_at", ["2026-11-22T02:00:00Z", "2026-11-22T23:59:59.999Z"])
def test_a_failure_is_filed_under_the_run_that_was_asked_for(
    states: Any, given: dict[str, str], started_at: str
) -> None:
    context = {"Execution": {"Input": given, "StartTime": started_at}}
    filed_under = states["Record the failure"]["Arguments"]["Key"]["run_id"]["S"]

    call = SubmitCall.parse({"execution": "me", "started_at": started_at, "input": given})

    assert evaluate(filed_under, {"error": "ClaudeRejected"}, context) == call.run_id


def test_a_batch_that_the_table_forgot_is_not_set_aside_and_the_night_goes_on(states: Any) -> None:
    [catch] = states["Set the batch aside"]["Catch"]
    no_retry = states["Set the batch aside"]["Retry"][0]

    assert catch["Next"] == "Batch collected"
    assert catch["ErrorEquals"] == no_retry["ErrorEquals"]
    assert no_retry["MaxAttempts"] == 0


def test_every_choice_has_a_default(states: Any) -> None:
    choices = {name: state for name, state in states.items() if state["Type"] == "Choice"}

    assert len(choices) == 5
    assert [name for name, state in choices.items() if "Default" not in state] == []


def test_every_error_that_is_named_exists(states: Any) -> None:
    lists = [
        each["ErrorEquals"]
        for state in states.values()
        for each in (*state.get("Retry", []), *state.get("Catch", []))
    ]

    names = {name for each in lists for name in each}
    assert [name for name in names - OURS if not OF_AWS.fullmatch(name)] == []


def every(kind: type) -> Iterator[type]:
    """A class and all that are made from it."""
    yield kind
    for narrower in type.__subclasses__(kind):
        yield from every(narrower)


@pytest.mark.parametrize("function", ["submit", "status", "collect"])
def test_out_of_a_handler_come_our_own_classes_alone(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So whatever else has a name without a dot was raised while the function started.
    app = entry_point(function)
    # A group cannot be made of nothing.
    pythons = [each for each in exceptions_of(builtins) if each is not ExceptionGroup]
    ours = [each for each in exceptions_of(errors) if each is not errors.NightshiftError]
    left = set()
    for kind in [*pythons, *ours]:
        monkeypatch.setattr(app, f"{function.title()}Call", raising(kind))
        with pytest.raises(errors.NightshiftError) as met:
            app.lambda_handler({}, Context(900))
        left.add(type(met.value).__name__)

    assert len(pythons) > 50
    assert left == OURS


def exceptions_of(module: Any) -> list[type[Exception]]:
    kinds = [each for each in vars(module).values() if isinstance(each, type)]
    return [each for each in kinds if issubclass(each, Exception)]


def raising(kind: type[Exception]) -> Any:
    """What raises this as soon as it is used."""

    class Raising:
        @staticmethod
        def parse(_event: Any) -> None:
            raise kind.__new__(kind)

    return Raising


def test_every_class_of_ours_is_in_one_module_and_has_no_dot() -> None:
    for module in walk_packages(nightshift.__path__, "nightshift."):
        import_module(module.name)

    found = {each.__name__ for each in every(errors.NightshiftError)}
    assert found == OURS | {"NightshiftError"}
    assert not any("." in name for name in found)


def test_four_batches_are_collected_at_once(workflow: Any) -> None:
    collect = workflow["States"]["Collect results"]

    assert collect["MaxConcurrency"] == 4
    assert collect["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}


def test_the_workflow_may_do_what_its_states_do_and_no_more(tasks: Any, resources: Any) -> None:
    actions = {
        "arn:aws:states:::lambda:invoke": "lambda:InvokeFunction",
        "arn:aws:states:::dynamodb:updateItem": "dynamodb:UpdateItem",
        "arn:aws:states:::sns:publish": "sns:Publish",
    }
    [policy] = resources["WorkflowRole"]["Properties"]["Policies"]
    granted = [s["Action"] for s in policy["PolicyDocument"]["Statement"] if s["Resource"] != "*"]

    assert set(granted) == {actions[task["Resource"]] for task in tasks.values()}


# A turn in which nothing has ended, one more batch on its way, and one that is collected by itself
# in two calls.
TURN = events("Wait for batches", "Check status", "Has a batch ended?")
SENT = events("Submit batches", "What comes next?")
COLLECTED = (
    EVENTS["Map"]
    + ITERATION
    + events("Collect batch", "Is all collected?", "Collect batch", "Is all collected?")
    + events("Batch collected")
)


def test_a_turn_is_nine_events() -> None:
    assert STATES["Has a batch ended?"]["Default"] == "Wait for batches"
    assert TURN == 9


def test_the_longest_night_stays_far_under_the_limit_of_events() -> None:
    # Three rounds of 24 hours; each of 50 batches is sent, ends and is collected by itself.
    a_round = 50 * SENT + 125 * TURN + 50 * (COLLECTED + SENT + TURN)
    end = events(
        *("Submit batches", "What comes next?", "Report the night", "Was it a good night?"),
        *("Record the failure", "Tell someone"),
    )

    assert 3 * a_round + end < MOST_EVENTS * 2 / 3


def test_every_retry_of_every_turn_stays_under_the_limit_of_events(
    workflow: Any, states: Any
) -> None:
    # A retry is three more events. Retries take time: a task that fails all the time fills 120
    # hours with waits of half their bound on average, since the jitter is full.
    [retrier] = [
        each
        for each in states["Check status"]["Retry"]
        if each["ErrorEquals"] == ["ClaudeUnavailable"]
    ]
    retries = workflow["TimeoutSeconds"] / (retrier["MaxDelaySeconds"] / 2)

    assert 3 * retries + 5 * 125 * TURN < MOST_EVENTS
