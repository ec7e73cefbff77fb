"""A time after which a call's connection is cut, whatever still comes in over it.

httpx2 counts its timeouts for each connect, read and write (2.16.2, 2026-11): an answer that
comes byte by byte outlives them all.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from typing import Any, Self


class Deadline:
    """Cuts, after so many seconds, the connection that httpx2's `trace` extension tells it of.

    It only learns of a connection that is made within the call: not of one that is used again.
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
        """What the `trace` extension calls: TLS puts a socket of its own in the place of TCP's."""
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        self._stream = info["return_value"]
        if self._over:
            self._cut()

    def _cut(self) -> None:
        """End the connection under the call, which then fails as if the other side had left."""
        self._over = True
        if self._stream is None:
            return
        with suppress(OSError):  # it has ended already
            # Not the TLS socket's own shutdown: that one would first take the encryption away,
            # while the call may still be writing.
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)
