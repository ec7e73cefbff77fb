"""How records stand in the run table: all that knows the names and the values that are stored.

A table outlives the code that wrote it. So stored names never change: where a field has another
name in the code, `NAMES` says so. Tables of release 0.1.0 are read here too.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

from msgspec.structs import asdict

from nightshift.claude.money import Usage
from nightshift.quality.gold import Gold
from nightshift.runs.records import (
    Batch,
    Canary,
    Intent,
    Round,
    Tally,
    Trouble,
    UnaskedGroup,
    Version,
    number_of,
)

# Fields whose stored name is another one.
NAMES: Mapping[str, str] = {
    "confirmed": "proved",
    "missed_polls": "looks",
    "not_ours": "foreign",
    "polled_by": "turned_by",
    "scanned": "walked",
    "still_pending": "left",
    "why_not_created": "refusal",
    "without_text": "tickets",
}
# States whose stored value is another one.
_STATES: Mapping[str, str] = {"not_created": "void"}
_STATES_READ = {stored: state for state, stored in _STATES.items()}
# Fields that hold a time in UTC, stored as ISO 8601.
_TIMES = ("intent_at", "created_at", "ended_at", "closed_at", "asked_at", "begun_at", "passed_at")
# Release 0.1.0 wrote the error and the cause of a batch's trouble as one text.
OLD_PROBLEM = "problem"


def name(field: str) -> str:
    """The stored name of a field."""
    return NAMES.get(field, field)


def state(of_batch: str) -> str:
    """The stored value of a batch's state."""
    return _STATES.get(of_batch, of_batch)


def names_of_a_run() -> list[str]:
    """The stored names of all that decides: a batch's bitmap is read only to collect the batch."""
    kinds = (Batch, Canary, Round, UnaskedGroup, Trouble)
    found = {name(each.name) for kind in kinds for each in fields(kind)}
    of_other_items = {"record", "notice", "of_batches"}
    return sorted((found | of_other_items | {OLD_PROBLEM}) - {"seen", "trouble", "number"})


# From records to items.


def values(changed: Mapping[str, Any]) -> dict[str, Any]:
    """Fields and their values as they are stored."""
    return {name(field): _value(field, value) for field, value in changed.items()}


def intent(of_batch: Batch) -> dict[str, Any]:
    """The item of a batch that is about to be sent."""
    return values({**_fields(Intent, of_batch), "state": of_batch.state})


def trouble(of_batch: Trouble) -> dict[str, Any]:
    return values(_fields(Trouble, of_batch))


def unasked(group: UnaskedGroup) -> dict[str, Any]:
    counted = _fields(UnaskedGroup, group)
    del counted["number"]  # the record's name says it
    return values(counted)


# Most nights know nothing beforehand and pay nothing more for the US: no zeros are stored then.
_SELDOM_COUNTED = frozenset({"gold", "surcharge"})


def _fields(kind: type, record: Any) -> dict[str, Any]:
    return {each.name: getattr(record, each.name) for each in fields(kind)}


def _value(field: str, value: Any) -> Any:
    if field == "state":
        return state(value)
    if field in _TIMES:
        return value and value.isoformat()
    match value:
        case Tally():
            counted = _fields(Tally, value)
            return values({n: v for n, v in counted.items() if v or n not in _SELDOM_COUNTED})
        case Gold():
            return value.plain
        case Usage():
            return asdict(value)
        case Counter():
            return dict(value)
        case dict():
            return {counted: dict(counts) for counted, counts in value.items()}
        case _:
            return value


# From items to records. Numbers arrive as decimals, and what was never written has its default.


def batch(item: Mapping[str, Any]) -> Batch:
    return Batch(**_read(Batch, item), trouble=_trouble(item))


def canary(item: Mapping[str, Any]) -> Canary:
    return Canary(**_read(Canary, item))


def round_(item: Mapping[str, Any]) -> Round:
    return Round(number=number_of(item["record"]), **_read(Round, item))


def unasked_group(item: Mapping[str, Any]) -> UnaskedGroup:
    return UnaskedGroup(number=number_of(item["record"]), **_read(UnaskedGroup, item))


def version(version_name: str, item: Mapping[str, Any]) -> Version:
    return Version(name=version_name, **_read(Version, item))


def _trouble(item: Mapping[str, Any]) -> Trouble | None:
    if OLD_PROBLEM in item:
        error, _, cause = item[OLD_PROBLEM].partition(": ")
        return Trouble(**_read(Trouble, {**item, "error": error, "cause": cause}))
    return Trouble(**_read(Trouble, item)) if "error" in item else None


def _read(kind: type, item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record of some kind that an item has."""
    return {
        field: read_as(item[its_name])
        for field, its_name, read_as in _fields_of(kind)
        if its_name in item
    }


@cache
def _fields_of(kind: type) -> list[tuple[str, str, Callable[[Any], Any]]]:
    """Each field of a kind of records, its stored name, and how it is read."""
    names = [each.name for each in fields(kind)]
    return [(field, name(field), _READ_AS.get(field, _as_it_is)) for field in names]


def _as_it_is(value: Any) -> Any:
    return value


def _tally(item: Mapping[str, Any]) -> Tally:
    return Tally(**_read(Tally, item))


def _usage(item: Mapping[str, Any]) -> Usage:
    return Usage(**{kind: int(tokens) for kind, tokens in item.items()})


def _counts(item: Mapping[str, Any]) -> Counter[str]:
    return Counter({counted: int(count) for counted, count in item.items()})


_READ_AS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("round", "requests", "missed_polls", "readings", "fixed_tokens"), int),
    **dict.fromkeys(("without_text", "unchanged", "answers"), int),
    **dict.fromkeys((each.name for each in fields(Tally) if each.type is int), int),
    **dict.fromkeys(("usage", "long_usage"), _usage),
    **dict.fromkeys(("categories", "failures", "redacted", "unusable"), _counts),
    "outputs": lambda item: {output: _counts(counts) for output, counts in item.items()},
    **dict.fromkeys(_TIMES, datetime.fromisoformat),
    "state": lambda value: _STATES_READ.get(value, value),
    "gold": Gold.read,
    "inputs": tuple,
    "not_ours": frozenset,
    "seen": bytes,
    "tally": _tally,
}
"""How each field is read that is no text, boolean or decimal."""
