"""The stand-in for Claude keeps the contract of the Message Batches API (as of 2026-11-22)."""

import http.client
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import httpx2
import pytest
from msgspec.json import decode, encode

from tests.moto.scene import wait_until
from tools.local.claude_standin import Control, Life, Settings, StandIn, running

ROOT = Path(__file__).parents[2]
SYSTEM = "Answer with one of: billing, technical, account, feedback, other."
BATCHES = "/v1/messages/batches"
AT_ONCE = Life(seconds=0)
NEVER = Life(seconds=None)
SILENT = ("hang", "stall")


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return decode(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [decode(line) for line in self.body.splitlines()]


@pytest.fixture
def at_once() -> Iterator[StandIn]:
    with running(life=AT_ONCE) as stand_in:
        yield stand_in


@pytest.fixture
def waiting() -> Iterator[StandIn]:
    with running(life=NEVER) as stand_in:
        yield stand_in


def ask(
    stand_in: StandIn, method: str, path: str, body: Any = None, **headers: str | None
) -> Reply:
    given = {"x-api-key": stand_in.api_key, "anthropic-version": "2026-10-21"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = encode(body) if isinstance(body, dict) else body
    with closing(http.client.HTTPConnection(stand_in.url[7:], timeout=60)) as connection:
        connection.request(method, path, content, {k: v for k, v in given.items() if v})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())


def params(text: str = "I want a refund", **changes: Any) -> dict[str, Any]:
    usual = {
        "model": "claude-haiku-4-5",
        "max_tokens": 64,
        "system": SYSTEM,
        "messages": [{"role": "user", "content": text}],
    }
    return {name: value for name, value in (usual | changes).items() if value is not ...}


def batch_of(*all_params: dict[str, Any]) -> dict[str, Any]:
    return {"requests": [{"custom_id": f"c-{i}", "params": p} for i, p in enumerate(all_params)]}


def create(stand_in: StandIn, *all_params: dict[str, Any], **headers: str) -> str:
    reply = ask(stand_in, "POST", BATCHES, batch_of(*(all_params or (params(),))), **headers)
    assert reply.status == 200, reply.body
    return reply.json["id"]


def results(stand_in: StandIn, batch_id: str) -> dict[str, dict[str, Any]]:
    reply = ask(stand_in, "GET", f"{BATCHES}/{batch_id}/results")
    assert reply.status == 200, reply.body
    return {line["custom_id"]: line["result"] for line in reply.lines}


def one_result(stand_in: StandIn, one: dict[str, Any], **headers: str) -> dict[str, Any]:
    return results(stand_in, create(stand_in, one, **headers))["c-0"]


def patience(ending: str) -> int:
    """Seconds until a client gives up: soon only where the server is to say nothing."""
    return 1 if ending in SILENT else 60


def counts(batch: dict[str, Any]) -> dict[str, int]:
    return {name: n for name, n in batch["request_counts"].items() if n}


@pytest.fixture
def sdk(at_once: StandIn) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=at_once.api_key, base_url=at_once.url) as client:
        yield client


class TestWithTheSdk:
    def test_a_batch_goes_from_create_to_delete(self, sdk):
        batch = sdk.messages.batches.create(**batch_of(params(), params("My password is lost")))

        found = sdk.messages.batches.retrieve(batch.id)
        rows = {row.custom_id: row.result for row in sdk.messages.batches.results(batch.id)}
        deleted = sdk.messages.batches.delete(batch.id)

        assert batch.processing_status == "in_progress"
        assert found.request_counts.succeeded == 2
        assert rows["c-0"].message.content[0].text == "billing"
        assert rows["c-1"].message.content[0].text == "account"
        assert rows["c-0"].message.model == "claude-haiku-4-5-20251001"
        assert rows["c-0"].message.usage.service_tier == "batch"
        assert deleted.type == "message_batch_deleted"
        with pytest.raises(anthropic.NotFoundError):
            sdk.messages.batches.retrieve(batch.id)

    def test_the_pager_walks_through_all_batches(self, sdk):
        made = [sdk.messages.batches.create(**batch_of(params())).id for _ in range(5)]

        seen = [batch.id for batch in sdk.messages.batches.list(limit=2)]

        assert seen == made[::-1]

    def test_a_synchronous_message_and_its_tokens(self, sdk):
        message = sdk.messages.create(**params("The app crashes"))
        counted = sdk.messages.count_tokens(**params("The app crashes", max_tokens=...))

        assert message.content[0].text == "technical"
        assert message.usage.service_tier == "standard"
        assert counted.input_tokens == message.usage.input_tokens

    def test_only_what_makes_tokens_can_be_counted(self, sdk):
        asked = params("The app crashes", max_tokens=...)

        with pytest.raises(anthropic.BadRequestError, match="max_tokens: Extra inputs"):
            sdk.messages.count_tokens(**asked, extra_body={"max_tokens": 16})

    def test_models_carry_their_lifecycle(self, sdk):
        haiku = sdk.models.retrieve("claude-haiku-4-5")
        old = sdk.models.retrieve("claude-sonnet-4-5")
        known = [model.id for model in sdk.models.list()]

        assert (haiku.id, haiku.lifecycle) == ("claude-haiku-4-5-20251001", "active")
        assert haiku.capabilities.batch.supported and haiku.max_tokens == 64_000
        assert (old.lifecycle, old.retires_at.date().isoformat()) == ("deprecated", "2026-11-30")
        assert "claude-haiku-5-5" in known
        with pytest.raises(anthropic.NotFoundError):
            sdk.models.retrieve("claude-none")

    def test_a_create_whose_response_is_lost_is_repeated_and_paid_three_times(self, sdk, at_once):
        at_once.control.add_faults({"on": "create", "times": None, "do": {"lose": "drop"}})

        with pytest.raises(anthropic.APIConnectionError):
            sdk.messages.batches.create(**batch_of(params("once, please")))

        assert at_once.control.paid()["once, please"] == 3


