"""HTTP on 127.0.0.1: headers, keys, versions, bodies; and the faults of connections."""

import itertools
import os
import select
import socket
import socketserver
import struct
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from tools.local.claude_standin import stage
from tools.local.claude_standin.batches import Batches, Life
from tools.local.claude_standin.control import PREFIX, Control
from tools.local.claude_standin.endpoints import Call, Reply, perform, route
from tools.local.claude_standin.errors import ApiError, invalid
from tools.local.claude_standin.faults import Faults, mangle
from tools.local.claude_standin.gateway import Call as Arrived
from tools.local.claude_standin.gateway import Gateway
from tools.local.claude_standin.identity import Identity

DEFAULT_API_KEY = "sk-ant-stand-in"
VERSIONS = ("2023-06-01", "2026-10-21")
CHUNK = 1 << 16
JSON = "application/json"


@dataclass(frozen=True)
class Settings:
    """`max_body` is the strict reading of 256 MB; `queue_limit` the queued batch requests of the
    Start tier (2026-09). Every run has its own ids unless `seed` is given. `aws_region`: it plays
    Claude Platform on AWS, with its workspace in that region."""

    api_key: str = DEFAULT_API_KEY
    port: int = 0
    seed: str | None = None
    max_body: int = 256_000_000
    queue_limit: int = 200_000
    aws_region: str = ""


