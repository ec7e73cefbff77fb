"""The stand-in as Claude Platform on AWS is strict: what AWS would refuse, it refuses."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tools.local.claude_standin.errors import ApiError
from tools.local.claude_standin.gateway import ACTIONS, SERVICE, WORKSPACE, Call, Gateway

REGION = "eu-central-1"
BODY = b'{"requests": []}'
EVERYTHING = [
    {"Action": [f"{SERVICE}:{name}" for name in ACTIONS.values()], "Resource": "*"},
    {"Action": ["sts:GetWebIdentityToken", "sts:TagGetWebIdentityToken"], "Resource": "*"},
]


class Given(SigV4Auth):
    digest = hashlib.sha256(BODY).hexdigest()

    def payload(self, _: Any) -> str:
        return self.digest


def signed(
    target: str = "/v1/messages/batches",
    secret: str = "secret",  # noqa: S107
    region: str = REGION,
    service: str = SERVICE,
    digest: str = Given.digest,
    token: str | None = "token",  # noqa: S107
    **more: str,
) -> dict[str, str]:
    """The headers of a signed create."""
    given = {"host": "platform.example", "anthropic-workspace-id": WORKSPACE, **more}
    request = AWSRequest("POST", f"http://platform.example{target}", given)
    signer = Given(Credentials("AKIA", secret, token), service, region)
    signer.digest = digest
    signer.add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def arrives(
    headers: dict[str, str],
    body: bytes = BODY,
    operation: str = "create",
    method: str = "POST",
    target: str = "/v1/messages/batches",
    more: tuple[tuple[str, str], ...] = (),
    statements: Any = EVERYTHING,
    **gateway: Any,
) -> None:
    ours = Gateway(REGION, **gateway)
    ours.know("AKIA", "arn:aws:sts::000000000000:assumed-role/r/s", "secret", "token", statements)
    ours.admit(Call(method, target, (*headers.items(), *more), body, operation))


def without(name: str) -> dict[str, str]:
    return {header: value for header, value in signed().items() if header != name}


def test_what_is_signed_as_it_should_be_passes() -> None:
    arrives(signed())


def test_a_query_with_odd_characters_passes() -> None:
    target = "/v1/messages/batches?limit=7&after_id=a%20b%2Bc%2Fd%C3%BC"

    arrives(signed(target), target=target)


def test_a_digest_that_is_sent_may_be() -> None:
    arrives(signed(**{"x-amz-content-sha256": Given.digest}))


REFUSED: dict[str, Callable[[], None]] = {
    "another body": lambda: arrives(signed(), body=BODY + b" "),
    "another method": lambda: arrives(signed(), method="PUT"),
    "another path": lambda: arrives(signed(), target="/v1/messages"),
    "another query": lambda: arrives(signed(), target="/v1/messages/batches?limit=1"),
    "another secret": lambda: arrives(signed(secret="other")),
    "another region": lambda: arrives(signed(region="us-east-1")),
    "another service": lambda: arrives(signed(service="execute-api")),
    "another scope than signed": lambda: arrives(
        signed() | {"authorization": signed()["authorization"].replace(REGION, "us-east-1")}
    ),
    "another host": lambda: arrives(signed() | {"host": "elsewhere.example"}),
    "another workspace than signed": lambda: arrives(
        signed() | {"anthropic-workspace-id": "wrkspc_other"}
    ),
    "another token": lambda: arrives(signed() | {"x-amz-security-token": "other"}),
    "another token, signed": lambda: arrives(signed(token="other")),
    "a token that is not signed": lambda: arrives(
        signed(token=None) | {"x-amz-security-token": "token"}
    ),
    "names that are not sorted": lambda: arrives(
        signed()
        | {
            "authorization": signed()["authorization"].replace(
                "anthropic-workspace-id;host", "host;anthropic-workspace-id"
            )
        }
    ),
    "a signed header that is not sent": lambda: arrives(
        {name: value for name, value in signed(**{"x-odd": ""}).items() if name != "x-odd"}
    ),
    "another digest": lambda: arrives(signed(**{"x-amz-content-sha256": "0" * 64})),
    "an unsigned payload": lambda: arrives(
        signed(digest="UNSIGNED-PAYLOAD", **{"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    ),
    "a chunked body": lambda: arrives(signed(), more=(("transfer-encoding", "chunked"),)),
    "a key beside the signature": lambda: arrives(signed(), more=(("x-api-key", "k"),)),
    "a second authorization": lambda: arrives(signed(), more=(("Authorization", "Bearer k"),)),
    "a bearer token": lambda: arrives(signed() | {"authorization": "Bearer sk-ant"}),
    "no credential": lambda: arrives(without("authorization")),
    "no date": lambda: arrives(without("x-amz-date")),
    "no token": lambda: arrives(without("x-amz-security-token")),
    "no workspace": lambda: arrives(without("anthropic-workspace-id")),
    "a header twice": lambda: arrives(signed(), more=(("Host", "platform.example"),)),
    "long ago": lambda: arrives(signed(), skew=400),
    "in the future": lambda: arrives(signed(), skew=-400),
}


@pytest.mark.parametrize("odd", REFUSED)
def test_what_is_signed_otherwise_is_refused(odd: str) -> None:
    with pytest.raises(ApiError) as refused:
        REFUSED[odd]()

    assert refused.value.status in (400, 401)


def test_a_workspace_header_that_is_not_signed_is_refused() -> None:
    request = AWSRequest("POST", "http://a.example/v1/messages/batches", {"host": "a.example"})
    Given(Credentials("AKIA", "secret", "token"), SERVICE, REGION).add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()}

    with pytest.raises(ApiError, match="sent and signed: anthropic-workspace-id"):
        arrives(headers | {"anthropic-workspace-id": WORKSPACE})


def test_a_workspace_of_somebody_else_is_forbidden() -> None:
    with pytest.raises(ApiError) as refused:
        arrives(signed(**{"anthropic-workspace-id": "wrkspc_other"}))

    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("statements", "action"),
    [
        ([], f"{SERVICE}:CreateBatchInference"),
        (EVERYTHING[:1], "sts:GetWebIdentityToken"),
        ([*EVERYTHING[:1], {"Action": "sts:GetWebIdentityToken", "Resource": "*"}],
         "sts:TagGetWebIdentityToken"),
        ([{"Action": EVERYTHING[0]["Action"], "Resource": "arn:aws:another"}, EVERYTHING[1]],
         f"{SERVICE}:CreateBatchInference"),
    ],
)  # fmt: skip
def test_what_no_policy_allows_is_forbidden_in_iams_words(statements: Any, action: str) -> None:
    with pytest.raises(ApiError, match=f"not authorized to perform: {action} on") as refused:
        arrives(signed(), statements=statements)

    assert (refused.value.status, refused.value.error["type"]) == (403, "permission_error")


def test_a_route_without_an_action_is_forbidden() -> None:
    with pytest.raises(ApiError, match="a route without an action") as refused:
        arrives(signed("/v1/files"), target="/v1/files", operation="unknown")

    assert refused.value.status == 403


def test_an_account_that_vouches_for_nobody_is_forbidden_everything() -> None:
    with pytest.raises(ApiError, match="Outbound web identity federation is disabled"):
        arrives(signed(), federation=False)
