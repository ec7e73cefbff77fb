"""Claude through AWS: each call is signed by the role, over the bytes that arrive, and nothing else
lets us in."""

import hashlib
import os
import re
import socketserver
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from nightshift import aws
from nightshift.claude.batch import KeyRefused, NotCreated
from nightshift.claude.client import Claude
from nightshift.claude.through_aws import ThroughAws
from nightshift.errors import BatchNotFound, ClaudeRejected, ClaudeUnavailable, SettingsInvalid
from tests.moto.body import Body
from tests.moto.scene import DAY, Scene
from tools.local.claude_standin import Life, Settings, StandIn, running
from tools.local.claude_standin.gateway import WORKSPACE

KEY, SECRET, TOKEN = "ASIASTANDIN", "the-secret-of-a-role", "the-token-of-a-role"
ROLE = "arn:aws:sts::000000000000:assumed-role/nightshift-SubmitRole/submit"
REGION = "eu-central-1"
ALL = [
    "CancelBatchInference", "CountTokens", "CreateBatchInference", "DeleteBatchInference",
    "GetBatchInference", "GetModel", "ListBatchInferences",
]  # fmt: skip
PARAMS = {
    "model": "claude-haiku-4-5",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "An invoice with ü, + and \u2028"}],
}


def statements(*without: str) -> list[dict[str, Any]]:
    """A role's policies, but for the actions named."""
    actions = [f"aws-external-anthropic:{name}" for name in ALL]
    actions += ["sts:GetWebIdentityToken", "sts:TagGetWebIdentityToken"]
    left = [action for action in actions if action.partition(":")[2] not in without]
    return [{"Action": left, "Resource": "*"}]


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function's credentials, and an environment that would lead the SDK astray."""
    become(monkeypatch)
    for name, value in {
        "AWS_REGION": "us-west-2",
        "ANTHROPIC_API_KEY": "sk-ant-ambient",
        "ANTHROPIC_AUTH_TOKEN": "ambient",
        "ANTHROPIC_AWS_API_KEY": "ambient",
        "ANTHROPIC_AWS_WORKSPACE_ID": "wrkspc_ambient",
        "ANTHROPIC_AWS_BASE_URL": "http://127.0.0.1:9/ambient",
        "ANTHROPIC_CUSTOM_HEADERS": "x-api-key: ambient\nauthorization: Bearer ambient\n"
        "anthropic-workspace-id: wrkspc_ambient\nx-odd: 1",
    }.items():
        monkeypatch.setenv(name, value)


