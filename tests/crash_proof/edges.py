"""The edges of one function call: every call to AWS and Claude passes here and may go wrong."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Protocol

import httpx2
from botocore.awsrequest import AWSResponse
from msgspec.json import decode, encode

LIFE_OF_A_LAMBDA = 900.0  # seconds
# Why DynamoDB cancels a transaction although all its conditions hold.
CANCELED_FOR = ("TransactionConflict", "ThrottlingError")


class Death(BaseException):
    """The process of a function ends here; no code of it may run on."""


class Wire(Protocol):
    """One call on its way: it can be carried out, and it can go wrong in its service's ways."""

    service: str
    operation: str
    about: str
    identity: str
    """The same for all attempts that the client makes at one call."""

    def perform(self) -> Any: ...
    def fail(self, how: str) -> Any: ...


@dataclass(eq=False)
class Process:
    """One invocation of a function. Its thread runs on after its execution was stopped."""

    function: str
    execution: str
    started: float
    work: Callable[["Process"], Any]
    dead: bool = False
    hanging: bool = False
    forgotten: bool = False
    outcome: Any = None
    thread: threading.Thread = field(init=False)
    settled: threading.Event = field(default_factory=threading.Event)
    wake: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Any:
        """Run until the end, or until it hangs; returns what it returned or raised."""
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()
        self._wait()
        return self.outcome

    def hang(self) -> None:
        """Called by its own thread: stand still until somebody calls `go_on`."""
        self.hanging = True
        self.wake.clear()
        self.settled.set()
        self.wake.wait()

    def go_on(self) -> None:
        """Let it run to its end; returns when it is there."""
        self.hanging = False
        self.settled.clear()
        self.wake.set()
        self._wait()

    def _wait(self) -> None:
        if not self.settled.wait(60):
            raise AssertionError(f"{self.function} neither ends nor hangs at a call")

    def _live(self) -> None:
        try:
            self.outcome = self.work(self)
        except (Exception, Death) as error:
            self.outcome = error
        self.settled.set()


@dataclass
class Aws:
    """A call to DynamoDB, as botocore is about to send it."""

    operation: str
    request: Any
    engine: Callable[[str, bytes], tuple[int, dict[str, str], bytes]]
    service: str = "dynamodb"

    @property
    def identity(self) -> str:
        return str(self.request.headers.get("amz-sdk-invocation-id"))

    @property
    def _data(self) -> dict[str, Any]:
        return decode(self.request.body)

    @property
    def about(self) -> str:
        """The record and the state that it moves to, where there are such."""
        data = self._data
        puts = [e["Put"]["Item"] for e in data.get("TransactItems", []) if "Put" in e]
        key = data.get("Key") or data.get("Item") or (puts[0] if puts else {})
        state = data.get("ExpressionAttributeValues", {}).get(":state", {})
        return " ".join([*key.get("record", {}).values(), *state.values()])

    def perform(self) -> AWSResponse:
        return self._answer(*self.engine(self.operation, self.request.body))

    def fail(self, how: str) -> AWSResponse:
        if how == "some done":
            return self._some_done()
        if how == "one in doubt":
            return self._one_in_doubt()
        if how in CANCELED_FOR:
            innocent = [{"Code": "None"} for _ in self._data["TransactItems"][1:]]
            reasons = [{"Code": how}, *innocent]
            return self._error(400, "TransactionCanceledException", CancellationReasons=reasons)
        if how == "500":
            return self._error(500, "InternalServerError")
        return self._error(400, "ProvisionedThroughputExceededException")

    def _some_done(self) -> AWSResponse:
        """Half of a batch call is done, as its answer says."""
        data = self._data
        if self.operation == "BatchExecuteStatement":
            return self._some_statements_done(data["Statements"])
        (table, whole), *_ = data["RequestItems"].items()
        items = whole["Keys"] if self.operation == "BatchGetItem" else whole
        half = len(items) // 2
        rest: Any = items[half:]
        now: Any = items[:half]
        name = "UnprocessedItems"
        if self.operation == "BatchGetItem":
            rest, now, name = {**whole, "Keys": rest}, {**whole, "Keys": now}, "UnprocessedKeys"
        if not half:
            return self._answer(200, {}, encode({"Responses": {}, name: {table: rest}}))
        body = encode({"RequestItems": {table: now}})
        status, headers, body = self.engine(self.operation, body)
        answer = {**decode(body), name: {table: rest}}
        return self._answer(status, headers, encode(answer))

    def _some_statements_done(self, statements: list[Any]) -> AWSResponse:
        done = statements[: len(statements) // 2]
        throttled = {"Error": {"Code": "ThrottlingError", "Message": "scripted"}}
        answers = [throttled] * (len(statements) - len(done))
        if done:
            body = encode({"Statements": done})
            answers = decode(self.engine(self.operation, body)[2])["Responses"] + answers
        return self._answer(200, {}, encode({"Responses": answers}))

    def _one_in_doubt(self) -> AWSResponse:
        """All statements are done, but the answer fails for the last."""
        status, headers, body = self.engine(self.operation, self.request.body)
        answer = decode(body)
        answer["Responses"][-1] = {"Error": {"Code": "InternalServerError", "Message": "scripted"}}
        return self._answer(status, headers, encode(answer))

    def _error(self, status: int, code: str, **more: Any) -> AWSResponse:
        kind = f"com.amazonaws.dynamodb.v20120810#{code}"
        body = encode({"__type": kind, "message": "scripted", **more})
        return self._answer(status, {}, body)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> AWSResponse:
        kept = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(body))}
        return AWSResponse(self.request.url, status, kept, _Raw(body))


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


@dataclass
class Simple:
    """A call to AWS whose answer is one value: the secret, the status of an execution."""

    service: str
    operation: str
    value: Callable[[], Any]
    about: str = ""
    identity: str = ""

    def perform(self) -> Any:
        return self.value()

    def fail(self, how: str) -> Any:
        raise ConnectionError(how)


@dataclass
class Http:
    """A call to Claude, as httpx is about to send it."""

    operation: str
    request: httpx2.Request
    about: str
    send: Callable[[httpx2.Request], httpx2.Response]
    service: str = "claude"
    identity: str = ""

    def keep(self) -> None:
        """Read the body now: its sender may be gone when the call is carried out."""
        self.request.read()

    def perform(self) -> httpx2.Response:
        return self.send(self.request)

    def fail(self, how: str) -> httpx2.Response:
        if how == "never connected":
            raise httpx2.ConnectError("scripted", request=self.request)
        if how == "lost":
            raise httpx2.ReadError("scripted", request=self.request)
        if how == "timeout":
            raise httpx2.ReadTimeout("scripted", request=self.request)
        return httpx2.Response(int(how), json={"type": "error", "error": {"type": "scripted"}})


class Cut(httpx2.SyncByteStream):
    """A stream of results that ends after one line: with an error, or as if that were all."""

    def __init__(self, body: bytes, loud: bool) -> None:
        self.line = body.splitlines(keepends=True)[0]
        self.loud = loud

    def __iter__(self) -> Any:
        yield self.line
        if self.loud:
            raise httpx2.RemoteProtocolError("scripted")