class TestHttp:
    """Checklist 1."""

    @pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
    def test_takes_both_versions_and_both_ways_to_give_the_key(self, at_once, version):
        bearer = f"Bearer {at_once.api_key}"

        by_key = ask(at_once, "GET", BATCHES, anthropic_version=version)
        by_bearer = ask(at_once, "GET", BATCHES, x_api_key=None, authorization=bearer)

        assert (by_key.status, by_bearer.status) == (200, 200)
        assert by_key.headers["server"] == "claude-stand-in"
        assert by_key.headers["request-id"].startswith("req_")

    @pytest.mark.parametrize(
        ("headers", "status", "kind"),
        [
            ({"x_api_key": "wrong"}, 401, "authentication_error"),
            ({"x_api_key": None}, 401, "authentication_error"),
            ({"x_api_key": "wrong", "authorization": "Bearer sk-ant-stand-in"}, 401,
             "authentication_error"),
            ({"anthropic_version": None}, 400, "invalid_request_error"),
            ({"anthropic_version": "2030-01-01"}, 400, "invalid_request_error"),
        ],
    )  # fmt: skip
    def test_refuses_a_wrong_key_or_version(self, at_once, headers, status, kind):
        reply = ask(at_once, "GET", BATCHES, **headers)

        assert (reply.status, reply.error["type"]) == (status, kind)
        assert reply.json["request_id"] == reply.headers["request-id"]

    def test_takes_a_beta_flag_a_chunked_body_and_an_empty_cancel(self, waiting):
        pieces = iter(
            [
                encode(batch_of(params()))[:50],
                encode(batch_of(params()))[50:],
            ]
        )

        created = ask(waiting, "POST", f"{BATCHES}?beta=true", pieces)
        canceled = ask(waiting, "POST", f"{BATCHES}/{created.json['id']}/cancel", b"")

        assert created.status == 200
        assert canceled.json["processing_status"] == "canceling"

    @pytest.mark.parametrize("path", ["/", "/v1/nothing", f"{BATCHES}/msgbatch_01none"])
    def test_answers_404_for_what_it_does_not_have(self, at_once, path):
        reply = ask(at_once, "GET", path)

        assert (reply.status, reply.error["type"]) == (404, "not_found_error")

    def test_a_connection_serves_many_requests(self, at_once):
        headers = {"x-api-key": at_once.api_key, "anthropic-version": "2026-10-21"}
        with closing(http.client.HTTPConnection(at_once.url[7:])) as connection:
            for body, status in ((b"{", 400), (encode(batch_of(params())), 200)):
                connection.request("POST", BATCHES, body, headers)
                response = connection.getresponse()
                response.read()
                assert response.status == status
            assert connection.sock is not None

    def test_a_body_over_the_limit_is_413(self):
        with running(Settings(max_body=100_000)) as stand_in:
            reply = ask(stand_in, "POST", BATCHES, b"x" * 1_000_000)
            chunked = ask(stand_in, "POST", BATCHES, iter([b"x" * 60_000, b"x" * 60_000]))

        assert (reply.status, reply.error["type"]) == (413, "request_too_large")
        assert chunked.status == 413

    def test_a_compressed_body_is_refused(self, at_once):
        reply = ask(at_once, "POST", BATCHES, b"zipped", content_encoding="zstd")

        assert reply.error["details"]["error_code"] == "request_body_encoding_unsupported"


def item(**changes: Any) -> dict[str, Any]:
    usual = {"custom_id": "c", "params": params()} | changes
    return {name: value for name, value in usual.items() if value is not ...}


