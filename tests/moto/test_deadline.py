"""A call ends in time, however its answer dribbles in: over plain TCP and over TLS."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nightshift.claude.deadline import Deadline

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n" + b"x" * 200
# Seconds: between two bytes of a slow answer, for a whole call, and for a single read. So a slow
# answer takes many times what is allowed, and no read as much as httpx2 allows.
PAUSE, ALLOWED, PATIENCE = 0.05, 0.5, 60.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for 127.0.0.1 that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    as_pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(as_pem, serialization.PrivateFormat.PKCS8, plain)
        + signed.public_bytes(as_pem)
    )
    return path


@pytest.fixture(params=["http", "https"])
def line(request: pytest.FixtureRequest, certificate: Path) -> Iterator[tuple[str, httpx2.Client]]:
    """The address of a server that dribbles at `/slow`, and a client that trusts it."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if request.param == "https" else None
    if tls:
        tls.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=str(certificate))
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        httpx2.Client(verify=trust, timeout=PATIENCE, trust_env=False) as client,
    ):
        thread = threading.Thread(target=_dribble, args=(server, tls), daemon=True)
        thread.start()
        yield f"{request.param}://127.0.0.1:{server.getsockname()[1]}", client
        thread.join()


def _dribble(server: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Answer one request byte by byte, as long as somebody listens."""
    connection, _ = server.accept()
    with contextlib.suppress(OSError):
        if tls:
            connection = tls.wrap_socket(connection, server_side=True)
        slow = b"/slow" in connection.recv(1 << 16)
        for byte in ANSWER:
            connection.sendall(bytes([byte]))
            time.sleep(PAUSE if slow else 0)
    connection.close()


def test_an_answer_that_dribbles_is_cut(line: tuple[str, httpx2.Client]) -> None:
    url, client = line

    with Deadline(ALLOWED) as deadline, pytest.raises(httpx2.TransportError):
        client.get(f"{url}/slow", extensions={"trace": deadline.watch})


def test_an_answer_within_the_time_is_whole(line: tuple[str, httpx2.Client]) -> None:
    url, client = line

    with Deadline(PATIENCE) as deadline:
        answer = client.get(f"{url}/quick", extensions={"trace": deadline.watch})

    assert answer.content == b"x" * 200


def test_a_connection_that_comes_too_late_is_cut_at_once(line: tuple[str, httpx2.Client]) -> None:
    url, client = line

    with Deadline(0) as deadline:
        while not deadline._over:
            time.sleep(0.001)
        with pytest.raises(httpx2.TransportError):
            client.get(f"{url}/slow", extensions={"trace": deadline.watch})
