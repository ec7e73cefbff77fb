"""Signing in without a key: AWS's word becomes a token at the provider, and the token a call."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.stub import Stubber

from nightshift import aws
from nightshift.claude.client import Claude, FederationRule
from nightshift.claude.federation import Federation
from nightshift.deployment import AUDIENCE
from nightshift.errors import ClaudeRejected, ClaudeUnavailable, SettingsInvalid
from tests.moto.body import Body
from tests.moto.scene import Scene
from tools.local.claude_standin import StandIn, running


def jwt(**changed: Any) -> str:
    """What STS signs for a role, without a signature that anybody could check."""
    claims = {"sub": "arn:aws:iam::123456789012:role/submit", "aud": AUDIENCE}
    claims |= {"exp": time.time() + 900} | changed
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b"signature"]).decode()


@dataclass
class Function:
    """A function that signs in, and the provider that it signs in to."""

    claude: StandIn
    word: Callable[[], str] = jwt
    rule_id: str = "fdrl_standin"
    federation: Federation = field(init=False)

    def __post_init__(self) -> None:
        organization = self.claude.identity.organization_id
        rule = FederationRule(self.rule_id, organization, "svac_standin")
        self.federation = Federation(self.claude.url, self.word, rule)

    @property
    def provider(self) -> Claude:
        return Claude(self.claude.url, self.federation)

    @property
    def exchanges(self) -> int:
        return len(self.claude.control.requests("token"))


@pytest.fixture
def claude() -> Iterator[StandIn]:
    with running() as stand_in:
        yield stand_in


def test_a_function_without_a_key_is_let_in(claude: StandIn) -> None:
    function = Function(claude)
    provider = function.provider

    assert provider.newest() == []
    assert provider.newest() == []
    assert function.exchanges == 1
    assert [entry["status"] for entry in claude.control.requests()] == [200, 200, 200]


def test_a_create_signs_in_with_the_token_too(claude: StandIn) -> None:
    provider = Function(claude).provider

    created = provider.create(Body())

    assert [batch.batch_id for batch in provider.newest()] == [created.batch_id]


def test_a_token_is_renewed_before_it_ends(claude: StandIn) -> None:
    claude.identity.lifetime_seconds = 60
    function = Function(claude)
    provider = function.provider

    provider.newest()
    provider.newest()

    assert function.exchanges == 2
    assert {entry["status"] for entry in claude.control.requests("list")} == {200}


def test_a_token_that_is_refused_is_renewed_once(
    claude: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = Function(claude)
    provider = function.provider
    provider.newest()
    claude.identity.tokens.clear()
    later = time.time() + 120
    monkeypatch.setattr("nightshift.claude.federation.time", lambda: later)

    assert provider.newest() == []
    assert function.exchanges == 2


def test_a_fresh_token_that_is_refused_is_no_reason_for_another(claude: StandIn) -> None:
    function = Function(claude)
    provider = function.provider
    provider.newest()
    claude.identity.tokens.clear()

    with pytest.raises(ClaudeRejected, match="that it has just issued"):
        provider.newest()
    assert function.exchanges == 1


@pytest.mark.parametrize(
    ("word", "rule_id"),
    [
        (jwt, "fdrl_other"),
        (lambda: jwt(aud="https://elsewhere.example"), "fdrl_standin"),
        (lambda: jwt(exp=time.time() - 1), "fdrl_standin"),
        (lambda: "SECRET no JWT", "fdrl_standin"),
    ],
    ids=["another rule", "another audience", "too late", "no token"],
)
def test_who_is_not_believed_hears_where_to_look(
    claude: StandIn, word: Callable[[], str], rule_id: str
) -> None:
    with pytest.raises(ClaudeRejected, match=f"federation rule {rule_id}") as refused:
        Function(claude, word, rule_id).provider.newest()

    assert "SECRET" not in str(refused.value)


def test_an_exchange_that_does_not_answer_now_is_tried_again_later(claude: StandIn) -> None:
    claude.control.add_faults({"on": "token", "do": {"answer": {"status": 529}}})
    function = Function(claude)

    with pytest.raises(ClaudeUnavailable, match="529"):
        function.provider.newest()

    assert function.provider.newest() == []


@pytest.mark.parametrize(
    "answer",
    [{"status": 200, "html": True}, {"status": 200, "raw": '{"status": "ok"}'}],
    ids=["a page", "other JSON"],
)
def test_an_exchange_that_somebody_else_answers_is_tried_again_later(
    claude: StandIn, answer: dict[str, Any]
) -> None:
    claude.control.add_faults({"on": "token", "do": {"answer": answer}})
    function = Function(claude)

    with pytest.raises(ClaudeUnavailable):
        function.provider.newest()

    assert function.provider.newest() == []


def test_no_repr_shows_a_token(claude: StandIn) -> None:
    function = Function(claude)
    token = function.federation(False)

    assert token.startswith("sk-ant-oat01-")
    assert token not in repr(function.federation)


def test_a_rule_without_its_account_is_no_way_to_sign_in(scene: Scene) -> None:
    scene.configure(FEDERATION_RULE_ID="fdrl_standin", ORGANIZATION_ID="", SERVICE_ACCOUNT_ID="s")

    with pytest.raises(SettingsInvalid, match="OrganizationId"):
        scene.submit(scene.start())


def test_an_account_that_issues_no_tokens_is_told_how_to_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    none = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    sts = boto3.client("sts", region_name="us-east-1", **none)
    asked = {"Audience": [AUDIENCE], "DurationSeconds": 900, "SigningAlgorithm": "RS256"}
    monkeypatch.setattr(aws, "_sts", lambda: sts)

    with Stubber(sts) as service:
        service.add_client_error(
            "get_web_identity_token",
            "OutboundWebIdentityFederationDisabledException",
            http_status_code=403,
            expected_params=asked,
        )
        with pytest.raises(SettingsInvalid, match="enable-outbound-web"):
            aws.identity_token(AUDIENCE)


def test_a_boto3_that_is_too_old_for_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(class_attributes: dict[str, Any], **_: Any) -> None:
        del class_attributes["get_web_identity_token"]

    session = botocore.session.get_session()
    session.register("creating-client-class.sts", forget)
    sts = boto3.Session(botocore_session=session).client("sts", region_name="us-east-1")
    monkeypatch.setattr(aws, "_sts", lambda: sts)

    with pytest.raises(SettingsInvalid, match=f"boto3.*{boto3.__version__}.*FederationRuleId"):
        aws.identity_token(AUDIENCE)