class TestCreate:
    """Checklist 2 and 3."""

    @pytest.mark.parametrize(
        ("requests", "message"),
        [
            ([], "requests: List should have at least 1 item after validation, not 0"),
            ([item(custom_id="dup"), item(custom_id="dup")],
             "requests: custom_id's must be unique within a batch. "
             "Duplicate custom_id found: dup"),
            ([item(custom_id=...)], "requests.0.custom_id: Field required"),
            ([item(), item(custom_id="x" * 65)],
             "requests.1.custom_id: String should have at most 64 characters"),
            ([item(custom_id="a b")],
             "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
            ([item(custom_id="line\n")],
             "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
            ([item(params=...)], "requests.0.params: Field required"),
            ([item(name="x")], "requests.0.name: Extra inputs are not permitted"),
            ([item(custom_id=f"c{i}", params={}) for i in range(100_001)],
             "requests: List should have at most 100000 items after validation, not 100001"),
        ],
    )  # fmt: skip
    def test_refuses_the_whole_batch(self, at_once, requests, message):
        reply = ask(at_once, "POST", BATCHES, {"requests": requests})

        assert reply.status == 400
        assert reply.error == {"type": "invalid_request_error", "message": message}
        assert at_once.control.batches() == []

    def test_refuses_what_is_not_json(self, at_once):
        reply = ask(at_once, "POST", BATCHES, b'{"requests": [')

        assert reply.status == 400
        assert reply.error["message"].startswith("The request body is not valid JSON: ")

    def test_every_accepted_post_makes_a_new_batch(self, at_once):
        assert create(at_once) != create(at_once)

    def test_the_queue_has_a_limit(self):
        with running(Settings(queue_limit=1), NEVER) as stand_in:
            create(stand_in)
            reply = ask(stand_in, "POST", BATCHES, batch_of(params()))

        assert (reply.status, reply.error["type"]) == (429, "rate_limit_error")
        assert reply.headers["retry-after"]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"messages": ...}, "messages: Field required"),
            ({"messages": []}, "messages: at least one message is required"),
            ({"messages": [{"role": "user", "content": ""}]},
             "messages.0: user messages must have non-empty content"),
            ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
             "messages: text content blocks must be non-empty"),
            ({"model": "claude-does-not-exist-9"}, "model: claude-does-not-exist-9"),
            ({"model": ...}, "model: Field required"),
            ({"stream": True}, '"stream=True" is not supported in the Message Batches API'),
            ({"max_tokens": 0}, "max_tokens: must be greater than or equal to 1"),
            ({"max_tokens": ...}, "max_tokens: Field required"),
            ({"max_tokens": 9999999},
             "max_tokens: 9999999 > 64000, which is the maximum allowed number of output tokens "
             "for claude-haiku-4-5-20251001"),
            ({"temperature": 1.0}, "temperature: Extra inputs are not permitted"),
            ({"top_k": 1}, "top_k: Extra inputs are not permitted"),
            ({"colour": "red"}, "colour: Extra inputs are not permitted"),
            ({"thinking": {"type": "adaptive"}},
             "adaptive thinking is not supported on this model"),
            ({"model": "claude-haiku-5-5", "thinking": {"type": "enabled", "budget_tokens": 1024}},
             '"thinking.type.enabled" is not supported for this model. Use '
             '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'),
        ],
    )  # fmt: skip
    def test_a_problem_of_params_shows_only_as_a_row(self, at_once, changes, message):
        result = one_result(at_once, params(**changes))

        kind = "not_found_error" if message.startswith("model: claude") else "invalid_request_error"
        details = {"error_visibility": "user_facing"}
        error = {"details": details, "type": kind, "message": message}
        wrapped = {"type": "error", "error": error, "request_id": None}
        assert result == {"type": "errored", "error": wrapped}

    def test_the_old_version_takes_a_temperature_for_haiku_4_5_only(self, at_once):
        old = {"anthropic_version": "2023-06-01"}

        taken = one_result(at_once, params(temperature=0.0), **old)
        refused = one_result(at_once, params(temperature=0.0, model="claude-haiku-5-5"), **old)

        assert (taken["type"], refused["type"]) == ("succeeded", "errored")


