"""Reading tickets by the hundred: what DynamoDB leaves unread is asked for again."""

from typing import Any, cast

import pytest

from nightshift import tickets
from nightshift.tickets import TicketTable


class Reader:
    """BatchGetItem that answers so many keys of each call, and returns the others unprocessed."""

    def __init__(self, *answered: int) -> None:
        self.answered = list(answered)
        self.asked: list[int] = []

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        keys, now = wanted["Keys"], self.answered.pop(0)
        self.asked.append(len(keys))
        rest = {table: {**wanted, "Keys": keys[now:]}} if keys[now:] else {}
        return {"Responses": {table: keys[:now]}, "UnprocessedKeys": rest}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(tickets, "pause", found.append)
    return found


def read(reader: Reader) -> set[str]:
    return set(TicketTable(cast(Any, reader), "tickets").read(["a", "b", "c"]))


def test_what_exceeds_16_mb_is_asked_for_at_once(pauses: list[int]) -> None:
    reader = Reader(1, 1, 1)

    assert read(reader) == {"a", "b", "c"}
    assert reader.asked == [3, 2, 1]
    assert pauses == []


def test_what_is_throttled_is_asked_for_after_ever_longer_pauses(pauses: list[int]) -> None:
    reader = Reader(0, 0, 2, 0, 1)

    assert read(reader) == {"a", "b", "c"}
    assert reader.asked == [3, 3, 3, 1, 1]
    assert pauses == [1, 2, 1]
