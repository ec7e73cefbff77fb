"""The page at a free port of this machine, reachable from nowhere else."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import BaseWSGIServer, make_server

from tools.operate.review.app import application
from tools.operate.review.guard import HOST, Guard
from tools.operate.review.sitting import Sitting


@contextmanager
def listening(sitting: Sitting, stack: str) -> Iterator[tuple[str, BaseWSGIServer]]:
    """The address that opens the page, once, and the server, which its user lets serve."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # below that it logs each address
    with socket.create_server((HOST, 0)) as door:
        port = door.getsockname()[1]
        guard = Guard(port)
        app = application(sitting, guard, stack)
        server = make_server(HOST, port, app, threaded=True, fd=door.fileno())
        try:
            yield guard.address, server
        finally:
            server.server_close()
