"""Claude's Message Batches API: the one module that imports anthropic.

The SDK's own retries are off everywhere: it would send a create again after a lost response,
which makes a second paid batch, and would sleep as long as `retry-after` says (SDK 2.13.0,
2026-11). Waiting is the workflow's business.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from ssl import SSLContext
from typing import Any, NoReturn, Protocol

import anthropic
import httpx2
from anthropic.lib.credentials import (
    StaticToken,
    WorkloadIdentityError,
    exchange_federation_assertion,
)
from anthropic.resources.messages.batches import BatchesWithRawResponse

from nightshift.claude import answers, refusal, results
from nightshift.claude.batch import (
    Body,
    KeyRefused,
    NotCreated,
    OutcomeUnknown,
    ProviderBatch,
    TooLarge,
)
from nightshift.claude.credential import AccessToken, Credential, Signature
from nightshift.claude.deadline import Deadline
from nightshift.claude.quotable import quotable
from nightshift.claude.refusal import Refusal, in_aws_shape, request_ids, retry_after
from nightshift.errors import BatchNotFound, ClaudeRejected, ClaudeUnavailable

# ANTHROPIC_LOG lets the SDK log requests from its import on (2.13.0, 2026-11): not from here on.
for _talker in ("anthropic", "httpx2", "httpcore2"):
    logging.getLogger(_talker).setLevel(logging.WARNING)
# For the whole call, and well under the Lambda's 15 minutes: a create ends before its function
# does. Seconds.
CREATE_TIMEOUT = 240.0
_READ_TIMEOUT = 60.0
_CONNECT_TIMEOUT = 5.0
_COUNT_TIMEOUT = 10.0
_PAGE = 1000
# In the path of every call about one batch, and of no other.
_OF_A_BATCH = "/v1/messages/batches/"
# Of a request's params, those that count_tokens takes (SDK 2.13.0).
_COUNTED = frozenset(
    {"cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice"}
    | {"tools"}
)
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class _Raw(Protocol):
    """An HTTP answer that the SDK has not parsed."""

    def read(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Model:
    """When a model retires; a day in the past, while the model is not `retired`, is overdue."""

    retired: bool
    retires_at: datetime | None
    takes_schemas: bool = True


@dataclass
class Claude:
    """The provider, for one workspace. `key(fresh)` gives the API key, from a cache or anew, or
    what stands in its place. `rejected` puts a refusal into words that say what to do."""

    base_url: str
    key: Callable[[bool], Credential]
    rejected: Callable[[Refusal], ClaudeRejected] = refusal.rejected
    _client: anthropic.Anthropic | None = None
    _sent_key: Credential = ""

    def create(self, body: Body) -> ProviderBatch:
        """Send one batch, once.

        Raises:
            NotCreated: certainly no batch; try again later (see its kinds).
            ClaudeRejected: certainly no batch, and asking again would not help.
            OutcomeUnknown: there may be a batch.
        """
        try:
            return ProviderBatch.of(_post_batch(self._connected(), self._sent_key, body))
        except anthropic.APIError as error:
            self._explain_no(error)
        except (httpx2.HTTPError, ValueError) as error:
            raise OutcomeUnknown(type(error).__name__) from error

    def model(self, name: str) -> Model | None:
        """What the Models API says of a model; None for one that it does not know.

        Raises:
            ClaudeRejected, ClaudeUnavailable: it does not say.
        """
        try:
            found = self._learn(
                answers.ModelInfo, lambda client: client.models.with_raw_response.retrieve(name)
            )
        except ClaudeRejected as error:
            cause = error.__cause__
            # A gateway on the way may know the API's other paths only, and says so in other words.
            if isinstance(cause, anthropic.NotFoundError) and cause.type == "not_found_error":
                return None
            raise
        return Model(found.lifecycle == "retired", found.retires_at, found.takes_schemas)

    def count_tokens(self, params: Mapping[str, Any]) -> int:
        """How many input tokens a request with these params would have; free, and an estimate.

        The endpoint has a rate limit of its own, 2,000 calls a minute or more, and takes no
        `max_tokens` (platform.claude.com, token counting, 2026-09; SDK 2.13.0).

        Raises:
            ClaudeRejected: such a request would be refused, or the model is not known there.
            ClaudeUnavailable: it does not say.
        """
        counted = {name: value for name, value in params.items() if name in _COUNTED}
        timeout = httpx2.Timeout(_COUNT_TIMEOUT, connect=_CONNECT_TIMEOUT)
        count = self._learn(
            answers.TokenCount,
            lambda client: client.messages.with_raw_response.count_tokens(
                **counted, timeout=timeout
            ),
        )
        return count.input_tokens

    def message(self, params: Mapping[str, Any]) -> bytes:
        """Ask one request in real time, at twice the price of a batch: the message as it came.

        Raises:
            ClaudeRejected, ClaudeUnavailable: there is no answer.
        """
        answer = self._ask(
            lambda client: client.post("/v1/messages", cast_to=httpx2.Response, body=dict(params))
        )
        return answer.content

    def renew_key(self) -> bool:
        """Fetch the key anew; False where it is the one that was just refused."""
        refused, self._client = self._sent_key, None
        return self.key(True) != refused

    def newest(self) -> list[ProviderBatch]:
        """One page: the newest batches of the workspace, at most 1,000."""
        return [ProviderBatch.of(batch) for batch in self._page(anthropic.omit).data]

    def created_since(self, moment: datetime) -> list[ProviderBatch]:
        """All batches of the workspace that are not older, through as many pages as that takes.

        Raises:
            ClaudeUnavailable: also for a list that never comes to its end.
        """
        found: list[ProviderBatch] = []
        after: str | anthropic.Omit = anthropic.omit
        while True:
            page = self._page(after)
            described = [ProviderBatch.of(batch) for batch in page.data]
            if page.has_more and (not described or described[-1].batch_id == after):
                raise _not_claude()
            found += [batch for batch in described if batch.created_at >= moment]
            if not page.has_more or described[-1].created_at < moment:
                return found
            after = described[-1].batch_id

    def retrieve(self, batch_id: str) -> ProviderBatch:
        """One batch.

        Raises:
            BatchNotFound: not known there (for some seconds after a create this may pass).
        """
        batch = self._learn(answers.Batch, lambda client: _raw(client).retrieve(batch_id))
        return ProviderBatch.of(batch)

    def cancel(self, batch_id: str) -> None:
        """Ask the provider to stop a batch; what had finished is kept.

        An answer of 400, 404 or 409 is no error: the batch has ended or is gone, and the next look
        at it says which. What Claude answers for a batch that has ended is not documented
        (platform.claude.com, batch processing, 2026-09).
        """
        try:
            self._learn(answers.Batch, lambda client: _raw(client).cancel(batch_id))
        except (BatchNotFound, ClaudeRejected, ClaudeUnavailable) as error:
            said = error.__cause__
            if not isinstance(said, anthropic.APIStatusError) or said.type is None:
                raise
            if said.status_code not in (400, 404, 409):
                raise

    def delete(self, batch_id: str) -> None:
        """Delete a batch's inputs and results; one that is gone already is fine."""
        try:
            self._learn(answers.Deleted, lambda client: _raw(client).delete(batch_id))
        except BatchNotFound:
            return

    def result_lines(self, batch_id: str) -> Iterator[bytes]:
        """The results, line by line, in any order; nothing is kept in memory.

        A stream may end early without any sign: only counting finds out.

        Raises:
            BatchNotFound: no results there (for some seconds after the end this may pass).
            ClaudeUnavailable: the stream broke off, or was none of results; read it again from
                its start.
        """
        path = f"/v1/messages/batches/{batch_id}/results"
        stream = self._ask(
            lambda client: client.get(
                path, cast_to=object, stream=True, stream_cls=anthropic.Stream[object]
            )
        )
        with closing(stream.response) as response:
            try:
                lines = results.lines_of(response.iter_bytes())
                first = next(filter(bytes.strip, lines), b"")
                if not answers.begins_results(first):
                    raise _not_claude()
                yield first
                yield from lines
            except httpx2.HTTPError as error:
                raise ClaudeUnavailable(
                    f"The results of {batch_id} broke off ({type(error).__name__})."
                ) from error

    def _explain_no(self, error: anthropic.APIError) -> NoReturn:
        """Sort the failures of a create into no, never, and unknown."""
        if not isinstance(error, anthropic.APIStatusError):
            if isinstance(error.__cause__, _NEVER_SENT):
                raise NotCreated("Claude could not be reached") from error
            raise OutcomeUnknown(type(error).__name__) from error
        status, refused = error.status_code, _refusal(error)
        if status == 413:
            raise TooLarge("Claude found the request too large") from error
        if status == 401:
            raise KeyRefused("Claude refused the key", str(self.rejected(refused))) from error
        busy = status == 429 and error.error_code != "enforced_spend_limit_reached"
        if status == 529 or busy or (refused.is_throttling and status < 500):
            raise NotCreated(
                f"Claude answered {status}", retry_after(error.response.headers)
            ) from error
        if 400 <= status < 500 and status != 408:
            raise self.rejected(refused) from error
        raise OutcomeUnknown(f"Claude answered {status}") from error

    def _page(self, after: str | anthropic.Omit) -> answers.Page:
        return self._learn(
            answers.Page, lambda client: _raw(client).list(limit=_PAGE, after_id=after)
        )

    def _connected(self) -> anthropic.Anthropic:
        key = self.key(False)
        if self._client is None or key != self._sent_key:
            self._sent_key = key
            self._client = _sdk_client(self.base_url, key)
        return self._client

    def _learn[T](self, kind: type[T], call: Callable[[anthropic.Anthropic], _Raw]) -> T:
        """As `_ask`, for an answer of this kind: one of another shape is not Claude's."""
        answer = self._ask(call)
        try:
            return answers.read(kind, answer.read())
        except ValueError:
            raise _not_claude() from None  # the ValueError may quote what came instead

    def _ask[T](self, call: Callable[[anthropic.Anthropic], T]) -> T:
        """A call that may be repeated: with a fresh key once, in our own words when it fails."""
        try:
            try:
                return call(self._connected())
            except anthropic.AuthenticationError:
                if not self.renew_key():
                    raise
                return call(self._connected())
        except anthropic.APIStatusError as error:
            refused = _refusal(error)
            if error.status_code == 404 and _OF_A_BATCH in error.request.url.path:
                if error.type is None:  # a page: only Claude's own word is that a batch is unknown
                    raise _not_claude() from error
                raise BatchNotFound(f"Claude does not know it. {refused.request}") from error
            if error.status_code in (408, 409, 429) or error.status_code >= 500:
                raise ClaudeUnavailable(f"Claude answered {error.status_code}.") from error
            if refused.is_throttling:
                raise ClaudeUnavailable(f"AWS answered {refused.aws_name}.") from error
            raise self.rejected(refused) from error
        except (anthropic.APIError, httpx2.HTTPError) as error:
            raise ClaudeUnavailable(f"Claude gave no answer ({type(error).__name__}).") from error


