"""Unexpected exceptions leave a function by type and location: messages may hold ticket text."""

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from traceback import extract_tb
from typing import Any

from nightshift.aws import ClientError, error_code
from nightshift.errors import NightshiftError, Unexpected

_PACKAGE = Path(__file__).parent

type Handler = Callable[[Any, Any], Any]


def error_boundary(handler: Handler) -> Handler:
    """Let our own errors pass as they are, and raise `Unexpected` for any other exception.

    Lambda writes the message of an exception into the log and hands it to Step Functions, which
    keeps it in the execution's history. Some quote what they choke on: a KeyError its key, a
    validation error the value. The traceback stays: it shows lines of code, no values.
    """

    @wraps(handler)
    def handle(event: Any, context: Any) -> Any:
        try:
            return handler(event, context)
        except NightshiftError:
            raise
        except Exception as error:
            kinds = " after ".join(_kind(each) for each in _chain(error))
            said = f"{kinds}, at {_place(error)}. The function's log has the whole traceback."
            raise Unexpected(said).with_traceback(error.__traceback__) from None

    return handle


def _place(error: Exception) -> str:
    """Where in our package the error came from: file and line of the innermost frame."""
    frames = [
        f for f in extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(_PACKAGE)
    ]
    return f"{Path(frames[-1].filename).relative_to(_PACKAGE)}:{frames[-1].lineno}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that led to it, the last first."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _kind(error: BaseException) -> str:
    name = type(error).__name__
    if not isinstance(error, ClientError):
        return name
    if error_code(error).startswith("AccessDenied"):
        return f"{name} ({error})"  # IAM's words: who may not do what, on which resource
    return f"{name} ({error_code(error)} in {error.operation_name})"
