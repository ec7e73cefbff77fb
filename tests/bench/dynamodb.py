"""DynamoDB with a fixed answer time, as far as the package and the plain way use it.

MiniStack's engine cannot take its place: a page of its index takes longer the more tickets there
are (a second at 20,000), and 25 updates take 12 ms, where the comparison needs 5 ms for each call.

Run as `python -m tests.bench.dynamodb FILE COUNT`: the first COUNT tickets of the file are pending,
the others were sorted in earlier nights. Where the file has fewer, they repeat under new ids.
It keeps items, follows the few expressions that it is sent, and counts calls, bytes and request
units as AWS bills them. Every condition holds: nobody else works on these tables, and nothing is
throttled.
"""

import asyncio
import gc
import os
import re
import sys
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from math import ceil
from typing import Any

import msgspec

from tests.bench.stage import RUN_TABLE, TICKET_TABLE, id_of

ANSWER_SECONDS = 0.005
KEYS = {TICKET_TABLE: ("ticket_id",), RUN_TABLE: ("run_id", "record")}
INDEXED = ("classification_status", "ticket_id")
PAGE_BYTES, READ_BYTES = 1 << 20, 16 << 20
READ_UNIT, WRITE_UNIT = 4096, 1024
_CLAUSES = re.compile(r"\b(SET|REMOVE|ADD|DELETE)\b")
_PARTIQL = re.compile(r'(SET|REMOVE) "(\w+)"')

type Item = dict[str, Any]


