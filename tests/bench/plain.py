"""The plain way: the script that one writes in an afternoon, from the SDKs' own examples.

It sends the same model, prompt and length of text, and does less: no cleaning of HTML, no
conditions, no record, no check of what came back.
"""

import gc
from collections.abc import Iterable, Iterator
from itertools import batched, islice
from os import environ
from typing import Any

import anthropic
import boto3
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages.batch_create_params import Request
from boto3.dynamodb.conditions import Key

from tests.bench import child
from tests.bench.child import Clock

# The script itself.


def pending_tickets(dynamodb: Any, table: str) -> Iterator[dict[str, Any]]:
    """Read by the hundred."""
    for ids in batched(pending_ids(dynamodb.Table(table)), 100, strict=False):
        keys = [{"ticket_id": ticket_id} for ticket_id in ids]
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})
        yield from answer["Responses"][table]


def pending_ids(table: Any) -> list[str]:
    asked: dict[str, Any] = {
        "IndexName": "by_classification_status",
        "KeyConditionExpression": Key("classification_status").eq("pending"),
    }
    found = []
    while True:
        page = table.query(**asked)
        found += [item["ticket_id"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return found
        asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def send_batch(claude: Any, texts: Iterable[tuple[str, str]], system: str, max_tokens: int) -> Any:
    """One batch from SDK objects in a list."""
    requests = [
        Request(
            custom_id=ticket_id,
            params=MessageCreateParamsNonStreaming(
                model=environ["MODEL"],
                max_tokens=max_tokens,
                system=system,
                messages=[{"role": "user", "content": text}],
            ),
        )
        for ticket_id, text in texts
    ]
    return claude.messages.batches.create(requests=requests)


def download(claude: Any, batch_id: str) -> dict[str, Any]:
    """`results()` into a dict."""
    return {line.custom_id: line.result for line in claude.messages.batches.results(batch_id)}


def write(table: Any, results: Iterable[tuple[str, Any]]) -> int:
    """One `update_item` after another; returns how many."""
    written = 0
    for ticket_id, result in results:
        table.update_item(
            Key={"ticket_id": ticket_id},
            UpdateExpression="SET category = :category REMOVE classification_status",
            ExpressionAttributeValues={":category": result.message.content[0].text},
        )
        written += 1
    return written


# Its measurements.


def submit(system: str, max_tokens: int) -> Clock:
    dynamodb, claude, clock = _connected()
    with clock.running():
        tickets = pending_tickets(dynamodb, environ["TICKET_TABLE"])
        texts = (
            (
                each["ticket_id"],
                f"Subject: {each.get('subject', '')}\n\n{each.get('body', '')[:500]}",
            )
            for each in tickets
        )
        send_batch(claude, texts, system, max_tokens)
    return clock


def send(system: str, max_tokens: int) -> Clock:
    """Ready messages into one batch, as `ours.send`."""
    dynamodb, claude, clock = _connected()
    texts = [
        (ticket["ticket_id"], ticket.get("body", "")[:500] or "-")
        for ticket in pending_tickets(dynamodb, environ["TICKET_TABLE"])
    ]
    gc.freeze()
    with clock.running():
        send_batch(claude, texts, system, max_tokens)
    return clock


def collect(most_writes: int) -> dict[str, Any]:
    """Downloads everything, and writes so many: the rest would take as long for each."""
    dynamodb, claude, downloading = _connected()
    writing, batch_id = Clock(), _only_batch(claude)
    with downloading.running():
        results = download(claude, batch_id)
    with writing.running():
        table = dynamodb.Table(environ["TICKET_TABLE"])
        written = write(table, islice(results.items(), most_writes))
    share = len(results) / written
    return {
        "seconds": downloading.seconds + share * writing.seconds,
        "cpu_seconds": downloading.cpu_seconds + share * writing.cpu_seconds,
        "written": written,
    }


def decode() -> dict[str, Any]:
    """The SDK's own decoder, as `ours.decode`."""
    _, claude, _ = _connected()
    batch_id = _only_batch(claude)
    return child.second_time(lambda: sum(1 for _ in claude.messages.batches.results(batch_id)))


def _connected() -> tuple[Any, Any, Clock]:
    """Clients made and connected, and a clock."""
    dynamodb, claude = boto3.resource("dynamodb"), anthropic.Anthropic()
    dynamodb.Table(environ["TICKET_TABLE"]).get_item(Key={"ticket_id": "none"})
    claude.messages.batches.list(limit=1)
    return dynamodb, claude, Clock()


def _only_batch(claude: Any) -> str:
    """The id of the only batch, whose results lie ready after a first look."""
    [batch] = claude.messages.batches.list(limit=1).data
    next(iter(claude.messages.batches.results(batch.id)))
    return str(batch.id)


if __name__ == "__main__":
    child.run(submit, send, collect, decode)