def become(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the credentials of the role."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)


@pytest.fixture
def platform() -> Iterator[StandIn]:
    with running(Settings(aws_region=REGION), Life(seconds=0)) as stand_in:
        let_in(stand_in)
        yield stand_in


def let_in(stand_in: StandIn, *without: str, key: str = KEY) -> None:
    allowed = statements(*without)
    stand_in.control.add_caller(
        access_key=key, arn=ROLE, secret=SECRET, token=TOKEN, statements=allowed
    )


def connected(stand_in: StandIn, region: str = REGION, workspace: str = WORKSPACE) -> Claude:
    key = ThroughAws(region, workspace, aws.signer)
    return Claude(stand_in.url, key, key.rejected)


CALLS: dict[str, Callable[[Claude, str], object]] = {
    "create": lambda claude, _: claude.create(Body()),
    "list": lambda claude, _: claude.newest(),
    "retrieve": lambda claude, batch: claude.retrieve(batch),
    "results": lambda claude, batch: list(claude.result_lines(batch)),
    "cancel": lambda claude, batch: claude.cancel(batch),
    "delete": lambda claude, batch: claude.delete(batch),
    "models": lambda claude, _: claude.model("claude-haiku-4-5"),
    "count_tokens": lambda claude, _: claude.count_tokens(PARAMS),
}
ACTION = dict(
    zip(
        CALLS,
        ["CreateBatchInference", "ListBatchInferences", "GetBatchInference", "GetBatchInference",
         "CancelBatchInference", "DeleteBatchInference", "GetModel", "CountTokens"],
        strict=True,
    )
)  # fmt: skip


@pytest.mark.parametrize("operation", CALLS)
def test_every_call_is_signed_and_let_in(platform: StandIn, operation: str) -> None:
    claude = connected(platform)
    batch = claude.create(Body())

    CALLS[operation](claude, batch.batch_id)

    assert {each["status"] for each in platform.control.requests()} == {200}


def test_no_variable_is_needed_but_the_credentials(
    platform: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ:
        if name.startswith("ANTHROPIC_") or name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name)

    assert connected(platform).newest() == []


def test_a_second_page_of_the_list_is_signed_with_its_query(
    platform: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightshift.claude.client._PAGE", 1)
    claude = connected(platform)
    made = [claude.create(Body()) for _ in range(3)]

    found = claude.created_since(made[0].created_at)

    assert [batch.batch_id for batch in found] == [batch.batch_id for batch in made][::-1]
    assert {each["status"] for each in platform.control.requests()} == {200}


def test_the_address_of_the_results_is_never_dialed(platform: StandIn) -> None:
    claude = connected(platform)
    batch = claude.create(Body())

    lines = list(claude.result_lines(batch.batch_id))

    [shown] = platform.control.batches()
    assert len(lines) == 20
    assert not shown["results_url"].startswith(platform.url)
    assert not platform.control.trap_was_called()


def test_a_redirect_is_not_followed_with_a_session_token(platform: StandIn) -> None:
    elsewhere = {"status": 307, "headers": {"location": f"{platform.trap.url}/v1/models"}}  # type: ignore[union-attr]
    platform.control.add_faults({"on": "list", "times": None, "do": {"answer": elsewhere}})

    with pytest.raises((ClaudeRejected, ClaudeUnavailable)):
        connected(platform).newest()

    assert not platform.control.trap_was_called()


@pytest.mark.parametrize("operation", CALLS)
def test_a_missing_permission_is_named_in_iams_words(platform: StandIn, operation: str) -> None:
    batch = connected(platform).create(Body())
    let_in(platform, ACTION[operation])

    with pytest.raises(ClaudeRejected, match=f"{ACTION[operation]} on resource: arn:aws:") as no:
        CALLS[operation](connected(platform), batch.batch_id)

    said = str(no.value)
    assert re.search(r"workspace/wrkspc_\w+ because no identity-based policy allows", said)
    assert re.search(r"Request req_\w+, at AWS [0-9a-f-]{36}\.", said)


@pytest.mark.parametrize("action", ["GetWebIdentityToken", "TagGetWebIdentityToken"])
def test_the_rights_of_sts_are_needed_too(platform: StandIn, action: str) -> None:
    let_in(platform, action)

    with pytest.raises(ClaudeRejected, match=f"sts:{action} on resource"):
        connected(platform).newest()


def test_a_workspace_that_is_not_ours_is_named(platform: StandIn) -> None:
    with pytest.raises(ClaudeRejected, match=r"Compare WorkspaceId.*wrkspc_other, eu-central-1"):
        connected(platform, workspace="wrkspc_other").newest()


def test_an_account_that_vouches_for_nobody_is_told_the_one_command(platform: StandIn) -> None:
    platform.control.set_gateway(federation=False)

    with pytest.raises(ClaudeRejected, match="enable-outbound-web-identity-federation"):
        connected(platform).newest()


DISABLED = "Outbound web identity federation is disabled for your account"


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 400, "message": DISABLED},
        {"status": 401, "message": f"{DISABLED}."},
        {"status": 403, "raw": f'{{"message": "{DISABLED}"}}'},
        {"status": 400, "raw": f'{{"__type": "X", "message": "{DISABLED}."}}'},
    ],
    ids=str,
)
def test_whatever_the_status_with_which_it_says_so(
    platform: StandIn, answer: dict[str, Any]
) -> None:
    """Neither the status nor the shape of this answer is documented."""
    platform.control.add_faults({"on": "list", "times": None, "do": {"answer": answer}})

    with pytest.raises(ClaudeRejected, match="enable-outbound-web-identity-federation"):
        connected(platform).newest()


def test_a_sentence_of_iam_is_whole_with_long_names(platform: StandIn) -> None:
    caller = "arn:aws:sts::000000000000:assumed-role/nightshift-SubmitRole-1A2B/" + "f" * 64
    platform.gateway.know(KEY, caller, SECRET, TOKEN, [])  # type: ignore[union-attr]

    with pytest.raises(ClaudeRejected, match="allows the aws-external-anthropic:List"):
        connected(platform).newest()


def test_a_wrong_region_names_the_region_and_the_parameter(platform: StandIn) -> None:
    with pytest.raises(ClaudeRejected, match=r"workspace in us-east-1\?.*WorkspaceRegion"):
        connected(platform, region="us-east-1").newest()


@pytest.mark.parametrize("seconds", [-400, 400])
def test_a_clock_that_is_wrong_is_named(platform: StandIn, seconds: float) -> None:
    platform.control.set_gateway(skew=seconds)

    with pytest.raises(ClaudeRejected, match=r"(expired|not yet current).*Is the clock right"):
        connected(platform).newest()