class TestLife:
    """Checklist 4 and 7."""

    def test_counts_stay_in_processing_until_the_end(self, waiting):
        batch_id = create(waiting, params(), params())
        running_one = ask(waiting, "GET", f"{BATCHES}/{batch_id}")
        too_early = ask(waiting, "GET", f"{BATCHES}/{batch_id}/results")

        waiting.control.end_batch(batch_id)
        ended = ask(waiting, "GET", f"{BATCHES}/{batch_id}")

        assert running_one.headers["retry-after"] == "10"
        assert counts(running_one.json) == {"processing": 2}
        assert running_one.json["results_url"] is None and running_one.json["ended_at"] is None
        assert (too_early.status, too_early.headers["x-should-retry"]) == (404, "false")
        message = f"Message Batch {batch_id} has no available results."
        assert too_early.error == {"type": "not_found_error", "message": message}
        assert counts(ended.json) == {"succeeded": 2}
        assert ended.headers["retry-after"] is None
        assert ended.json["results_url"] == f"{waiting.url}{BATCHES}/{batch_id}/results"

    def test_it_ends_by_itself(self):
        with running(life=Life(seconds=60)) as stand_in:
            batch_id = create(stand_in)
            before = ask(stand_in, "GET", f"{BATCHES}/{batch_id}").json
            stand_in.control.advance(70)
            after = ask(stand_in, "GET", f"{BATCHES}/{batch_id}").json

        assert (before["processing_status"], after["processing_status"]) == ("in_progress", "ended")

    def test_counts_may_move_early(self):
        with running(life=Life(seconds=1000, counts_early=True)) as stand_in:
            batch_id = create(stand_in, *[params()] * 100)
            stand_in.control.advance(500)
            halfway = ask(stand_in, "GET", f"{BATCHES}/{batch_id}").json

        assert 40 <= halfway["request_counts"]["succeeded"] <= 60
        assert sum(halfway["request_counts"].values()) == 100

    def test_results_are_shuffled_jsonl_without_ranges(self):
        orders = []
        for _ in range(2):
            with running(Settings(seed="7"), AT_ONCE) as stand_in:
                batch_id = create(stand_in, *[params()] * 50)
                path = f"{BATCHES}/{batch_id}/results"
                whole, ranged = (ask(stand_in, "GET", path, range=r) for r in (None, "bytes=10-"))
                orders.append([line["custom_id"] for line in whole.lines])

        assert (whole.status, ranged.status) == (200, 200)
        assert whole.body == ranged.body and whole.body.endswith(b"}\n")
        assert whole.headers["content-type"] == "application/x-jsonl"
        assert orders[0] == orders[1] != [f"c-{i}" for i in range(50)]
        assert len(set(orders[0])) == 50

    def test_only_an_ended_batch_can_be_deleted_and_then_it_is_gone(self, waiting):
        batch_id = create(waiting)
        too_early = ask(waiting, "DELETE", f"{BATCHES}/{batch_id}")
        waiting.control.end_batch(batch_id)
        deleted = ask(waiting, "DELETE", f"{BATCHES}/{batch_id}")
        replies = [
            ask(waiting, method, f"{BATCHES}/{batch_id}{end}")
            for method, end in (("GET", ""), ("GET", "/results"), ("DELETE", ""))
        ]

        assert too_early.status == 400
        assert too_early.error["message"] == (
            "In progress batches cannot be deleted. Consider canceling the batch instead."
        )
        assert deleted.json == {"id": batch_id, "type": "message_batch_deleted"}
        assert [reply.status for reply in replies] == [404, 404, 404]
        assert replies[0].error["message"] == f"Message Batch {batch_id} not found."
        assert ask(waiting, "GET", BATCHES).json["data"] == []

    def test_a_cancel_keeps_what_had_finished(self):
        with running(life=Life(seconds=None, done=0.5, cancel_seconds=60)) as stand_in:
            batch_id = create(stand_in, *[params()] * 4)
            canceling = ask(stand_in, "POST", f"{BATCHES}/{batch_id}/cancel").json
            stand_in.control.advance(60)
            ended = ask(stand_in, "GET", f"{BATCHES}/{batch_id}").json
            again = ask(stand_in, "POST", f"{BATCHES}/{batch_id}/cancel")
            kinds = Counter(row["type"] for row in results(stand_in, batch_id).values())

        assert canceling["processing_status"] == "canceling"
        assert canceling["cancel_initiated_at"] and counts(canceling) == {"processing": 4}
        assert counts(ended) == {"succeeded": 2, "canceled": 2} == dict(kinds)
        assert (again.status, again.json["processing_status"]) == (200, "ended")

    @pytest.mark.parametrize("status", [400, 404, 409])
    def test_a_cancel_after_the_end_may_be_refused(self, waiting, status):
        waiting.control.set_life(late_cancel=status)
        batch_id = create(waiting)
        path = f"{BATCHES}/{batch_id}/cancel"
        early = ask(waiting, "POST", path)
        waiting.control.end_batch(batch_id)
        late = ask(waiting, "POST", path)

        assert (early.status, late.status) == (200, status)
        assert late.error["message"] == f"Message Batch {batch_id} has ended."

    def test_a_canceled_batch_stays_canceled_however_it_ends(self, waiting):
        waiting.control.set_life(cancel_seconds=60)
        batch_id = create(waiting)
        ask(waiting, "POST", f"{BATCHES}/{batch_id}/cancel")

        assert counts(waiting.control.end_batch(batch_id)) == {"canceled": 1}

    def test_it_expires_after_24_hours(self, waiting):
        batch_id = create(waiting)
        shown = ask(waiting, "GET", f"{BATCHES}/{batch_id}").json
        waiting.control.advance(86_401)
        ended = ask(waiting, "GET", f"{BATCHES}/{batch_id}").json

        lifetime = datetime.fromisoformat(shown["expires_at"]) - datetime.fromisoformat(
            shown["created_at"]
        )
        assert lifetime == timedelta(hours=24)
        assert counts(ended) == {"expired": 1} and ended["ended_at"] == shown["expires_at"]
        assert results(waiting, batch_id) == {"c-0": {"type": "expired"}}

    def test_results_are_archived_29_days_after_creation(self, at_once):
        batch_id = create(at_once)
        at_once.control.advance(29 * 86_400)

        shown = ask(at_once, "GET", f"{BATCHES}/{batch_id}").json
        gone = ask(at_once, "GET", f"{BATCHES}/{batch_id}/results")

        assert shown["archived_at"] and shown["results_url"] is None
        assert counts(shown) == {"succeeded": 1}
        assert gone.status == 404

    def test_a_test_expires_half_or_cancels_from_outside(self, waiting):
        first, second = create(waiting, *[params()] * 4), create(waiting, *[params()] * 4)

        expired = waiting.control.expire_batch(first, done=0.5)
        canceled = waiting.control.cancel_batch(second, done=0.25)

        assert counts(expired) == {"succeeded": 2, "expired": 2}
        assert counts(canceled) == {"succeeded": 1, "canceled": 3}
        assert canceled["cancel_initiated_at"]
        with pytest.raises(RuntimeError, match="has ended already"):
            waiting.control.end_batch(first)

    def test_its_clock_may_be_skewed(self):
        began = time.time()
        with running(life=Life(seconds=0, skew=-3600)) as stand_in:
            shown = ask(stand_in, "GET", f"{BATCHES}/{create(stand_in)}").json

        created = datetime.fromisoformat(shown["created_at"]).timestamp() + 3600
        assert began - 0.001 < created < time.time() + 0.001
        assert shown["processing_status"] == "ended"