class Trap:
    """An address that nobody should call; its batches' `results_url` leads there."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def was_called(self) -> bool:
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        self._socket.close()


class StandIn(ThreadingHTTPServer):
    """The server. `control` scripts it, in this process or, by `Control(url)`, in another."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_port = False  # two stand-ins on one port would share its connections

    def __init__(self, settings: Settings, life: Life) -> None:
        super().__init__(("127.0.0.1", settings.port), Handler)
        self.settings = settings
        self.api_key = settings.api_key
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.control = Control(self.url)
        region = settings.aws_region
        self.gateway = Gateway(region) if region else None
        self.trap = Trap() if region else None
        shown_url = self.trap.url if self.trap else self.url
        self.batches = Batches(shown_url, settings.seed, life, settings.queue_limit)
        self.faults = Faults()
        self.identity = Identity()
        self.requests: list[dict[str, Any]] = []
        self.numbers = itertools.count()
        self.stopping = threading.Event()

    def server_bind(self) -> None:
        """Without HTTPServer's reverse DNS lookup, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)

    def server_close(self) -> None:
        super().server_close()
        if self.trap:
            self.trap.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is no news; anything else is a fault of the stand-in."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running(settings: Settings | None = None, life: Life | None = None) -> Iterator[StandIn]:
    """A stand-in that serves until the block ends."""
    stand_in = StandIn(settings or Settings(), life or Life())
    thread = threading.Thread(target=stand_in.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.stopping.set()
        stand_in.shutdown()
        stand_in.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StandIn

    def version_string(self) -> str:
        return "claude-stand-in"

    def log_message(self, *_: Any) -> None:
        """The journal says it."""

    def serve(self) -> None:
        if self.path.startswith(PREFIX):
            self._serve_stage()
            return
        call = route(self.command, self.path)
        call.do = self.server.faults.take(call.operation, call.object_id)
        entry = self._note(call)
        if "refuse" in call.do:
            entry["lost"] = True
            self._silence(call.do["refuse"])
            return
        try:
            call.body = self._body()
            if "answer" in call.do:
                raise ApiError(**call.do["answer"])
            reply: Reply | ApiError = self._reply(call)
        except ApiError as error:
            reply = error
        entry.update(accepted=call.accepted, object_id=call.object_id)
        self.server.stopping.wait(call.do.get("delay", 0))
        if "dribble" in call.do:
            self.wfile = _Dribble(self.wfile, call.do["dribble"], self.server.stopping)  # type: ignore[assignment]
            self.close_connection = True
        self._finish(reply, call, entry)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = serve  # noqa: N815

    def _reply(self, call: Call) -> Reply:
        # That is how a client comes to be authorized, where nobody signs.
        if call.operation == "token" and not self.server.gateway:
            return Reply(self.server.identity.exchange(call.body, self._betas()))
        self._authorize(call)
        call.version = self._version()
        return perform(call, self.server.batches)

    def _betas(self) -> set[str]:
        return {flag.strip() for flag in self.headers.get("anthropic-beta", "").split(",")}

    def _note(self, call: Call) -> dict[str, Any]:
        entry = {
            "number": next(self.server.numbers),
            "at": time.time(),
            "method": self.command,
            "path": self.path,
            "operation": call.operation,
            "object_id": call.object_id,
            "status": None,
            "accepted": 0,
            "lost": False,
            "lines": 0,
            "fault": call.do or None,
        }
        self.server.requests.append(entry)
        return entry

    def _finish(self, reply: Reply | ApiError, call: Call, entry: dict[str, Any]) -> None:
        lose = call.do.get("lose")
        if isinstance(lose, str):
            entry["lost"] = True
            self._silence(lose)
            return
        if lose:
            entry["lost"] = True
            reply = ApiError(**lose["answer"])
        entry["status"] = reply.status if isinstance(reply, ApiError) else 200
        if isinstance(reply, ApiError):
            self._send_error(reply)
        elif reply.lines is None:
            body = msgspec.json.encode(reply.body)
            self._send(200, body, JSON, reply.headers, call.do.get("part"))
        else:
            lines = mangle(reply.lines, **call.do["lines"]) if "lines" in call.do else reply.lines
            self._stream(self._counted(lines, entry), **call.do.get("stream", {}))

    def _authorize(self, call: Call) -> None:
        if self.server.gateway:
            arrived = tuple(self.headers.items())
            self.server.gateway.admit(
                Arrived(self.command, self.path, arrived, call.body, call.operation, call.object_id)
            )
            return
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        if self.server.identity.accepts(bearer, self._betas()):
            return
        key = self.headers.get("x-api-key", bearer)  # x-api-key wins where both are sent
        if not key:
            raise ApiError(401, "x-api-key header is required")
        if key != self.server.settings.api_key:
            raise ApiError(401)

    def _version(self) -> str:
        version = self.headers.get("anthropic-version")
        if not version:
            raise invalid("anthropic-version: header is required")
        if version not in VERSIONS:
            raise invalid(f'anthropic-version: "{version}" is not a valid version')
        return version

    def _body(self) -> bytes:
        """The whole body, so that the connection can go on; raises 413 for one too large."""
        most = self.server.settings.max_body
        encoding = self.headers.get("content-encoding", "identity")
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = b"".join(self._chunks(most))
        else:
            length = int(self.headers.get("content-length", 0))
            if length > most:
                self.close_connection = True
                raise ApiError(413)
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionResetError("the client left within its body")
        if encoding != "identity":
            details = {"error_code": "request_body_encoding_unsupported"}
            raise ApiError(400, f"Unsupported Content-Encoding: {encoding}", details=details)
        return body

    def _chunks(self, most: int) -> Iterator[bytes]:
        total = 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            total += size
            if total > most:
                self.close_connection = True
                raise ApiError(413)
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b"\n", b""):
            pass  # trailers

    def _send_error(self, error: ApiError) -> None:
        if error.html:
            self._send(error.status, error.page.encode(), "text/html", error.headers)
            return
        if error.raw is not None:
            self._send(error.status, error.raw.encode(), JSON, error.headers)
            return
        request_id = _request_id()
        body = {"type": "error", "error": error.error, "request_id": request_id}
        headers = error.headers | {"request-id": request_id}
        self._send(error.status, msgspec.json.encode(body), JSON, headers)

    def _send(
        self, status: int, body: bytes, kind: str, headers: dict[str, str], part: int | None = None
    ) -> None:
        self.close_connection = self.close_connection or part is not None
        self._head(status, kind, headers | {"content-length": str(len(body))})
        self.wfile.write(body[:part])
        if self.close_connection:
            self._drain()

    def _head(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        common = {
            "content-type": kind,
            "request-id": _request_id(),
            "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
            "anthropic-workspace-id": "wrkspc_stand_in",
        }
        if gateway := self.server.gateway:
            common |= {"x-amzn-requestid": str(uuid.uuid4())}
            common["anthropic-workspace-id"] = gateway.workspace
            if not gateway.gives_request_id:
                headers = {n: v for n, v in headers.items() if n != "request-id"}
                del common["request-id"]
        for name, value in (common | headers).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()

    def _stream(
        self, lines: Iterator[bytes], end: str = "", after: int = 0, within_line: bool = False
    ) -> None:
        """Send the lines in chunks; `end`, after so many lines, is one of the faults."""
        chunked = end not in ("close", "short")
        self.close_connection = self.close_connection or bool(end)
        extra = {"transfer-encoding": "chunked"} if chunked else {}
        if end == "short":
            whole = list(lines)
            lines, extra = iter(whole), {"content-length": str(sum(map(len, whole)))}
        self._head(200, "application/x-jsonl", extra)
        frame = _chunk if chunked else bytes
        for piece in _pieces(_cut(lines, after, within_line) if end else lines):
            self.wfile.write(frame(piece))
        if not end:
            self.wfile.write(b"0\r\n\r\n")
        elif end == "stall":
            self._silence("hang")
        elif end == "reset":
            self.server.stopping.wait(0.05)  # lets the lines arrive first
            self._silence("reset")

    def _counted(self, lines: Iterator[bytes], entry: dict[str, Any]) -> Iterator[bytes]:
        for line in lines:
            entry["lines"] += 1
            yield line

    def _silence(self, how: str) -> None:
        """Answer nothing, or nothing more."""
        self.close_connection = True
        if how == "hang":
            self._drain(seconds=float("inf"))
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())  # a shutdown first would send a FIN

    def _drain(self, seconds: float = 1.0) -> None:
        """Read what still comes until the client is gone, or silent for so many seconds."""
        quiet_since = time.monotonic()
        while not self.server.stopping.is_set() and time.monotonic() - quiet_since < seconds:
            if not select.select([self.connection], [], [], 0.05)[0]:
                continue
            if not self.connection.recv(CHUNK):
                return
            quiet_since = time.monotonic()

    def _serve_stage(self) -> None:
        body = self._body()
        try:
            reply = stage.perform(self.server, self.command, self.path, body)
        except ApiError as error:
            self._send_error(error)
            return
        if reply.lines is None:
            self._send(200, msgspec.json.encode(reply.body), JSON, {})
        else:
            self._stream(reply.lines)


class _Dribble:
    """A connection's file that takes its time over every byte."""

    def __init__(self, file: Any, seconds: float, stopping: threading.Event) -> None:
        self._file, self._seconds, self._stopping = file, seconds, stopping

    def write(self, data: bytes) -> None:
        for byte in data:
            self._file.write(bytes([byte]))
            self._stopping.wait(self._seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _request_id() -> str:
    return "req_01" + uuid.uuid4().hex[:22]


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _cut(lines: Iterator[bytes], after: int, within_line: bool) -> Iterator[bytes]:
    for i, line in enumerate(lines):
        if i == after:
            if within_line:
                yield line[: len(line) // 2]
            return
        yield line


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines joined to pieces of about CHUNK bytes."""
    waiting, size = [], 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
