"""Claude Platform on AWS, as the stand-in plays it: every call is signed, and IAM decides.

The signature is computed anew over what arrived, as AWS does it (Signature Version 4); actions and
answers are those of platform.claude.com's page on the platform and AWS's reference (2026-11-24).
What is not documented is strict here: exactly one credential, no unsigned or chunked body.
"""

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tools.local.claude_standin.errors import ApiError

SERVICE = "aws-external-anthropic"
WORKSPACE = "wrkspc_01StandIn"
ACCOUNT = "000000000000"
MOST_SKEW = 300.0  # seconds
ALGORITHM = "AWS4-HMAC-SHA256"
ACTIONS = {
    "create": "CreateBatchInference",
    "list": "ListBatchInferences",
    "retrieve": "GetBatchInference",
    "results": "GetBatchInference",
    "cancel": "CancelBatchInference",
    "delete": "DeleteBatchInference",
    "messages": "CreateInference",
    "count_tokens": "CountTokens",
}
# The gateway asks STS for a token in the caller's name, with the caller's rights.
OF_STS = ("sts:GetWebIdentityToken", "sts:TagGetWebIdentityToken")
MUST_BE_SIGNED = {"host", "x-amz-date", "anthropic-workspace-id"}
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)
DISABLED = "Outbound web identity federation is disabled for your account"

type Statements = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Caller:
    """A role's session: its secret and token, and what its policies allow now."""

    arn: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    statements: Callable[[], Statements]


@dataclass(frozen=True)
class Call:
    """An HTTP request as it arrived. `headers` in their order, names as they were written."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    operation: str
    object_id: str = ""

    def values(self, name: str) -> list[str]:
        return [value for header, value in self.headers if header.lower() == name]

    def value(self, name: str) -> str:
        """The one value of a header; empty where there is none.

        Raises:
            ApiError: the header stands there twice.
        """
        found = self.values(name)
        if len(found) > 1:
            raise ApiError(401, f"The header {name} stands there {len(found)} times.")
        return found[0] if found else ""


@dataclass
class Gateway:
    """One account's workspace. `callers` are by their access keys; `skew` is how far its clock is
    ahead, in seconds; `federation`: the account vouches for its roles; `gives_request_id`: answers
    have Claude's request id beside AWS's. `asked` counts which caller needed which action."""

    region: str
    workspace: str = WORKSPACE
    account: str = ACCOUNT
    callers: dict[str, Caller] = field(default_factory=dict)
    skew: float = 0.0
    federation: bool = True
    gives_request_id: bool = True
    now: Callable[[], float] = time.time
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def resource(self) -> str:
        """The workspace's ARN."""
        return f"arn:aws:{SERVICE}:{self.region}:{self.account}:workspace/{self.workspace}"

    def know(self, access_key: str, arn: str, secret: str, token: str, statements: Any) -> None:
        """Know a caller whose policies stay as they are."""
        self.callers[access_key] = Caller(arn, secret, token, lambda: statements)

    def admit(self, call: Call) -> None:
        """Let a call pass.

        Raises:
            ApiError: it is not signed, not in time, not allowed or for another workspace.
        """
        caller = self._signer_of(call)
        if call.value("anthropic-workspace-id") != self.workspace:
            raise ApiError(403, "The workspace of this request is not one of your account.")
        action = _action(call)
        if action is None:
            raise ApiError(403, f"User: {caller.arn} called a route without an action.")
        allowed = caller.statements()
        self._check(caller, allowed, f"{SERVICE}:{action}", self.resource)
        if not self.federation:
            raise ApiError(403, DISABLED)
        for of_sts in OF_STS:
            self._check(caller, allowed, of_sts, f"arn:aws:sts::{self.account}:self")

    def _check(self, caller: Caller, allowed: Statements, action: str, resource: str) -> None:
        self.asked[caller.arn, action] += 1
        if not _allows(allowed, action, resource):
            raise ApiError(
                403,
                f"User: {caller.arn} is not authorized to perform: {action} on resource: "
                f"{resource} because no identity-based policy allows the {action} action",
            )

    def _signer_of(self, call: Call) -> Caller:
        access_key, scope, names, signature = _parts(call.value("authorization"))
        if call.values("x-api-key"):
            raise ApiError(400, "The request must not include both authorization and x-api-key.")
        caller = self.callers.get(access_key)
        if caller is None or call.value("x-amz-security-token") != caller.token:
            raise ApiError(401, "The security token included in the request is invalid.")
        stamp = call.value("x-amz-date")
        self._check_time(stamp)
        if scope != f"{stamp[:8]}/{self.region}/{SERVICE}/aws4_request":
            raise ApiError(401, MISMATCH)  # the real one does not say what of it is wrong either
        digest = _digest(call)
        of_a_session = {"x-amz-security-token"} if caller.token else set()
        _check_names(call, names, MUST_BE_SIGNED | of_a_session)
        expected = self._signature(call, caller, access_key, names, digest)
        if not hmac.compare_digest(signature, expected):
            raise ApiError(401, MISMATCH)
        return caller

    def _check_time(self, stamp: str) -> None:
        try:
            signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise ApiError(401, "The request has no x-amz-date.") from None
        now = self.now() + self.skew
        if signed_at < now - MOST_SKEW:
            raise ApiError(401, f"Signature expired: {stamp} is now earlier than 5 min. ago")
        if signed_at > now + MOST_SKEW:
            raise ApiError(401, f"Signature not yet current: {stamp} is still later than in 5 min.")

    def _signature(
        self, call: Call, caller: Caller, access_key: str, names: list[str], digest: str
    ) -> str:
        """The signature that this very request should have."""
        headers = {name: call.value(name) for name in names}
        url = f"http://{call.value('host')}{call.target}"
        request = AWSRequest(call.method, url, headers)
        request.context["timestamp"] = call.value("x-amz-date")
        signer = _Expected(Credentials(access_key, caller.secret), SERVICE, self.region)
        signer.digest = digest
        to_sign = signer.string_to_sign(request, signer.canonical_request(request))
        return str(signer.signature(to_sign, request))


