"""What a call to Claude is signed in with: an API key, a token in its place, or a signature."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

_SIGNED_HEADERS = frozenset({"anthropic-version", "anthropic-workspace-id", "content-type", "host"})
# A signed call has these headers and no others, whatever the environment adds to it
# (ANTHROPIC_CUSTOM_HEADERS, SDK 2.13.0): a second credential beside the signature is refused.
_HEADERS = _SIGNED_HEADERS | {
    "accept", "accept-encoding", "connection", "content-length", "user-agent",
}  # fmt: skip

type Sign = Callable[[str, str, Mapping[str, str], str], Mapping[str, str]]
"""A call's headers with those that sign it, from its method, URL and headers, and the SHA-256 of
its body in hexadecimal."""


class AccessToken(str):
    """A bearer token that takes the place of an API key, valid for minutes."""

    __slots__ = ()


class Call(Protocol):
    """An HTTP request that is about to be sent. Its body can be read again from its start."""

    method: str
    url: Any
    headers: MutableMapping[str, str]
    stream: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Signature:
    """Signs every call by itself, for one workspace."""

    region: str
    workspace_id: str
    sign: Sign

    def __call__[T: Call](self, call: T) -> T:
        """Sign a call. Its body is read once for that, block by block, and again to be sent."""
        digest = sha256()
        for block in call.stream:
            digest.update(block)
        for name in list(call.headers):
            if name not in _HEADERS and not name.startswith("x-stainless-"):
                del call.headers[name]
        call.headers["anthropic-workspace-id"] = self.workspace_id
        signed = {name: call.headers[name] for name in call.headers if name in _SIGNED_HEADERS}
        call.headers.update(self.sign(call.method, str(call.url), signed, digest.hexdigest()))
        return call


type Credential = str | Signature
"""An API key, an `AccessToken` or a `Signature`."""
