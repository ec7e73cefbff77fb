"""The right answers that a file brings along, in columns such as `expected_category`."""

from typing import Any

import msgspec

from nightshift.task.outputs import Boolean, Integer, Labels, NotAllowed, Output, Texts, Unsure
from tools.desk.files.problems import BadLine

_YES_OR_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def expected(value: Any, output: Output) -> Any:
    """A right answer as its output spells it: CSV knows strings only, and `Billing` is the label
    `billing`.

    A value that the task does not have stays as it is: the report counts such answers as unknown.
    None stands for a blank one: nothing is known of that ticket.

    Raises BadLine if the value is of no such kind.
    """
    if isinstance(value, str) and not value.strip():
        return None
    found = _typed(value, output)
    try:
        return output.read(found)
    except (NotAllowed, Unsure):
        return found


def _typed(value: Any, output: Output) -> Any:
    if not isinstance(value, str):
        return value
    if isinstance(output, Boolean):
        return _known(_YES_OR_NO.get(value.strip().lower()), "neither yes nor no")
    if isinstance(output, Integer):
        number = value.strip()
        digits = number.removeprefix("-")
        return _known(int(number) if digits.isdecimal() else None, "no whole number")
    if isinstance(output, Labels | Texts):
        return _list(value)
    return value


def _known(value: Any, problem: str) -> Any:
    if value is None:
        raise BadLine(f"an expected answer is {problem}")
    return value


def _list(text: str) -> list[str]:
    """A list in a cell: as JSON, or else with commas."""
    if text.startswith("["):
        try:
            return msgspec.json.decode(text, type=list[str])
        except (msgspec.DecodeError, UnicodeEncodeError):
            raise BadLine("an expected answer is no list") from None
    return [part.strip() for part in text.split(",") if part.strip()]
