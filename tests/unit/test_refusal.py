"""Creates that were refused in a row, whatever for, and the shapes of AWS's errors."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from nightshift.claude.refusal import in_aws_shape, request_ids, retry_after
from nightshift.runs.records import KEY_REFUSED, REJECTED, TRY_LATER, Batch, Run
from nightshift.sending.refusal import refusals_in_a_row


def refused(number: int, why: str, execution: str = "me") -> Batch:
    return Batch(
        run_id="r", record=f"batch#{number:04}", token="t", round=1, execution=execution,
        model="m", first="A", last="B", requests=1, bound=Decimal(1),
        intent_at=datetime.now(UTC), state="not_created", why_not_created=why,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("whys", "count"),
    [
        ([TRY_LATER, KEY_REFUSED, TRY_LATER], 3),
        ([TRY_LATER, REJECTED, KEY_REFUSED], 1),
        ([], 0),
    ],
)
def test_a_refused_key_is_one_of_the_refusals_in_a_row(whys: list[str], count: int) -> None:
    run = Run("r", batches=tuple(refused(n, why) for n, why in enumerate(whys, 1)))

    assert refusals_in_a_row(run, "me") == count


@pytest.mark.parametrize(
    ("body", "headers", "found"),
    [
        ({"message": "no"}, {}, ("", "no")),
        ({"Message": "no"}, {"x-amzn-errortype": "SlowDown:http://x/"}, ("SlowDown", "no")),
        ({"__type": "a.b#ThrottlingException"}, {}, ("ThrottlingException", "")),
        ({"code": "Throttling", "message": ["no"]}, {}, ("Throttling", "")),
        ("<E><Code>AccessDenied</Code><Message>no</Message></E>", {}, ("AccessDenied", "no")),
        ("<html>no</html>", {}, ("", "")),
        (None, {}, ("", "")),
        (["no"], {}, ("", "")),
        ({"message": "x" * 9999}, {}, ("", "x" * 600)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_error_of_aws_is_read_in_its_shapes(
    body: Any, headers: dict[str, str], found: tuple[str, str]
) -> None:
    assert in_aws_shape(body, headers) == found


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"request-id": "req_1", "x-amzn-requestid": "a"}, "Request req_1, at AWS a."),
        ({"x-amzn-requestid": "a"}, "Request at AWS a."),
        ({"request-id": "req_1"}, "Request req_1."),
        ({}, "The answer names no request."),
    ],
)
def test_a_request_is_named_by_all_its_ids(headers: dict[str, str], said: str) -> None:
    assert request_ids(headers) == said


@pytest.mark.parametrize(
    ("said", "seconds"), [("2.1", 3), ("-1", 0), ("soon", 0), ("99999", 900), ("nan", 0)]
)
def test_the_time_until_the_next_try_is_whole_seconds(said: str, seconds: int) -> None:
    assert retry_after({"retry-after": said}) == seconds