class Tables:
    """The items of both tables, and what each call on them costs."""

    def __init__(self, tickets: Iterable[Item]) -> None:
        self.items: dict[str, dict[tuple[str, ...], Item]] = {RUN_TABLE: {}}
        self.items[TICKET_TABLE] = {(ticket["ticket_id"]["S"],): ticket for ticket in tickets}
        # Of the index: none enters it later.
        self.in_order = sorted(
            key for key, ticket in self.items[TICKET_TABLE].items() if INDEXED[0] in ticket
        )
        self.calls: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        # Values that many tickets share are kept once: a million of them fit into memory.
        self.shared: dict[str, Item] = {}

    def perform(self, operation: str, asked: Any) -> Any:
        self.calls[operation] += 1
        return getattr(self, operation)(asked)

    def DescribeTable(self, asked: Any) -> Any:  # noqa: N802
        """What the check of the ticket table looks at. It costs nothing."""
        index = [{"AttributeName": INDEXED[0], "KeyType": "HASH"}]
        index += [{"AttributeName": INDEXED[1], "KeyType": "RANGE"}]
        return {
            "Table": {
                "TableName": asked["TableName"],
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in INDEXED
                ],
                "KeySchema": [{"AttributeName": "ticket_id", "KeyType": "HASH"}],
                "GlobalSecondaryIndexes": [
                    {"IndexName": f"by_{INDEXED[0]}", "KeySchema": index, "IndexStatus": "ACTIVE"}
                ],
            }
        }

    def GetItem(self, asked: Any) -> Any:  # noqa: N802
        item = self.items[asked["TableName"]].get(_key(asked["TableName"], asked["Key"]))
        self._read(item or {}, asked.get("ConsistentRead"))
        return {} if item is None else {"Item": item}

    def BatchGetItem(self, asked: Any) -> Any:  # noqa: N802
        [(table, wanted)] = asked["RequestItems"].items()
        names, size = _names(wanted), 0
        found = []
        for number, key in enumerate(wanted["Keys"]):
            item = self.items[table].get(_key(table, key), {})
            size += _size(item)
            if size > READ_BYTES:
                left = {table: {**wanted, "Keys": wanted["Keys"][number:]}}
                return {"Responses": {table: found}, "UnprocessedKeys": left}
            self._read(item, wanted.get("ConsistentRead"))
            if item:
                found.append(_projected(item, names))
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def Query(self, asked: Any) -> Any:  # noqa: N802
        values = [value["S"] for value in asked["ExpressionAttributeValues"].values()]
        if "IndexName" in asked:
            return self._query_index(asked, values)
        run_id, *between = values
        first, last = between or ("", chr(sys.maxunicode))
        found = [
            _projected(item, _names(asked))
            for (run, record), item in sorted(self.items[RUN_TABLE].items())
            if run == run_id and first <= record <= last
        ]
        self.units["read"] += ceil(sum(map(_size, found)) / READ_UNIT) or 1
        return {"Items": found, "Count": len(found)}

    def PutItem(self, asked: Any) -> Any:  # noqa: N802
        self._put(asked["TableName"], asked["Item"])
        return {}

    def UpdateItem(self, asked: Any) -> Any:  # noqa: N802
        self._update(asked)
        return {}

    def TransactWriteItems(self, asked: Any) -> Any:  # noqa: N802
        for element in asked["TransactItems"]:
            [(kind, what)] = element.items()
            if kind == "Put":
                self._put(what["TableName"], what["Item"], transaction=2)
            elif kind == "Update":
                self._update(what, transaction=2)
            else:
                self.units["write"] += 2
        return {}

    def BatchExecuteStatement(self, asked: Any) -> Any:  # noqa: N802
        for each in asked["Statements"]:
            sets, removes = _partiql(each["Statement"])
            parameters = each["Parameters"]
            key = (parameters[len(sets)]["S"],)
            old = self.items[TICKET_TABLE][key]
            new = {name: old[name] for name in old if name not in removes}
            new |= zip(sets, map(self._kept, parameters), strict=False)
            self._write(TICKET_TABLE, key, old, new)
        return {"Responses": [{"TableName": TICKET_TABLE} for _ in asked["Statements"]]}

    def _query_index(self, asked: Any, values: list[str]) -> Any:
        status, *after = values
        start = asked.get("ExclusiveStartKey", {}).get("ticket_id", {}).get("S")
        position = bisect_right(self.in_order, (start or "".join(after),))
        tickets, most = self.items[TICKET_TABLE], asked.get("Limit", sys.maxsize)
        found: list[Item] = []
        size = 0
        while position < len(self.in_order) and len(found) < most and size < PAGE_BYTES:
            item = tickets[self.in_order[position]]
            position += 1
            if item.get("classification_status", {}).get("S") == status:
                found.append({name: item[name] for name in INDEXED})
                size += _size(found[-1])
        self.units["read"] += (ceil(size / READ_UNIT) or 1) / 2
        answer: Any = {"Count": len(found)}
        if asked.get("Select") != "COUNT":
            answer["Items"] = found
        if position < len(self.in_order) and found:
            answer["LastEvaluatedKey"] = found[-1]
        return answer

    def books(self) -> Any:
        """How many tickets ask for an answer, have one, and what was answered how often."""
        tickets = self.items[TICKET_TABLE].values()
        answers = Counter(t["category"]["S"] for t in tickets if "category" in t)
        pending = sum(INDEXED[0] in ticket for ticket in tickets)
        return {"tickets": len(tickets), "pending": pending, "answers": dict(answers)}

    def _kept(self, value: Item) -> Item:
        text = value.get("S")
        return value if text is None else self.shared.setdefault(text, value)

    def _read(self, item: Item, consistent: bool | None) -> None:
        self.units["read"] += (ceil(_size(item) / READ_UNIT) or 1) / (1 if consistent else 2)

    def _put(self, table: str, item: Item, transaction: int = 1) -> None:
        key = _key(table, item)
        self._write(table, key, self.items[table].get(key, {}), item, transaction)

    def _update(self, asked: Any, transaction: int = 1) -> None:
        table, key = asked["TableName"], _key(asked["TableName"], asked["Key"])
        old = self.items[table].get(key, asked["Key"])
        values = asked["ExpressionAttributeValues"]
        new = dict(old)
        for clause, name, value in _expression(asked):
            if clause == "REMOVE":
                new.pop(name, None)
            elif clause == "SET":
                new[name] = values[value]
            else:
                there = set(new.get(name, {"SS": []})["SS"])
                changed = set(values[value]["SS"])
                left = sorted(there | changed if clause == "ADD" else there - changed)
                new[name] = {"SS": left}
        self._write(table, key, old, new, transaction)

    def _write(
        self, table: str, key: tuple[str, ...], old: Item, new: Item, transaction: int = 1
    ) -> None:
        self.items[table][key] = new
        units = ceil(max(_size(old), _size(new)) / WRITE_UNIT)
        if table == TICKET_TABLE:
            was, now = (item.get("classification_status") for item in (old, new))
            units += 0 if was == now else (was is not None) + (now is not None)
        self.units["write"] += transaction * units


def _key(table: str, item: Item) -> tuple[str, ...]:
    return tuple(item[name]["S"] for name in KEYS[table])