def _raw(client: anthropic.Anthropic) -> BatchesWithRawResponse:
    """The calls about batches, each with its answer as it came."""
    return client.messages.batches.with_raw_response


def _post_batch(client: anthropic.Anthropic, key: Credential, body: Body) -> answers.Batch:
    """Create a batch over a connection of its own, which is cut when CREATE_TIMEOUT is over."""
    size = {"Content-Length": str(body.size), "Content-Type": "application/json"}
    timeout = httpx2.Timeout(CREATE_TIMEOUT, connect=_CONNECT_TIMEOUT)
    with Deadline(CREATE_TIMEOUT) as deadline, closing(_line_with(deadline, key)) as line:
        answer = client.with_options(http_client=line).post(
            "/v1/messages/batches",
            cast_to=httpx2.Response,
            content=body,
            options={"headers": size, "timeout": timeout},
        )
    return answers.read(answers.Batch, answer.content)


def _sdk_client(base_url: str, key: Credential) -> anthropic.Anthropic:
    """The SDK's client for a credential of this kind. What it needs is given, so that no variable
    of the environment decides."""
    always: dict[str, Any] = {
        "base_url": base_url,
        "max_retries": 0,
        "timeout": httpx2.Timeout(_READ_TIMEOUT, connect=_CONNECT_TIMEOUT),
        # Else a variable of the environment could put requests and answers into traces.
        "open_telemetry": {"traces": False, "propagation": False},
    }
    if isinstance(key, Signature):
        # Not the SDK's own signing, which reads the whole body into memory (2.13.0, 2026-11).
        return anthropic.AnthropicAWS(
            skip_auth=True,
            aws_region=key.region,
            workspace_id=key.workspace_id,
            http_client=anthropic.DefaultHttpxClient(**_line_settings(key)),
            **always,
        )
    if isinstance(key, AccessToken):
        return anthropic.Anthropic(credentials=StaticToken(key), **always)
    return anthropic.Anthropic(api_key=key, **always)