class TestList:
    def test_pages_both_ways_newest_first(self, at_once):
        newest_first = [create(at_once) for _ in range(5)][::-1]

        first = ask(at_once, "GET", f"{BATCHES}?limit=2").json
        second = ask(at_once, "GET", f"{BATCHES}?limit=2&after_id={first['last_id']}").json
        last = ask(at_once, "GET", f"{BATCHES}?limit=2&after_id={second['last_id']}").json
        back = ask(at_once, "GET", f"{BATCHES}?limit=2&before_id={newest_first[4]}").json

        pages = [[batch["id"] for batch in page["data"]] for page in (first, second, last, back)]
        assert pages[:3] == [newest_first[:2], newest_first[2:4], newest_first[4:]]
        assert pages[3] == newest_first[2:4]
        assert [page["has_more"] for page in (first, second, last, back)] == [
            True, True, False, True,
        ]  # fmt: skip
        assert (first["first_id"], first["last_id"]) == (newest_first[0], newest_first[1])

    def test_the_default_page_has_20(self, at_once):
        for _ in range(21):
            create(at_once)

        page = ask(at_once, "GET", BATCHES).json

        assert len(page["data"]) == 20 and page["has_more"]

    @pytest.mark.parametrize("limit", ["0", "1001", "ten", ""])
    def test_a_bad_limit_is_400(self, at_once, limit):
        reply = ask(at_once, "GET", f"{BATCHES}?limit={limit}")

        assert reply.status == 400 and reply.error["message"].startswith("limit: ")

    def test_a_new_batch_may_lag(self, at_once):
        at_once.control.add_faults({"on": "create", "do": {"life": {"list_lag_looks": 2}}})
        batch_id = create(at_once)

        looks = [ask(at_once, "GET", BATCHES).json["data"] for _ in range(3)]

        assert [[batch["id"] for batch in look] for look in looks] == [[], [], [batch_id]]

    def test_a_new_batch_may_lag_for_seconds(self, at_once):
        at_once.control.add_faults({"on": "create", "do": {"life": {"list_lag_seconds": 60}}})
        create(at_once)

        before = ask(at_once, "GET", BATCHES).json["data"]
        at_once.control.advance(60)

        assert before == [] and len(ask(at_once, "GET", BATCHES).json["data"]) == 1