class _Expected(SigV4Auth):
    digest = ""

    def payload(self, _: Any) -> str:
        return self.digest


def _allows(statements: Statements, action: str, resource: str) -> bool:
    return any(
        action in _as_list(statement["Action"])
        and {resource, "*"} & set(_as_list(statement["Resource"]))
        for statement in statements
    )


def _parts(authorization: str) -> tuple[str, str, list[str], str]:
    """Access key, scope, names of the signed headers and signature."""
    algorithm, _, rest = authorization.partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if algorithm != ALGORITHM or fields.keys() != {"Credential", "SignedHeaders", "Signature"}:
        raise ApiError(401, "The request has no signature (AWS4-HMAC-SHA256).")
    access_key, _, scope = fields["Credential"].partition("/")
    return access_key, scope, fields["SignedHeaders"].split(";"), fields["Signature"]


def _digest(call: Call) -> str:
    """The SHA-256 of the body that arrived, as the client may have announced it."""
    digest = hashlib.sha256(call.body).hexdigest()
    if call.values("transfer-encoding"):
        raise ApiError(400, "A signed body has a length; this one came in chunks.")
    if call.value("x-amz-content-sha256") not in ("", digest):
        raise ApiError(401, "The provided x-amz-content-sha256 does not match what was computed.")
    return digest


def _check_names(call: Call, names: list[str], needed: set[str]) -> None:
    """The signed headers are sorted and there, and all that must be signed are among them."""
    if names != sorted({name.lower() for name in names}):
        raise ApiError(401, "SignedHeaders must be sorted, in lower case, each once.")
    absent = [name for name in names if not call.value(name)]
    missing = sorted(needed - set(names))
    if absent or missing:
        raise ApiError(401, f"These headers must be sent and signed: {', '.join(absent + missing)}")


def _action(call: Call) -> str | None:
    if call.operation == "models":
        return "GetModel" if call.object_id else "ListModels"
    return ACTIONS.get(call.operation)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
