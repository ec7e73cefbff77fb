"""A deadline for a whole HTTP call: after that time the connection is cut.

The timeouts of httpx2 hold for each connect, read and write (2.16.2, 2026-11), so that an answer
that arrives byte by byte never exceeds one of them.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from typing import Any, Self


class Deadline:
    """Cuts a connection after so many seconds. httpx2's `trace` extension reports the connection.

    Only a connection that is made during the call is reported, not one that is used again.
    """

    def __init__(self, seconds: float) -> None:
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True
        self._stream: Any = None
        self._over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by the `trace` extension. The TLS socket takes the place of the TCP socket."""
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        self._stream = info["return_value"]
        if self._over:
            self._cut()

    def _cut(self) -> None:
        """Shut the connection down; the call then fails as if the other side had closed it."""
        self._over = True
        if self._stream is None:
            return
        with suppress(OSError):  # it has ended already
            # The shutdown of the plain socket: that of the TLS socket would first remove the
            # encryption, while the call may still be writing.
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)