class TestRows:
    """Checklist 5."""

    @pytest.mark.parametrize(
        ("text", "category"),
        [
            ("Please refund this invoice", "billing"),
            ("Bitte erstatten Sie die Rechnung", "billing"),
            ("J'ai oublié mon mot de passe", "account"),
            ("La aplicación no funciona, siempre falla", "technical"),
            ("パスワードを忘れました", "account"),
            ("I love it, well done", "feedback"),
            ("Moin", "other"),
        ],
    )
    def test_answers_by_keywords_in_several_languages(self, at_once, text, category):
        result = one_result(at_once, params(text))

        assert result["message"]["content"] == [{"type": "text", "text": category}]
        assert result["message"]["stop_reason"] == "end_turn"

    def test_answers_only_with_what_is_offered(self, at_once):
        few = one_result(at_once, params("refund", system="Choose: account or technical"))
        schema = {
            "type": "object",
            "properties": {"category": {"enum": ["billing", "other"]}},
            "additionalProperties": False,
        }
        form = {"format": {"type": "json_schema", "schema": schema}}
        structured = one_result(at_once, params("refund", output_config=form))

        assert few["message"]["content"][0]["text"] in ("account", "technical")
        assert structured["message"]["content"][0]["text"] == '{"category":"billing"}'

    def test_haiku_5_5_thinks_unless_told_not_to(self, at_once):
        model = {"model": "claude-haiku-5-5"}
        loud = one_result(at_once, params(**model, max_tokens=500))["message"]
        cut = one_result(at_once, params(**model, max_tokens=10))["message"]
        quiet = one_result(at_once, params(**model, thinking={"type": "disabled"}))["message"]
        haiku_4_5 = one_result(at_once, params())["message"]

        assert [block["type"] for block in loud["content"]] == ["thinking", "text"]
        assert loud["usage"]["output_tokens"] > 5 * quiet["usage"]["output_tokens"]
        assert (cut["stop_reason"], cut["usage"]["output_tokens"]) == ("max_tokens", 10)
        assert [block["type"] for block in cut["content"]] == ["thinking"]
        assert [block["type"] for block in quiet["content"]] == ["text"]
        assert quiet["usage"]["input_tokens"] > haiku_4_5["usage"]["input_tokens"]

    def test_a_long_prefix_is_written_to_the_cache_once(self, at_once):
        mark = {"type": "ephemeral", "ttl": "1h"}
        block = {"type": "text", "text": SYSTEM * 300, "cache_control": mark}
        rows = results(at_once, create(at_once, *[params(system=[block])] * 3)).values()

        usages = [row["message"]["usage"] for row in rows]
        written = [usage["cache_creation"]["ephemeral_1h_input_tokens"] for usage in usages]
        read = [usage["cache_read_input_tokens"] for usage in usages]
        assert sorted(map(bool, written)) == [False, False, True]
        assert sorted(map(bool, read)) == [False, True, True]
        assert all(usage["input_tokens"] < 100 for usage in usages)

    @pytest.mark.parametrize(("seconds", "hits"), [(3_500, True), (3_700, False)])
    def test_the_cache_outlives_its_batch_but_not_its_hour(self, at_once, seconds, hits):
        mark = {"type": "ephemeral", "ttl": "1h"}
        system = [
            {"type": "text", "text": f"{seconds} " + SYSTEM * 300, "cache_control": mark},
            {"type": "text", "text": "Be brief. " * 50},
        ]
        first = one_result(at_once, params(system=system))["message"]["usage"]
        at_once.control.advance(seconds)
        again = one_result(at_once, params(system=system))["message"]["usage"]

        assert first["cache_creation_input_tokens"] > 4_096
        assert bool(again["cache_read_input_tokens"]) == hits
        assert again["input_tokens"] == first["input_tokens"] > 100

    @pytest.mark.parametrize(
        ("marks", "says"),
        [
            ([{"type": "ephemeral", "ttl": "2h"}], "Input should be '5m' or '1h'"),
            ([{"type": "for ever"}], "does not match 'ephemeral'"),
            ([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}], "must not come after"),
            ([{"type": "ephemeral"}] * 5, "A maximum of 4 blocks with cache_control"),
        ],
    )
    def test_a_mark_that_means_nothing_spoils_its_row(self, at_once, marks, says):
        system = [{"type": "text", "text": "Sort it.", "cache_control": mark} for mark in marks]

        error = one_result(at_once, params(system=system))["error"]["error"]

        assert error["type"] == "invalid_request_error"
        assert says in error["message"]

    @pytest.mark.parametrize(
        ("outcome", "text", "stop_reason"),
        [
            ({"text": "line\u2028 \"quoted\" 🙂"}, "line\u2028 \"quoted\" 🙂", "end_turn"),
            ({"capitals": True}, "BILLING", "end_turn"),
            ({"stop_reason": "max_tokens"}, "bil", "max_tokens"),
        ],
    )  # fmt: skip
    def test_a_test_decides_what_is_said(self, at_once, outcome, text, stop_reason):
        at_once.control.add_rows({"outcome": {"type": "succeeded"} | outcome})

        message = one_result(at_once, params())["message"]

        assert message["content"] == [{"type": "text", "text": text}]
        assert message["stop_reason"] == stop_reason

    def test_a_raw_line_separator_stays_one_line(self, at_once):
        at_once.control.add_rows({"outcome": {"type": "succeeded", "text": "a\u2028b"}})

        body = ask(at_once, "GET", f"{BATCHES}/{create(at_once)}/results").body

        assert "\u2028".encode() in body and body.count(b"\n") == 1

    def test_a_refusal_is_a_success(self, at_once):
        at_once.control.add_rows({"outcome": {"type": "succeeded", "stop_reason": "refusal"}})

        result = one_result(at_once, params())

        assert result["type"] == "succeeded"
        assert result["message"]["stop_details"]["type"] == "refusal"

    def test_thinking_may_come_first(self, at_once):
        at_once.control.add_rows({"outcome": {"type": "succeeded", "thinking": "Hm."}})

        content = one_result(at_once, params())["message"]["content"]

        assert [block["type"] for block in content] == ["thinking", "text"]

    def test_rows_err_cancel_and_expire_by_rule(self, at_once):
        overloaded = {"type": "overloaded_error", "message": "Overloaded"}
        at_once.control.add_rows(
            {"contains": "one", "outcome": {"type": "errored", "error": overloaded}},
            {"custom_id_prefix": "c-1", "outcome": {"type": "expired"}},
            {"contains": "three", "times": 1, "outcome": {"type": "canceled"}},
        )

        batch_id = create(at_once, params("one"), params("two"), params("three"), params("three"))
        rows = results(at_once, batch_id)

        assert rows["c-0"]["error"]["error"] == overloaded
        assert rows["c-0"]["error"]["request_id"].startswith("workerreq_")
        assert rows["c-1"] == {"type": "expired"}
        assert sorted(rows[c]["type"] for c in ("c-2", "c-3")) == ["canceled", "succeeded"]

    @pytest.mark.parametrize("outcome", [{"type": "expird"}, {"type": "errored"}, {"text": "x"}])
    def test_a_misspelt_outcome_is_refused(self, at_once, outcome):
        with pytest.raises(RuntimeError):
            at_once.control.add_rows({"outcome": outcome})


