"""What a proxy or gateway on the way says in Claude's place is never taken for Claude's answer."""

import json
import os
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from nightshift.claude import client as claude_module
from nightshift.claude.batch import OutcomeUnknown, ProviderBatch
from nightshift.claude.client import Claude
from nightshift.errors import BatchNotFound, ClaudeRejected, ClaudeUnavailable
from tests.moto.body import Body
from tools.local.claude_standin import StandIn

ID = "msgbatch_1"
PARAMS = {"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "Hello"}]}
CALLS: dict[str, Callable[[Claude, str], Any]] = {
    "retrieve": lambda claude, batch_id: claude.retrieve(batch_id),
    "list": lambda claude, _: claude.newest(),
    "cancel": lambda claude, batch_id: claude.cancel(batch_id),
    "delete": lambda claude, batch_id: claude.delete(batch_id),
    "models": lambda claude, _: claude.model("claude-haiku-4-5"),
    "count_tokens": lambda claude, _: claude.count_tokens(PARAMS),
    "results": lambda claude, batch_id: list(claude.result_lines(batch_id)),
}
OF_NO_BATCH = ["list", "models", "count_tokens"]
VOICES = {
    "a page": {"status": 200, "html": True},
    "a page that is called JSON": {"status": 200, "raw": "<html>\n<p>xylograph</p>\n</html>\n"},
    "results that are called a page": {"status": 200, "raw": "xylograph {"},
    "a list": {"status": 200, "raw": '["xylograph"]'},
    "a string": {"status": 200, "raw": '"xylograph"'},
    "null": {"status": 200, "raw": "null"},
    "other keys": {"status": 200, "raw": '{"status": "xylograph"}'},
    "an error": {"status": 200, "raw": '{"type": "error", "error": {"type": "xylograph"}}'},
    "half an object": {"status": 200, "raw": '{"id": "xylograph", "process'},
    "nothing": {"status": 200, "raw": ""},
}
BATCH = {
    "id": ID,
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {
        "processing": 0, "succeeded": 4, "errored": 3, "canceled": 2, "expired": 1,
    },
    "ended_at": "2026-11-24T03:00:00.5Z",
    "created_at": "2026-11-24T02:00:00.141141+00:00",
    "expires_at": "2026-11-25T02:00:00.141141+00:00",
    "archived_at": None,
    "a_key_of_next_year": {"any": ["thing"]},
}  # fmt: skip
MISSING = object()
WRONG = [
    *(("id", value) for value in (MISSING, None, 7, "")),
    *(("processing_status", value) for value in (MISSING, None, "finished", ["ended"])),
    *(("created_at", value) for value in (MISSING, None, 7, "today", "2026-11-24T02:00:00")),
    *(("ended_at", value) for value in (True, "soon")),
    ("archived_at", {}),
    *(("request_counts", value) for value in (MISSING, None, 10, [])),
    *(("succeeded", value) for value in (MISSING, None, -1, 1.5, "4", True)),
    *((name, MISSING) for name in ("processing", "errored", "canceled", "expired")),
]


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("ANTHROPIC_"):
            monkeypatch.delenv(name)


@pytest.fixture
def provider(claude: StandIn) -> Claude:
    return Claude(claude.url, lambda fresh: claude.api_key)


def say(claude: StandIn, operation: str, **answer: Any) -> None:
    claude.control.add_faults({"on": operation, "times": None, "do": {"answer": answer}})


def batch_with(name: str, value: object) -> dict[str, Any]:
    """A batch with one field, or one of its counts, of another kind or missing."""
    batch = json.loads(json.dumps(BATCH))
    holder = batch["request_counts"] if name in batch["request_counts"] else batch
    holder[name] = value
    if value is MISSING:
        del holder[name]
    return dict(batch)


def test_claudes_own_answer_is_told_whatever_else_it_holds(
    claude: StandIn, provider: Claude
) -> None:
    say(claude, "retrieve", status=200, raw=json.dumps(BATCH))

    assert provider.retrieve(ID) == ProviderBatch(
        ID,
        datetime.fromisoformat("2026-11-24T02:00:00.141141Z"),
        ended=True,
        archived=False,
        succeeded=4,
        errored=3,
        canceled=2,
        expired=1,
        total=10,
        ended_at=datetime.fromisoformat("2026-11-24T03:00:00.5Z"),
    )


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("voice", VOICES)
def test_a_call_that_somebody_else_answers_may_be_made_again(
    claude: StandIn, provider: Claude, operation: str, voice: str
) -> None:
    say(claude, operation, **VOICES[voice])

    with pytest.raises(ClaudeUnavailable) as raised:
        CALLS[operation](provider, ID)

    assert "xylograph" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("operation", [name for name in CALLS if name != "results"])
def test_a_body_that_is_cut_is_no_answer(claude: StandIn, provider: Claude, operation: str) -> None:
    batch_id = provider.create(Body()).batch_id
    claude.control.end_batch(batch_id)
    claude.control.add_faults({"on": operation, "do": {"part": 15}})

    with pytest.raises(ClaudeUnavailable):
        CALLS[operation](provider, batch_id)
    CALLS[operation](provider, batch_id)


@pytest.mark.parametrize("voice", VOICES)
def test_a_create_that_somebody_else_answers_may_have_made_a_batch(
    claude: StandIn, provider: Claude, voice: str
) -> None:
    claude.control.add_faults({"on": "create", "do": {"lose": {"answer": VOICES[voice]}}})

    with pytest.raises(OutcomeUnknown):
        provider.create(Body())

    assert len(claude.control.batches()) == 1


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_batch_of_another_shape_is_none(
    claude: StandIn, provider: Claude, name: str, value: object
) -> None:
    wrong = batch_with(name, value)
    say(claude, "retrieve", status=200, raw=json.dumps(wrong))
    say(claude, "create", status=200, raw=json.dumps(wrong))
    say(claude, "list", status=200, raw=json.dumps({"data": [BATCH, wrong], "has_more": False}))

    with pytest.raises(ClaudeUnavailable):
        provider.retrieve(ID)
    with pytest.raises(ClaudeUnavailable):
        provider.newest()
    with pytest.raises(OutcomeUnknown):
        provider.create(Body())


@pytest.mark.parametrize(
    "page",
    [{}, {"data": []}, {"data": None, "has_more": False}, {"data": [], "has_more": True}],
    ids=str,
)
def test_a_list_that_does_not_say_where_it_ends_is_none(
    claude: StandIn, provider: Claude, page: dict[str, Any]
) -> None:
    say(claude, "list", status=200, raw=json.dumps(page))

    with pytest.raises(ClaudeUnavailable):
        provider.created_since(datetime.fromisoformat("2026-11-24T02:00:00Z"))


@pytest.mark.parametrize("operation", OF_NO_BATCH)
def test_a_page_that_finds_nothing_says_that_the_base_url_is_wrong(
    claude: StandIn, provider: Claude, operation: str
) -> None:
    say(claude, operation, status=404, html=True)

    with pytest.raises(ClaudeRejected, match=r"base URL is wrong.*AnthropicBaseUrl"):
        CALLS[operation](provider, ID)


@pytest.mark.parametrize("operation", ["list", "count_tokens"])
def test_so_does_claude_where_the_path_is_none_of_its_own(
    claude: StandIn, provider: Claude, operation: str
) -> None:
    say(claude, operation, status=404, message="model: claude-haiku-9")

    with pytest.raises(ClaudeRejected, match=r"base URL is wrong.*claude-haiku-9.*AnthropicBase"):
        CALLS[operation](provider, ID)


@pytest.mark.parametrize("html", [False, True], ids=["as JSON", "as HTML"])
def test_a_create_that_finds_nothing_says_it_too(
    claude: StandIn, provider: Claude, html: bool
) -> None:
    say(claude, "create", status=404, html=html)

    with pytest.raises(ClaudeRejected, match="base URL is wrong"):
        provider.create(Body())


@pytest.mark.parametrize("operation", ["retrieve", "results"])
def test_a_batch_that_is_not_found_is_not_found(
    claude: StandIn, provider: Claude, operation: str
) -> None:
    say(claude, operation, status=404)

    with pytest.raises(BatchNotFound):
        CALLS[operation](provider, ID)


@pytest.mark.parametrize("operation", ["retrieve", "results", "cancel", "delete"])
def test_a_page_that_does_not_find_a_batch_is_no_word_of_claudes(
    claude: StandIn, provider: Claude, operation: str
) -> None:
    say(claude, operation, status=404, html=True)

    with pytest.raises(ClaudeUnavailable, match="proxy or gateway"):
        CALLS[operation](provider, ID)


@pytest.mark.parametrize("batches", [0, 1])
def test_a_list_that_never_comes_to_its_end_is_none(
    claude: StandIn, provider: Claude, batches: int
) -> None:
    page = {"data": [BATCH] * batches, "has_more": True, "first_id": None, "last_id": None}
    say(claude, "list", status=200, raw=json.dumps(page))

    with pytest.raises(ClaudeUnavailable, match="proxy or gateway"):
        provider.created_since(datetime.fromisoformat("2020-11-24T02:00:00Z"))


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("status", [408, 429, 502, 503])
def test_a_page_that_asks_for_patience_is_waited_for(
    claude: StandIn, provider: Claude, operation: str, status: int
) -> None:
    say(claude, operation, status=status, html=True)

    with pytest.raises(ClaudeUnavailable, match=str(status)):
        CALLS[operation](provider, ID)


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("status", [401, 403, 405, 413])
def test_a_page_that_refuses_is_no_refusal_of_claudes(
    claude: StandIn, provider: Claude, operation: str, status: int
) -> None:
    say(claude, operation, status=status, html=True)

    with pytest.raises(ClaudeRejected, match=f"not Claude.*{status}.*a proxy on the way"):
        CALLS[operation](provider, ID)


@pytest.mark.parametrize("message", [["xylograph"], {"xylograph": 1}, 7, None])
def test_an_error_whose_message_is_no_text_is_an_error(
    claude: StandIn, provider: Claude, message: object
) -> None:
    error = {"error": {"type": "bad_request", "message": message}}
    say(claude, "list", status=400, raw=json.dumps(error))

    with pytest.raises(ClaudeRejected, match="400 bad_request") as raised:
        provider.newest()

    assert "xylograph" not in str(raised.value)


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_cancel_that_comes_too_late_is_fine(
    claude: StandIn, provider: Claude, status: int
) -> None:
    claude.control.set_life(late_cancel=status)
    batch_id = provider.create(Body()).batch_id
    claude.control.end_batch(batch_id)

    provider.cancel(batch_id)

    [asked] = claude.control.requests("cancel")
    assert asked["status"] == status
    assert provider.retrieve(batch_id).ended


@pytest.mark.parametrize(("status", "kind"), [(403, ClaudeRejected), (529, ClaudeUnavailable)])
def test_a_cancel_that_fails_otherwise_has_failed(
    claude: StandIn, provider: Claude, status: int, kind: type[Exception]
) -> None:
    say(claude, "cancel", status=status)

    with pytest.raises(kind):
        provider.cancel(ID)


@pytest.mark.parametrize(("oldest", "pages"), [(4, 1), (3, 2), (2, 2), (1, 3), (0, 3)])
def test_the_list_is_read_page_by_page_until_a_batch_is_too_old(
    claude: StandIn, provider: Claude, monkeypatch: pytest.MonkeyPatch, oldest: int, pages: int
) -> None:
    monkeypatch.setattr(claude_module, "_PAGE", 2)
    made = []
    for _ in range(5):
        made.append(provider.create(Body()))
        claude.control.advance(60)

    found = provider.created_since(made[oldest].created_at)
    none = provider.created_since(made[-1].created_at + timedelta(seconds=1))

    assert [b.batch_id for b in found] == [b.batch_id for b in made[oldest:]][::-1]
    assert none == []
    assert len(claude.control.requests("list")) == pages + 1
