"""An error that nobody foresaw says what it was and where, and nothing that a ticket says."""

import logging
import traceback
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from pydantic import BaseModel

from nightshift.error_boundary import error_boundary
from nightshift.errors import ApiKeyMissing, Unexpected
from tests.handlers import Context, entry_point

TEXT = "xylograph"


class Parsed(BaseModel):
    number: int


def a_key_error() -> None:
    {}[TEXT]


def a_validation_error() -> None:
    Parsed.model_validate({"number": TEXT})


def a_parameter_of_the_wrong_type() -> None:
    raise ParamValidationError(report=f"Invalid type for parameter Item.body, value: {TEXT}")


def a_refused_item() -> None:
    said = {"Error": {"Code": "ValidationException", "Message": f"Type mismatch: {TEXT}"}}
    raise ClientError(said, "PutItem")


def an_error_after_another() -> None:
    try:
        a_key_error()
    except KeyError as error:
        raise RuntimeError(TEXT) from error


@pytest.mark.parametrize(
    ("go_wrong", "told"),
    [
        (a_key_error, "KeyError"),
        (a_validation_error, "ValidationError"),
        (a_parameter_of_the_wrong_type, "ParamValidationError"),
        (a_refused_item, "ClientError (ValidationException in PutItem)"),
        (an_error_after_another, "RuntimeError after KeyError"),
    ],
)
@pytest.mark.parametrize("function", ["submit", "status", "collect"])
def test_a_function_tells_what_went_wrong_without_its_words(
    function: str,
    go_wrong: Any,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = entry_point(function)
    monkeypatch.setattr(app, f"{function.title()}Call", go_wrong_instead(go_wrong))
    caplog.set_level(logging.DEBUG)

    with pytest.raises(Unexpected) as raised:
        app.lambda_handler({}, Context(900))

    error = raised.value
    assert str(error).startswith(f"{told}, at ")
    assert go_wrong.__name__ in [f.name for f in traceback.extract_tb(error.__traceback__)]
    output = capfd.readouterr()
    everything = ["".join(traceback.format_exception(error)), output.out, output.err, caplog.text]
    assert [said for said in everything if TEXT in said.replace("{TEXT}", "")] == []


def test_iam_says_what_is_not_allowed() -> None:
    denied = "User: R is not authorized to perform: dynamodb:Query on resource: T"

    @error_boundary
    def handler(event: Any, context: Any) -> None:
        said = {"Error": {"Code": "AccessDeniedException", "Message": denied}}
        raise ClientError(said, "Query")

    with pytest.raises(Unexpected, match=denied):
        handler({}, None)


def test_our_own_errors_pass_as_they_are() -> None:
    @error_boundary
    def handler(event: Any, context: Any) -> None:
        raise ApiKeyMissing("store it")

    with pytest.raises(ApiKeyMissing, match="store it"):
        handler({}, None)


def go_wrong_instead(go_wrong: Any) -> Any:
    class Call:
        @staticmethod
        def parse(event: Any) -> Any:
            return go_wrong()

    return Call