class TestFaultsWithoutEffect:
    """Checklist 2."""

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (408, "timeout_error"),
            (413, "request_too_large"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (503, "api_error"),
            (529, "overloaded_error"),
        ],
    )
    def test_answers_with_an_error_and_does_nothing(self, at_once, status, kind):
        at_once.control.add_faults({"on": "create", "do": {"answer": {"status": status}}})

        reply = ask(at_once, "POST", BATCHES, batch_of(params()))

        assert (reply.status, reply.error["type"]) == (status, kind)
        assert reply.headers["retry-after"] is None
        assert at_once.control.batches() == []

    def test_an_answer_may_be_html_or_carry_headers_and_details(self, at_once):
        code = {"error_code": "enforced_spend_limit_reached"}
        at_once.control.add_faults(
            {"on": "create", "do": {"answer": {"status": 413, "html": True}}},
            {"on": "create", "do": {"answer": {"status": 429, "headers": {"retry-after": "7"}}}},
            {"on": "create", "do": {"answer": {"status": 429, "details": code}}},
            {"on": "create", "do": {"answer": {"status": 200, "raw": '["no batch"]'}}},
        )

        replies = [ask(at_once, "POST", BATCHES, batch_of(params())) for _ in range(4)]

        html, later, spent, other = replies
        assert (other.status, other.json) == (200, ["no batch"])
        assert html.headers["content-type"] == "text/html" and html.body.startswith(b"<html>")
        assert later.headers["retry-after"] == "7"
        assert spent.error["details"] == code

    def test_an_error_code_brings_its_words(self, at_once):
        details = {"error_code": "workspace_human_review_disabled"}
        answer = {"status": 400, "details": details}
        at_once.control.add_faults({"on": "create", "do": {"answer": answer}})

        refused = ask(at_once, "POST", BATCHES, batch_of(params()))

        assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")
        assert refused.error["details"] == details
        assert "Human Review" in refused.error["message"]

    def test_a_rule_skips_and_counts(self, at_once):
        at_once.control.add_faults(
            {"on": "list", "skip": 1, "times": 2, "do": {"answer": {"status": 503}}}
        )

        statuses = [ask(at_once, "GET", BATCHES).status for _ in range(4)]

        assert statuses == [200, 503, 503, 200]

    @pytest.mark.parametrize("how", ["drop", "reset", "hang"])
    def test_a_refused_connection_leaves_nothing_behind(self, at_once, how):
        at_once.control.add_faults({"on": "create", "do": {"refuse": how}})

        with httpx2.Client(timeout=patience(how)) as client, pytest.raises(httpx2.TransportError):
            client.post(f"{at_once.url}{BATCHES}", content=encode(batch_of(params())))

        wait_until(lambda: [each["lost"] for each in at_once.control.requests("create")] == [True])
        assert at_once.control.batches() == []

    @pytest.mark.parametrize(
        "rule",
        [
            {"on": "creation", "do": {"lose": "drop"}},
            {"on": "create", "do": {"loose": "drop"}},
            {"on": "create", "do": {"lose": "dropp"}},
            {"on": "create", "do": {"lose": "drop"}, "tmies": 2},
            {"on": "create", "do": {"life": {"secnds": 2}}},
            {"on": "list", "do": {"life": {"seconds": 2}}},
            {"on": "results", "do": {"lines": {"forein": 2}}},
            {"on": "results", "do": {"stream": {"end": "cutt"}}},
            {"on": "results", "do": {"part": 40}},
            {"on": "results", "do": {"answer": {"stats": 404}}},
        ],
    )
    def test_a_misspelt_rule_is_refused(self, at_once, rule):
        with pytest.raises(RuntimeError):
            at_once.control.add_faults(rule)


class TestLostResponses:
    """Checklist 3."""

    @pytest.mark.parametrize(
        ("how", "error"),
        [
            ("drop", httpx2.RemoteProtocolError),
            ("reset", httpx2.ReadError),
            ("hang", httpx2.ReadTimeout),
        ],
    )
    def test_the_batch_exists_though_nobody_was_told(self, at_once, how, error):
        at_once.control.add_faults({"on": "create", "do": {"lose": how}})
        headers = {"x-api-key": at_once.api_key, "anthropic-version": "2026-10-21"}

        with httpx2.Client(timeout=patience(how), headers=headers) as client, pytest.raises(error):
            client.post(f"{at_once.url}{BATCHES}", content=encode(batch_of(params())))

        wait_until(lambda: [each["lost"] for each in at_once.control.requests("create")] == [True])
        entry = at_once.control.requests("create")[0]
        assert (entry["lost"], entry["status"], entry["accepted"]) == (True, None, 1)
        assert [batch["id"] for batch in at_once.control.batches()] == [entry["object_id"]]

    @pytest.mark.parametrize("status", [408, 500])
    def test_an_error_may_follow_the_deed(self, at_once, status):
        at_once.control.add_faults({"on": "create", "do": {"lose": {"answer": {"status": status}}}})

        reply = ask(at_once, "POST", BATCHES, batch_of(params()))

        assert reply.status == status
        assert len(at_once.control.batches()) == 1

    def test_a_response_may_be_late(self, at_once):
        at_once.control.add_faults({"on": "create", "do": {"delay": 0.2}})

        start = time.monotonic()
        create(at_once)

        assert time.monotonic() - start >= 0.2

    def test_a_response_may_come_byte_by_byte(self, at_once):
        at_once.control.add_faults({"on": "create", "do": {"dribble": 0.0001}})

        start = time.monotonic()
        created = ask(at_once, "POST", BATCHES, batch_of(params()))

        assert time.monotonic() - start >= 0.0001 * len(created.body)
        assert created.json["id"] == at_once.control.batches()[0]["id"]

    def test_a_part_of_a_response_may_arrive(self, at_once):
        at_once.control.add_faults({"on": "create", "do": {"part": 20}})

        with pytest.raises(http.client.IncompleteRead) as cut:
            ask(at_once, "POST", BATCHES, batch_of(params()))

        assert len(cut.value.partial) == 20
        assert len(at_once.control.batches()) == 1


