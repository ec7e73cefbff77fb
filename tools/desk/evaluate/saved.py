"""The figures as a JSON file, for the next comparison and for programs; no text of a ticket."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from nightshift.quality.statistics import Pair
from tools.desk.evaluate.judging import Card, Flips, Judged
from tools.desk.files.problems import UnusableFile
from tools.version import VERSION


class _Series(Struct):
    name: str
    task: str
    version: str
    model: str
    rows: dict[str, dict[str, Pair]]


class _File(Struct):
    series: list[_Series]


def as_json(file: str, cards: Sequence[Card], changes: Sequence[Flips], provider: str) -> bytes:
    document = {
        "nightshift": VERSION,
        "file": file,
        "claude": provider,
        "made_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "series": [_series(card) for card in cards],
        "flips": [_flips(each) for each in changes],
    }
    return msgspec.json.format(msgspec.json.encode(document))


def _series(card: Card) -> dict[str, Any]:
    low, high = card.interval
    return {
        "name": card.name,
        "task": card.task,
        "version": card.version,
        "model": card.model,
        "compared": len(card.rows),
        "correct": card.correct,
        "accuracy": card.accuracy,
        "interval": [low, high],
        "requests": card.requests,
        "unsure": card.unsure,
        "unusable": card.unusable,
        "unanswered": card.unanswered,
        "unlabelled": card.unlabelled,
        "unknown": card.unknown,
        "empty": card.empty,
        "input_tokens": card.usage.prompt_tokens,
        "output_tokens": card.usage.output_tokens,
        "cost_usd": float(card.cost),
        "cost_usd_a_thousand": float(card.thousand),
        "seconds": card.took.total_seconds(),
        "outputs": {name: _output(card, name) for name in card.outputs},
        "rows": {ticket_id: row.pairs for ticket_id, row in card.rows.items()},
    }


def _output(card: Card, name: str) -> dict[str, Any]:
    return {
        "classes": [
            {
                "name": each.name,
                "expected": each.expected,
                "answered": each.answered,
                "correct": each.correct,
                "precision": each.precision,
                "recall": each.recall,
                "f1": each.f1,
            }
            for each in card.classes(name)
        ],
        "confusions": [
            {"expected": expected, "answered": answered, "count": count}
            for (expected, answered), count in card.confusions(name)
        ],
    }


def _flips(change: Flips) -> dict[str, Any]:
    return {
        "from": change.before,
        "to": change.after,
        "compared": change.both,
        "better": change.better,
        "worse": change.worse,
        "other": change.other,
        "chance": change.chance,
    }


def read(path: Path) -> list[Card]:
    """The series of an earlier evaluation, as far as they are compared.

    Raises UnusableFile if the file is none.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror or error}.") from None
    except msgspec.DecodeError:
        raise UnusableFile(f"{path} is no JSON file of an evaluation.") from None
    if not found.series:
        raise UnusableFile(f"{path} holds no series.")
    return [
        Card(
            f"{each.name}, before",
            each.task,
            each.version,
            each.model,
            {ticket_id: Judged(pairs) for ticket_id, pairs in each.rows.items()},
        )
        for each in found.series
    ]