def _names(asked: Any) -> list[str] | None:
    if "ProjectionExpression" not in asked:
        return None
    real = asked.get("ExpressionAttributeNames", {})
    return [real.get(name, name) for name in asked["ProjectionExpression"].split(", ")]


def _projected(item: Item, names: list[str] | None) -> Item:
    return item if names is None else {name: item[name] for name in names if name in item}


def _expression(asked: Any) -> Iterable[tuple[str, str, str]]:
    """Each change of an UpdateExpression: its clause, the attribute, the name of the value."""
    real = asked.get("ExpressionAttributeNames", {})
    _, *parts = _CLAUSES.split(asked["UpdateExpression"])
    for clause, text in zip(parts[::2], parts[1::2], strict=True):
        for change in text.split(","):
            name, _, value = change.strip().replace(" = ", " ").partition(" ")
            yield clause, real.get(name, name), value


@cache
def _partiql(statement: str) -> tuple[list[str], list[str]]:
    """The attributes that an UPDATE sets and removes; its first parameters are their values."""
    clauses = _PARTIQL.findall(statement)
    return tuple([name for verb, name in clauses if verb == wanted] for wanted in ("SET", "REMOVE"))


def _size(item: Item) -> int:
    """Bytes as DynamoDB counts them (docs.aws.amazon.com, item sizes and formats, 2026-11)."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Any) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content) // 2 + 2
        case "B":
            return len(content) * 3 // 4
        case "SS":
            return sum(len(each.encode()) for each in content)
        case "M":
            return 3 + len(content) + _size(content)
        case "L":
            return 3 + len(content) + sum(map(_value_size, content))
    return 1


class Connection(asyncio.Protocol):
    """HTTP/1.1 with a length, one request after another, each answered after the fixed time."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.received = bytearray()
        self.needed = 0
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.needed:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            self.head = bytes(self.received[:end]).lower()
            del self.received[: end + 4]
            length = re.search(rb"content-length: *(\d+)", self.head)
            self.needed = int(length[1]) if length else 0
        if len(self.received) >= self.needed:
            body, self.received, self.needed = bytes(self.received), bytearray(), 0
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        target = re.search(rb"x-amz-target: dynamodb_20120810\.(\w+)", self.head)
        if target is None:
            self._send(msgspec.json.encode(self._control(self.head.split()[1].decode())))
            return
        operation = next(name for name in OPERATIONS if name.lower() == target[1].decode())
        asked = msgspec.json.decode(body)
        answer = msgspec.json.encode(self.tables.perform(operation, asked))
        place = "runs" if RUN_TABLE in (asked.get("TableName"),) else "tickets"
        self.tables.bytes[f"{place} sent"] += len(body)
        self.tables.bytes[f"{place} read"] += len(answer)
        loop.call_at(arrived + ANSWER_SECONDS, self._send, answer)

    def _control(self, path: str) -> Any:
        """What the benchmark asks: /forget (the counts), /counted and /books."""
        tables = self.tables
        if path == "/books":
            return tables.books()
        if path == "/forget":
            tables.calls.clear()
            tables.units.clear()
            tables.bytes.clear()
        return {
            "calls": dict(tables.calls),
            "units": dict(tables.units),
            "bytes": dict(tables.bytes),
            "cpu_seconds": time.process_time(),
        }

    def _send(self, body: bytes) -> None:
        if not self.transport.is_closing():
            kind = b"content-type: application/x-amz-json-1.0"
            head = b"HTTP/1.1 200 OK\r\n%b\r\ncontent-length: %d\r\n\r\n" % (kind, len(body))
            self.transport.write(head + body)


OPERATIONS = [name for name in vars(Tables) if name[0].isupper()]


async def _serve(tables: Tables) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(tables), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _tickets(path: str, pending: int) -> Iterator[Item]:
    with open(path, "rb") as file:  # noqa: PTH123
        texts = [
            {name: {"S": text} for name, text in msgspec.json.decode(line).items()} for line in file
        ]
    asks: Item = {"classification_status": {"S": "pending"}}
    for number in range(max(pending, len(texts))):
        ticket = texts[number % len(texts)] | {"ticket_id": {"S": id_of(number)}}
        yield ticket | asks if number < pending else ticket


def main(path: str, pending: int) -> None:
    tables = Tables(_tickets(path, pending))
    gc.freeze()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    asyncio.run(_serve(tables))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