def test_a_wrong_secret_is_a_wrong_signature(
    platform: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")

    with pytest.raises(ClaudeRejected, match="signature we calculated does not match"):
        connected(platform).newest()


EXPIRED = {"status": 401, "message": "The security token included in the request is expired"}


def test_a_call_is_tried_once_more_with_fresh_credentials(
    platform: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    claude = connected(platform)
    claude.newest()
    let_in(platform, key="ASIAFRESH")
    platform.gateway.callers.pop(KEY)  # type: ignore[union-attr]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAFRESH")

    assert claude.newest() == []
    assert [each["status"] for each in platform.control.requests()] == [200, 401, 200]


def test_a_token_that_stays_expired_ends_in_words_that_say_so(platform: StandIn) -> None:
    platform.control.add_faults({"on": "list", "times": None, "do": {"answer": EXPIRED}})

    with pytest.raises(ClaudeRejected, match=r"is expired.*credentials of the role expired\?"):
        connected(platform).newest()

    assert len(platform.control.requests()) == 2


def test_a_refused_create_carries_the_cure(platform: StandIn) -> None:
    platform.control.set_gateway(skew=400)

    with pytest.raises(KeyRefused) as refused:
        connected(platform).create(Body())

    assert "Is the clock right" in refused.value.cure
    assert "put-secret-value" not in refused.value.cure


def of_aws(platform: StandIn, operation: str, status: int, raw: str) -> None:
    answer = {"status": status, "raw": raw}
    platform.control.add_faults({"on": operation, "times": None, "do": {"answer": answer}})


@pytest.mark.parametrize(
    "raw",
    [
        '{"message": "User: x is not authorized to perform: y"}',
        '{"Message": "User: x is not authorized to perform: y"}',
        "<E><Code>AccessDenied</Code>"
        "<Message>User: x is not authorized to perform: y</Message></E>",
    ],
)
def test_a_refusal_in_the_shape_of_aws_is_passed_on(platform: StandIn, raw: str) -> None:
    of_aws(platform, "list", 403, raw)

    with pytest.raises(ClaudeRejected, match="User: x is not authorized to perform: y"):
        connected(platform).newest()


def test_what_aws_would_have_signed_is_not_passed_on(platform: StandIn) -> None:
    """The canonical request behind the sentence holds the session token."""
    canonical = f"does not match.\\n\\nThe Canonical String is\\nx-amz-security-token:{TOKEN}"
    of_aws(platform, "list", 401, f'{{"message": "{canonical}"}}')

    with pytest.raises(ClaudeRejected, match="does not match") as refused:
        connected(platform).newest()

    assert TOKEN not in str(refused.value)
    assert SECRET not in str(refused.value)


THROTTLED = '{"__type": "com.amazon.coral#ThrottlingException", "message": "Rate exceeded"}'


@pytest.mark.parametrize(("status", "raw"), [(400, THROTTLED), (429, '{"message": "slow down"}')])
def test_throttling_by_the_layer_in_front_is_waited_for(
    platform: StandIn, status: int, raw: str
) -> None:
    of_aws(platform, "list", status, raw)
    of_aws(platform, "create", status, raw)

    with pytest.raises(ClaudeUnavailable):
        connected(platform).newest()
    with pytest.raises(NotCreated):
        connected(platform).create(Body())


def test_words_of_aws_that_could_quote_a_ticket_are_not_passed_on(platform: StandIn) -> None:
    of_aws(platform, "create", 400, '{"__type": "OddException", "message": "xylograph"}')

    with pytest.raises(ClaudeRejected, match=r"400 OddException.*signed up.*at AWS") as refused:
        connected(platform).create(Body())

    assert "xylograph" not in str(refused.value)


def test_an_answer_without_claudes_request_id_names_that_of_aws(platform: StandIn) -> None:
    platform.control.set_gateway(gives_request_id=False)
    answer = {"status": 402, "message": "No credit.", "raw": '{"error": {"type": "billing_error"}}'}
    platform.control.add_faults({"on": "list", "do": {"answer": answer}})

    with pytest.raises(ClaudeRejected, match=r"Request at AWS [0-9a-f-]{36}\."):
        connected(platform).newest()


def test_a_batch_that_is_not_known_is_not_found(platform: StandIn) -> None:
    with pytest.raises(BatchNotFound, match=r"Request req_\w+, at AWS"):
        connected(platform).retrieve("msgbatch_01None")


def test_no_repr_shows_a_secret(platform: StandIn) -> None:
    key = ThroughAws(REGION, WORKSPACE, aws.signer)
    key(False)
    claude = Claude(platform.url, key)
    claude.newest()

    said = repr([key, key(False), claude, claude._client])

    assert SECRET not in said
    assert TOKEN not in said


def test_a_process_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.Session.get_credentials", lambda _: None)

    with pytest.raises(SettingsInvalid, match="no AWS credentials"):
        aws.signer("aws-external-anthropic", REGION)


# The memory of a create does not grow with its body.

MEGABYTE = 10**6


class Long:
    """So many bytes of a body, block by block, as often as it is read."""

    def __init__(self, size: int) -> None:
        self.size, self.times_read = size, 0

    def __iter__(self) -> Iterator[bytes]:
        self.times_read += 1
        block = b"x" * 100_000
        yield from (block for _ in range(self.size // len(block)))


class _Sink(BaseHTTPRequestHandler):
    """Reads a body block by block, and answers that there is no credit."""

    arrived: tuple[int, str, str] = (0, "", "")

    def do_POST(self) -> None:
        digest, left = hashlib.sha256(), int(self.headers["content-length"])
        while left:
            block = self.rfile.read(min(left, 1 << 16))
            digest.update(block)
            left -= len(block)
        size = int(self.headers["content-length"])
        type(self).arrived = (size, digest.hexdigest(), self.headers["authorization"])
        self.send_error(402)

    def log_message(self, *_: Any) -> None:
        """Nobody needs it."""


def peak_of_a_create(size: int) -> float:
    """The most memory that Python objects took while so large a body was sent, in 10^6 bytes."""
    body = Long(size)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Sink) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        key = ThroughAws(REGION, WORKSPACE, aws.signer)
        claude = Claude(f"http://127.0.0.1:{server.server_address[1]}", key, key.rejected)
        claude._connected()
        tracemalloc.start()
        try:
            with pytest.raises(ClaudeRejected):
                claude.create(body)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            server.shutdown()
    assert _Sink.arrived[0] == size
    assert body.times_read == 2  # once to be hashed, once to be sent
    return peak / 1e6


def test_memory_is_flat_from_1_mb_to_240_mb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_AWS_API_KEY")  # with one the SDK would not think of signing
    small, large = peak_of_a_create(MEGABYTE), peak_of_a_create(240 * MEGABYTE)

    assert large < 10
    assert large < small + 2


# As the stack does it.


@pytest.fixture
def signed(scene: Scene, platform: StandIn, monkeypatch: pytest.MonkeyPatch) -> Scene:
    become(monkeypatch)  # not moto's
    scene.configure(
        WORKSPACE_ID=WORKSPACE, WORKSPACE_REGION=REGION, ANTHROPIC_BASE_URL=platform.url
    )
    scene.claude = platform
    scene.put("A", "B")
    return scene


def test_a_stack_with_a_workspace_reads_no_secret_and_sends_its_batch(signed: Scene) -> None:
    night = signed.start()

    signed.send_all(night)

    assert signed.sent() == ["A", "B"]
    assert signed.secrets.describe_secret(SecretId="key").get("LastAccessedDate") is None
    assert {each["status"] for each in signed.claude.control.requests()} == {200}


def test_an_expired_token_at_a_create_is_tried_once_more(signed: Scene) -> None:
    signed.claude.control.add_faults({"on": "create", "do": {"answer": EXPIRED}})

    signed.send_all(signed.start())

    assert [post["status"] for post in signed.posts()] == [401, 200]
    assert [b["state"] for b in signed.records("batch#")] == ["void", "open"]


def test_and_no_more_than_once(signed: Scene) -> None:
    signed.claude.control.add_faults({"on": "create", "times": None, "do": {"answer": EXPIRED}})

    with pytest.raises(ClaudeRejected, match="credentials of the role expired"):
        signed.send_all(signed.start())

    assert [post["status"] for post in signed.posts()] == [401, 401]
    assert {b["state"] for b in signed.records("batch#", DAY)} == {"void"}


def test_the_next_start_tries_fresh_credentials_again(signed: Scene) -> None:
    signed.claude.control.add_faults({"on": "create", "times": 3, "do": {"answer": EXPIRED}})
    first = signed.start()
    with pytest.raises(ClaudeRejected):
        signed.send_all(first)
    signed.stop(first)

    signed.send_all(signed.start("again"))

    assert [post["status"] for post in signed.posts()] == [401, 401, 401, 200]