def _line_settings(key: Credential) -> dict[str, Any]:
    """What a connection needs beside the SDK's defaults. A signed call follows no redirect: it was
    signed for this host, and its session token is for nobody else."""
    return {"auth": key, "follow_redirects": False} if isinstance(key, Signature) else {}


def _line_with(deadline: Deadline, key: Credential) -> httpx2.Client:
    """A client that makes its own connection, and tells the deadline of it."""

    def watch(request: httpx2.Request) -> None:
        request.extensions = {**request.extensions, "trace": deadline.watch}

    hooks = {"request": [watch]}
    return anthropic.DefaultHttpxClient(verify=_trusted(), event_hooks=hooks, **_line_settings(key))


@cache
def _trusted() -> SSLContext:
    """The certificates that are trusted: reading them takes as long as a thousand tickets."""
    return httpx2.create_ssl_context()


@dataclass(frozen=True, slots=True)
class FederationRule:
    """A rule of the provider by which identities sign in as a service account."""

    rule_id: str
    organization_id: str
    service_account_id: str


def exchange(base_url: str, identity: str, rule: FederationRule) -> tuple[AccessToken, float]:
    """An access token for an identity token, and when it ends, in seconds since 1970.

    Raises:
        ClaudeRejected: the provider refuses the identity.
        ClaudeUnavailable: the provider could not answer now.
    """
    try:
        minted = exchange_federation_assertion(
            assertion=identity,
            federation_rule_id=rule.rule_id,
            organization_id=rule.organization_id,
            service_account_id=rule.service_account_id,
            base_url=base_url,
        )
    except WorkloadIdentityError as error:
        status = error.status_code or 503
        if status < 400 or status in (408, 429) or status >= 500:
            raise ClaudeUnavailable(f"Claude exchanges no identity now ({status}).") from error
        raise ClaudeRejected(
            f"Claude does not believe who AWS says we are ({status}). Compare the federation "
            f"rule {rule.rule_id} with the role of the function, then start again. "
            f"Request {error.request_id}."
        ) from error
    return AccessToken(minted.token), float(minted.expires_at or 0)


def _refusal(error: anthropic.APIStatusError) -> Refusal:
    """What an answer says that is an error."""
    headers = error.response.headers
    # A gateway may have something else than a text there.
    words = error.api_message if isinstance(error.api_message, str) else ""
    aws_name, sentence = in_aws_shape(error.body, headers)
    return Refusal(
        error.status_code,
        error.type,
        quotable(str(error.type), words or "no reason given", error.error_code or ""),
        request_ids(headers),
        aws_name,
        sentence,
    )


def _not_claude() -> ClaudeUnavailable:
    return ClaudeUnavailable(
        "An answer came that Claude does not give: a proxy or gateway on the way may have answered "
        "in its place. If this goes on, look at the stack's AnthropicBaseUrl."
    )
