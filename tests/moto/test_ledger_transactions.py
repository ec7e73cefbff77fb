"""Canceled transactions: a lost race is told from what passes, and from an item without room."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from nightshift.aws import ClientError
from nightshift.runs import ledger as ledger_module
from nightshift.runs.ledger import Ledger, NoRoom, Stale
from nightshift.runs.lock import LockItem
from nightshift.runs.records import Round
from tests.moto.scene import client

ME = "execution:me"
PASSING = [
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "InternalServerError",
]


class Canceling:
    """DynamoDB that cancels the next transactions, each for its reason, and says so as AWS does:
    one reason for each element, in their order, "None" for all but one of them."""

    def __init__(self, dynamodb: Any, *reasons: Sequence[str]) -> None:
        self.dynamodb = dynamodb
        self.reasons = list(reasons)
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dynamodb, name)

    def transact_write_items(self, TransactItems: list[Any]) -> Any:  # noqa: N803
        self.calls += 1
        if not self.reasons:
            return self.dynamodb.transact_write_items(TransactItems=TransactItems)
        said = [*self.reasons.pop(0)]
        codes = ["None"] * (len(TransactItems) - len(said)) + said
        raise canceled([{"Code": code} for code in codes])


def canceled(reasons: list[Any]) -> ClientError:
    error = {"Code": "TransactionCanceledException", "Message": "see the reasons"}
    answer: Any = {"Error": error, "CancellationReasons": reasons}
    return ClientError(answer, "TransactWriteItems")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(ledger_module, "pause", found.append)
    return found


@pytest.fixture
def dynamodb(account: None) -> Iterator[Any]:
    """Tables whose lock is held by this execution."""
    dynamodb = client("dynamodb")
    assert LockItem(dynamodb, "RunTable", lambda _: "RUNNING").take(ME, "run")
    return dynamodb


def begin_round(dynamodb: Canceling) -> None:
    Ledger(cast(Any, dynamodb), "RunTable").begin_round("run", Round(1, ME, scanned=False))


def rounds(dynamodb: Any) -> list[int]:
    return [each.number for each in Ledger(dynamodb, "RunTable").run("run").rounds]


@pytest.mark.parametrize("reason", PASSING)
def test_what_passes_is_paused_for_and_tried_again(
    dynamodb: Any, pauses: list[int], reason: str
) -> None:
    busy = Canceling(dynamodb, [reason], [reason, reason])

    begin_round(busy)

    assert (busy.calls, pauses) == (3, [1, 2])
    assert rounds(dynamodb) == [1]


def test_what_does_not_pass_leaves_as_it_is_after_a_bounded_time(
    dynamodb: Any, pauses: list[int]
) -> None:
    busy = Canceling(dynamodb, *[["ThrottlingError"]] * 100)

    with pytest.raises(ClientError, match="TransactionCanceled"):
        begin_round(busy)

    assert (busy.calls, pauses) == (9, [1, 2, 3, 4, 5, 6, 7, 8])
    assert rounds(dynamodb) == []


@pytest.mark.parametrize("beside", ["None", "TransactionConflict", "ValidationError"])
def test_a_failed_condition_is_a_lost_race_whatever_else_is_said(
    dynamodb: Any, pauses: list[int], beside: str
) -> None:
    busy = Canceling(dynamodb, [beside, "ConditionalCheckFailed"])

    with pytest.raises(Stale):
        begin_round(busy)

    assert (busy.calls, pauses) == (1, [])


@pytest.mark.parametrize("reason", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
def test_an_item_that_would_be_too_large_is_no_lost_race(
    dynamodb: Any, pauses: list[int], reason: str
) -> None:
    busy = Canceling(dynamodb, ["TransactionConflict", reason])

    with pytest.raises(NoRoom):
        begin_round(busy)

    assert (busy.calls, pauses) == (1, [])


@pytest.mark.parametrize("reasons", [["AccessDenied"], []])
def test_any_other_reason_leaves_as_it_is(
    dynamodb: Any, pauses: list[int], reasons: list[str]
) -> None:
    busy = Canceling(dynamodb, reasons)

    with pytest.raises(ClientError, match="TransactionCanceled"):
        begin_round(busy)

    assert (busy.calls, pauses) == (1, [])


def test_a_refused_call_is_no_canceled_transaction(dynamodb: Any, pauses: list[int]) -> None:
    ledger = Ledger(dynamodb, "NoSuchTable")

    with pytest.raises(ClientError, match="ResourceNotFound"):
        ledger.begin_round("run", Round(1, ME, scanned=False))

    assert pauses == []