class TestResultFaults:
    """Checklist 6."""

    def fetch(self, stand_in: StandIn, do: dict[str, Any]) -> tuple[bytes, Exception | None]:
        """What arrives of ten results, and how it ends."""
        batch_id = create(stand_in, *[params()] * 10)
        stand_in.control.add_faults({"on": "results", "do": do})
        headers = {"x-api-key": stand_in.api_key, "anthropic-version": "2026-10-21"}
        end = do.get("stream", {}).get("end", "")
        url, got = f"{stand_in.url}{BATCHES}/{batch_id}/results", b""
        with (
            httpx2.Client(timeout=patience(end), headers=headers) as client,
            client.stream("GET", url) as response,
        ):
            try:
                for piece in response.iter_bytes():
                    got += piece
            except httpx2.TransportError as error:
                return got, error
        return got, None

    @pytest.mark.parametrize(
        ("end", "error"),
        [
            ("cut", httpx2.RemoteProtocolError),
            ("reset", httpx2.ReadError),
            ("stall", httpx2.ReadTimeout),
            ("close", type(None)),
            ("short", httpx2.RemoteProtocolError),
        ],
    )
    @pytest.mark.parametrize("within_line", [False, True])
    def test_the_stream_ends_early(self, at_once, end, error, within_line):
        stream = {"end": end, "after": 3, "within_line": within_line}

        got, how = self.fetch(at_once, {"stream": stream})

        assert type(how) is error
        if end == "reset":  # it takes with it what a slow client has not read yet
            assert got.count(b"\n") <= 3
        else:
            assert got.count(b"\n") == 3 and got.endswith(b"\n") is not within_line

    @pytest.mark.parametrize(
        ("lines", "total", "own"),
        [
            ({"missing": 2}, 8, 8),
            ({"duplicate": 2}, 12, 10),
            ({"foreign": 1}, 11, 10),
            ({"foreign": 1, "at": 0}, 11, 10),
            ({"blank": 2}, 12, 10),
            ({"garbage": 1}, 11, 10),
            ({"crlf": True}, 10, 10),
        ],
    )
    def test_lines_go_wrong(self, at_once, lines, total, own):
        got, how = self.fetch(at_once, {"lines": lines})

        rows = got.splitlines()
        ids = {row.split(b'"')[3] for row in rows if row.startswith(b'{"custom_id":"c-')}
        assert how is None and (len(rows), len(ids)) == (total, own)
        assert (b"\r\n" in got) is ("crlf" in lines)
        assert rows[0].startswith(b'{"custom_id":"foreign') is ("at" in lines)

    def test_results_may_not_open(self, at_once):
        batch_id = create(at_once)
        at_once.control.add_faults({"on": "results", "do": {"answer": {"status": 503}}})

        path = f"{BATCHES}/{batch_id}/results"

        assert [ask(at_once, "GET", path).status for _ in range(2)] == [503, 200]

    def test_a_batch_may_be_missing_at_first(self, waiting):
        waiting.control.set_life(missing_looks=1, missing_looks_after_end=1)
        batch_id = create(waiting)
        path = f"{BATCHES}/{batch_id}"

        after_create = [ask(waiting, "GET", path).status for _ in range(2)]
        waiting.control.end_batch(batch_id)
        after_end = [ask(waiting, "GET", path).status for _ in range(2)]
        results_after_end = [ask(waiting, "GET", f"{path}/results").status for _ in range(2)]

        assert after_create == after_end == results_after_end == [404, 200]


class TestJournal:
    def test_it_tells_what_was_asked_answered_and_paid(self, at_once):
        at_once.control.add_rows({"contains": "late", "outcome": {"type": "expired"}})
        batch_id = create(at_once, params("refund"), params("late"))
        results(at_once, batch_id)
        ask(at_once, "DELETE", f"{BATCHES}/{batch_id}")
        ask(at_once, "POST", "/v1/messages", params("refund"))
        control = Control(at_once.url)

        posted, read = control.requests("create")[0], control.requests("results")[0]
        rows = {row["custom_id"]: row for row in control.rows(params=True)}

        assert (posted["status"], posted["accepted"]) == (200, 2)
        assert posted["object_id"] == read["object_id"] == batch_id and read["lines"] == 2
        assert rows["c-0"]["params"] == params("refund")
        assert rows["c-1"]["result"] == {"type": "expired"}
        assert control.paid() == {"refund": 2}
        assert control.paid("custom_id") == {"c-0": 1, None: 1}
        assert [batch["deleted"] for batch in control.batches()] == [True]

    def test_a_big_batch_is_whole(self, at_once):
        batch_id = create(at_once, *[params(f"{i} I want a refund. " * 10) for i in range(10_000)])

        reply = ask(at_once, "GET", f"{BATCHES}/{batch_id}/results")

        assert len(reply.lines) == len(at_once.control.paid()) == 10_000


def test_it_runs_as_a_process_of_its_own():
    command = [sys.executable, "-m", "tools.local.claude_standin", "--batch-seconds", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        control = Control(said.split()[-1])
        batches = control.batches()
        process.terminate()

    assert said.startswith("claude-stand-in") and batches == []
    assert process.returncode == 0
