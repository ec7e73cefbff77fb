"""The client of DynamoDB: attribute values as they are on the wire, errors and checks as ever."""

import json
from binascii import crc32
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.loaders import ExtrasProcessor

from nightshift import aws
from nightshift.errors import SettingsInvalid
from tests.moto.scene import client

TICKETS = "TicketTable"
# Every type, as the wire spells it and as boto3 does by itself.
WIRE: dict[str, Any] = {
    "ticket_id": {"S": "T-1"},
    "text": {"S": "\U0001f3ab \u2028 Grüße"},
    "number": {"N": "12345678901234567890123456789012345678"},
    "small": {"N": "0.00000000000000000000000000000000000001"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "bytes": {"B": "AP8="},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.5"]},
    "binaries": {"BS": ["AA==", "+w=="]},
    "list": {"L": [{"B": "AA=="}, {"N": "1"}, {"L": []}]},
    "map": {"M": {"seal": {"B": "+w=="}, "deep": {"M": {"BOOL": {"BOOL": False}}}}},
}
SDK = WIRE | {
    "bytes": {"B": b"\x00\xff"},
    "binaries": {"BS": [b"\x00", b"\xfb"]},
    "list": {"L": [{"B": b"\x00"}, {"N": "1"}, {"L": []}]},
    "map": {"M": {"seal": {"B": b"\xfb"}, "deep": {"M": {"BOOL": {"BOOL": False}}}}},
}
KEY = {"ticket_id": {"S": "T-1"}}
CBOR = "smithy-rpc-v2-cbor"


@pytest.fixture(autouse=True)
def account(account: None) -> None:
    """Tables of this test's own."""


def test_what_others_have_written_is_read_as_it_is_on_the_wire() -> None:
    client("dynamodb").put_item(TableName=TICKETS, Item=SDK)

    ours = aws.dynamodb()

    [read] = ours.batch_get_item(RequestItems={TICKETS: {"Keys": [KEY]}})["Responses"][TICKETS]
    assert read == WIRE
    assert ours.get_item(TableName=TICKETS, Key=KEY)["Item"] == WIRE


def test_others_read_what_was_written_as_it_is_on_the_wire() -> None:
    aws.dynamodb().put_item(TableName=TICKETS, Item=WIRE)

    assert client("dynamodb").get_item(TableName=TICKETS, Key=KEY)["Item"] == SDK


def test_a_value_that_was_read_is_a_condition_that_holds() -> None:
    client("dynamodb").put_item(TableName=TICKETS, Item=SDK)
    others = {name: value for name, value in WIRE.items() if name != "ticket_id"}
    condition = {
        "ConditionExpression": " AND ".join(f"#{name} = :{name}" for name in others),
        "ExpressionAttributeNames": {f"#{name}": name for name in others},
    }

    aws.dynamodb().update_item(
        TableName=TICKETS,
        Key=KEY,
        UpdateExpression="SET category = :done",
        ExpressionAttributeValues={":done": {"S": "x"}, **{f":{n}": v for n, v in others.items()}},
        **condition,
    )

    assert aws.dynamodb().get_item(TableName=TICKETS, Key=KEY)["Item"]["category"] == {"S": "x"}


def test_python_values_come_back_from_either_client() -> None:
    values = {"ticket_id": "T-1", "seen": b"\x00\xff", "nothing": None}
    aws.dynamodb().put_item(TableName=TICKETS, Item=aws.to_item(values))

    for each in (aws.dynamodb(), client("dynamodb")):
        item = each.get_item(TableName=TICKETS, Key=KEY)["Item"]
        assert aws.from_item(item) == {"ticket_id": "T-1", "seen": b"\x00\xff"}


def test_a_page_of_a_query_has_its_items() -> None:
    client("dynamodb").put_item(TableName=TICKETS, Item=SDK)

    pages = (
        aws.dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=TICKETS,
            KeyConditionExpression="ticket_id = :id",
            ExpressionAttributeValues={":id": {"S": "T-1"}},
        )
    )

    assert [item for page in pages for item in page["Items"]] == [WIRE]


def test_an_error_has_its_code() -> None:
    with pytest.raises(aws.ClientError) as refused:
        aws.dynamodb().update_item(
            TableName=TICKETS,
            Key=KEY,
            UpdateExpression="SET category = :c",
            ConditionExpression="attribute_exists(ticket_id)",
            ExpressionAttributeValues={":c": {"S": "x"}},
        )

    assert aws.error_code(refused.value) == aws.CONDITION_FAILED


class Line:
    """A network that answers in turn, and counts what was asked."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        self.answers = list(answers)

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        status, headers, body = self.answers.pop(0)
        return AWSResponse(request.url, status, headers, Raw(body))


class Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def answering(*answers: tuple[int, dict[str, str], bytes]) -> tuple[Any, Line]:
    ours, line = aws.dynamodb.__wrapped__(), Line(*answers)
    ours.meta.events.register_first("before-send.dynamodb", line)
    return ours, line


ITEMS = json.dumps({"Responses": {TICKETS: [WIRE]}, "UnprocessedKeys": {}}).encode()
ASKED = {TICKETS: {"Keys": [KEY]}}


def test_an_answer_that_was_damaged_on_its_way_is_asked_for_again() -> None:
    checksum = {"x-amz-crc32": str(crc32(ITEMS))}
    damaged = ITEMS.replace(b"T-1", b"T-2")
    ours, line = answering((200, checksum, damaged), (200, checksum, ITEMS))

    read = ours.batch_get_item(RequestItems=ASKED)

    assert read["Responses"] == {TICKETS: [WIRE]}
    assert read["ResponseMetadata"]["RetryAttempts"] == 1
    assert line.answers == []


def test_a_throttled_call_is_tried_again() -> None:
    kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
    throttled = (400, {}, json.dumps({"__type": kind, "message": "too fast"}).encode())
    ours, line = answering(throttled, (200, {}, ITEMS))

    assert ours.batch_get_item(RequestItems=ASKED)["Responses"] == {TICKETS: [WIRE]}
    assert line.answers == []


def test_keys_that_were_not_read_can_be_asked_for_as_they_are() -> None:
    left = {TICKETS: {"Keys": [KEY], "ConsistentRead": True, "ProjectionExpression": "#0"}}
    ours, _ = answering((200, {}, json.dumps({"Responses": {}, "UnprocessedKeys": left}).encode()))

    assert ours.batch_get_item(RequestItems=ASKED)["UnprocessedKeys"] == left


def test_each_statement_has_its_answer() -> None:
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    answers = [{"TableName": TICKETS}, {"Error": failed, "TableName": TICKETS}]
    ours, _ = answering((200, {}, json.dumps({"Responses": answers}).encode()))

    statements = [{"Statement": "UPDATE", "Parameters": [{"B": "AA=="}]}] * 2
    assert ours.batch_execute_statement(Statements=statements)["Responses"] == answers


def extended_by(monkeypatch: pytest.MonkeyPatch, models: Path) -> Any:
    """A new client whose model is extended by other files than ours."""
    monkeypatch.setattr(aws, "_MODELS", models)
    monkeypatch.setattr(aws, "_session", aws._session.__wrapped__)
    return aws.dynamodb.__wrapped__()


def extras(folder: Path, *shapes: str) -> Path:
    """Files that extend no more than these shapes, as ours do."""
    [ours] = aws._MODELS.rglob("*.json")
    merged = json.loads(ours.read_bytes())["merge"]
    kept = {name: merged["shapes"][name] for name in shapes}
    file = folder / ours.relative_to(aws._MODELS)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"merge": {"shapes": kept}}))
    return folder


def test_shapes_that_another_model_calls_otherwise_are_merely_copied(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = extended_by(monkeypatch, extras(tmp_path, "AttributeValue"))
    ours.put_item(TableName=TICKETS, Item=WIRE)

    read = ours.batch_get_item(RequestItems={TICKETS: {"Keys": [KEY]}})["Responses"][TICKETS]

    assert read == [WIRE]
    assert client("dynamodb").get_item(TableName=TICKETS, Key=KEY)["Item"] == SDK


def test_a_boto3_whose_model_cannot_be_extended_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SettingsInvalid, match=r"boto3 .* has another model of DynamoDB"):
        extended_by(monkeypatch, extras(tmp_path, "ItemList", "KeyList"))


def test_models_of_the_environment_change_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))

    ours = extended_by(monkeypatch, aws._MODELS)
    ours.put_item(TableName=TICKETS, Item=WIRE)

    assert ours.get_item(TableName=TICKETS, Key=KEY)["Item"] == WIRE


def test_the_protocol_stays_json_in_which_a_document_is_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A later model may speak a binary protocol, in which base64 text would stay a text."""
    process = ExtrasProcessor.process

    def of_a_later_model(self: ExtrasProcessor, model: dict[str, Any], found: Any) -> None:
        if "metadata" in model:
            model["metadata"] |= {"protocol": CBOR, "protocols": [CBOR]}
        process(self, model, found)

    with monkeypatch.context() as later:
        later.setattr(ExtrasProcessor, "process", of_a_later_model)
        ours = extended_by(later, aws._MODELS)
    ours.put_item(TableName=TICKETS, Item=WIRE)

    assert client("dynamodb").get_item(TableName=TICKETS, Key=KEY)["Item"] == SDK
