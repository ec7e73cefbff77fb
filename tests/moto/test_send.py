"""Create: sent once, whatever the provider or the line in between does with it."""

import http.client
import json
import socket
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from nightshift import aws
from nightshift.claude import client as claude
from nightshift.errors import ClaudeRejected
from tests.moto.scene import DAY, Scene, Step, wait_until

TURNS_TO_LOOK = 16  # a minute each: more than the longest Lambda lives
LOST = [
    {"lose": "drop"},
    {"lose": "reset"},
    {"lose": "hang"},
    *({"lose": {"answer": {"status": status}}} for status in (408, 500, 502, 503, 504)),
    {"lose": {"answer": {"status": 200, "html": True}}},
    {"lose": {"answer": {"status": 200, "raw": '{"status": "ok"}'}}},
    {"part": 40},
    # Half a minute in all, and no read ever waits for as long as a timeout.
    {"dribble": 0.02},
]
NOTHING_DONE = [
    {"refuse": "drop"},
    {"refuse": "reset"},
    *({"answer": {"status": status}} for status in (408, 500, 503)),
]


@pytest.fixture
def night(scene: Scene) -> str:
    """An execution with two tickets to send."""
    scene.put("A", "B")
    return scene.start()


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_lost_response_is_adopted_and_never_sent_again(
    scene: Scene, night: str, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault.get("lose") == "hang" or "dribble" in fault:
        monkeypatch.setattr(claude, "CREATE_TIMEOUT", 0.5)
    scene.claude.control.add_faults({"on": "create", "do": fault})

    lost = scene.submit(night)
    wait_until(scene.claude.control.batches)  # a slow Claude may still be reading
    [intent] = scene.records("batch#")
    after = scene.send_all(night)

    assert (lost["next"], lost["more"], intent["state"]) == ("wait", True, "creating")
    [batch] = scene.records("batch#")
    [there] = scene.claude.control.batches()
    assert (batch["state"], batch["batch_id"]) == ("open", there["id"])
    assert not batch["proved"]
    assert (after["next"], len(scene.posts())) == ("wait", 1)


def test_a_batch_that_shows_late_in_the_list_is_waited_for(scene: Scene, night: str) -> None:
    life = {"seconds": None, "list_lag_looks": 10}
    scene.claude.control.add_faults({"on": "create", "do": {"lose": "drop", "life": life}})

    steps = [scene.submit(night) for _ in range(12)]

    assert [step["next"] for step in steps[:11]] == ["wait"] * 11
    assert all(step["more"] for step in steps[:11])
    assert len(scene.posts()) == 1
    assert scene.records("batch#")[0]["state"] == "open"


@pytest.mark.parametrize("fault", NOTHING_DONE, ids=str)
def test_an_intent_that_never_shows_is_given_up_after_enough_turns(
    scene: Scene, night: str, fault: dict[str, Any]
) -> None:
    scene.claude.control.add_faults({"on": "create", "do": fault})

    steps = [_turn(scene, night) for _ in range(TURNS_TO_LOOK)]
    posts_while_looking = len(scene.posts())
    scene.submit(night)
    [intent] = scene.records("batch#")
    scene.send_all(night)

    assert {step["next"] for step in steps} == {"wait"}
    assert sum(step["wait_seconds"] for step in steps) >= 900
    assert posts_while_looking == 1
    assert intent["state"] == "void"
    assert scene.claude.control.paid("text").total() == 2
    assert [b["state"] for b in scene.records("batch#")] == ["void", "open"]


def test_nothing_is_sent_by_another_run_while_an_outcome_is_unknown(
    scene: Scene, night: str
) -> None:
    scene.claude.control.add_faults({"on": "create", "do": {"refuse": "drop"}})
    scene.submit(night)
    scene.stop(night)

    step = scene.submit(scene.start("second"), run_id="another")

    assert (step["next"], step["run_id"]) == ("wait", DAY)
    assert len(scene.posts()) == 1


def test_a_canceled_night_still_settles_an_unknown_outcome(scene: Scene, night: str) -> None:
    scene.claude.control.add_faults({"on": "create", "do": {"lose": "drop"}})
    scene.submit(night)
    scene.stop(night)

    step = scene.send_all(scene.start("second"), action="cancel")

    [batch] = scene.records("batch#")
    assert (step["next"], batch["state"]) == ("wait", "open")
    assert len(scene.posts()) == 1


def test_a_foreign_batch_of_equal_size_is_neither_canceled_nor_deleted(
    scene: Scene, night: str
) -> None:
    foreign = _create_foreign(scene, requests=2)
    scene.claude.control.add_faults({"on": "create", "do": {"refuse": "drop"}})

    scene.submit(night)
    scene.send_all(night)
    [held] = scene.records("batch#")
    scene.submit(scene.start("second"), action="cancel")
    scene.claude.control.end_batch(foreign)
    scene.collect(night, held["record"])
    [let_go] = scene.records("batch#")
    scene.send_all(night)

    assert (held["state"], held["batch_id"], held["proved"]) == ("open", foreign, False)
    assert (let_go["state"], "batch_id" in let_go) == ("creating", False)
    assert scene.records("batch#")[0]["state"] == "creating"
    operations = {request["operation"] for request in scene.claude.control.requests()}
    assert operations.isdisjoint({"cancel", "delete"})
    assert scene.ticket("A")["classification_status"] == "pending"


def test_our_own_batch_is_found_beside_a_foreign_one_of_equal_size(
    scene: Scene, night: str
) -> None:
    foreign = _create_foreign(scene, requests=2)
    scene.claude.control.add_faults({"on": "create", "do": {"lose": "drop"}})
    scene.submit(night)
    [ours] = [b["id"] for b in scene.claude.control.batches() if b["id"] != foreign]
    for batch_id in (foreign, ours):
        scene.claude.control.end_batch(batch_id)

    for _ in range(3):
        scene.send_all(night)
        [batch] = scene.records("batch#")
        if batch["batch_id"] != ours:
            scene.collect(night, batch["record"])

    assert scene.records("batch#")[0]["batch_id"] == ours
    assert len(scene.posts()) == 2  # theirs and ours


def test_a_batch_of_another_size_is_no_match(scene: Scene, night: str) -> None:
    _create_foreign(scene, requests=3)
    scene.claude.control.add_faults({"on": "create", "do": {"refuse": "drop"}})

    scene.submit(night)
    scene.send_all(night)

    assert scene.records("batch#")[0]["state"] == "creating"


@pytest.mark.parametrize(
    ("said", "waited"),
    [
        ("600", 600),
        ("600.2", 601),
        ("864000", 900),  # ten days: a proxy's word, not Claude's
        ("inf", 900),
        ("nan", 60),
        ("-5", 60),
        ("soon", 60),
        ("Wed, 25 Nov 2026 02:00:00 GMT", 60),
    ],
)
def test_a_rate_limit_is_waited_for_as_long_as_it_says_within_reason(
    scene: Scene, night: str, said: str, waited: int
) -> None:
    answer = {"status": 429, "headers": {"retry-after": said}}
    scene.claude.control.add_faults({"on": "create", "do": {"answer": answer}})

    step = scene.submit(night)
    scene.send_all(night)

    assert (step["next"], step["more"], step["wait_seconds"]) == ("wait", True, waited)
    assert isinstance(step["wait_seconds"], int)  # a Wait state takes whole seconds
    assert scene.look(night, more=True)["next"] == "submit"
    assert [post["status"] for post in scene.posts()] == [429, 200]
    assert [b["state"] for b in scene.records("batch#")] == ["void", "open"]
    assert scene.sent() == ["A", "B"]


def test_an_overloaded_provider_is_asked_again_ever_later(scene: Scene, night: str) -> None:
    fault = {"on": "create", "times": None, "do": {"answer": {"status": 529}}}
    scene.claude.control.add_faults(fault)

    waits = [scene.submit(night)["wait_seconds"] for _ in range(7)]

    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (60, 900)
    assert {b["state"] for b in scene.records("batch#")} == {"void"}


def _refuse_for_a_day(scene: Scene, night: str) -> Step:
    """A hundred creates that were refused with 529; returns the last call's answer."""
    fault = {"on": "create", "times": None, "do": {"answer": {"status": 529}}}
    scene.claude.control.add_faults(fault)
    scene.submit(night)
    refused = scene.stack.ledger.run(DAY).batches[-1]
    for n in range(refused.number + 1, refused.number + 99):
        again = replace(refused, record=f"batch#{n:04}", state="creating")
        scene.stack.ledger.record_intent(again, scene.stack.lock.read().last_intent)
        scene.stack.ledger.mark_not_created(again, "refused")
    return scene.submit(night)


def test_a_provider_that_refuses_for_a_day_fails_the_night(scene: Scene, night: str) -> None:
    last = _refuse_for_a_day(scene, night)
    posts = len(scene.posts())

    steps = [scene.submit(night) for _ in range(2)]

    assert last["wait_seconds"] == 900  # a hundred of these are a day
    for step in steps:
        assert (step["next"], step["problem"]["error"]) == ("report", "ClaudeUnavailable")
        assert "100 times" in step["problem"]["cause"]
        assert (step["report"]["status"], step["report"]["reason"]) == ("partial", "unavailable")
    assert len(scene.posts()) == posts
    assert scene.sent() == []


def test_what_is_open_is_waited_for_when_the_provider_refuses_for_a_day(scene: Scene) -> None:
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    scene.put("A", "B")
    night = scene.start()
    while not scene.sent():
        scene.submit(night)
    _refuse_for_a_day(scene, night)

    waiting = scene.submit(night)
    scene.answer(night)
    done = scene.submit(night)

    assert (waiting["next"], waiting["more"]) == ("wait", False)
    assert (done["problem"]["error"], done["report"]["classified"]) == ("ClaudeUnavailable", 1)


def test_the_next_start_counts_refusals_anew(scene: Scene, night: str) -> None:
    _refuse_for_a_day(scene, night)
    scene.submit(night)
    scene.stop(night)

    step = scene.submit(scene.start("next"))

    assert (step["next"], step["more"]) == ("wait", True)


def test_a_provider_that_cannot_be_reached_has_created_nothing(scene: Scene, night: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        scene.configure(ANTHROPIC_BASE_URL=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        refused = scene.submit(night)
    scene.configure(ANTHROPIC_BASE_URL=scene.claude.url)
    scene.send_all(night)

    assert (refused["next"], refused["more"]) == ("wait", True)
    assert [b["state"] for b in scene.records("batch#")] == ["void", "open"]
    assert scene.sent() == ["A", "B"]


@pytest.mark.parametrize("html", [False, True], ids=["as JSON", "as HTML"])
def test_half_as_many_are_sent_after_a_batch_that_was_too_large(scene: Scene, html: bool) -> None:
    scene.put(*(f"T-{n}" for n in range(8)))
    answer = {"status": 413, "html": html}
    scene.claude.control.add_faults({"on": "create", "do": {"answer": answer}})

    step = scene.send_all(scene.start())

    assert [b["requests"] for b in scene.records("batch#")] == [8, 4, 4]
    assert [post["status"] for post in scene.posts()] == [413, 200, 200]
    assert step["next"] == "wait"
    assert scene.sent() == [f"T-{n}" for n in range(8)]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 400},
        {"status": 402},
        {"status": 403},
        {"status": 404},
        {"status": 403, "html": True},
        {"status": 404, "html": True},
        {"status": 422},
        {"status": 429, "details": {"error_code": "enforced_spend_limit_reached"}},
    ],
    ids=str,
)
def test_a_refusal_that_asking_again_would_not_cure_ends_the_night(
    scene: Scene, night: str, answer: Step
) -> None:
    scene.claude.control.add_faults({"on": "create", "do": {"answer": answer}})

    with pytest.raises(ClaudeRejected, match=str(answer["status"])) as raised:
        scene.submit(night)

    assert len(scene.posts()) == 1
    assert [b["state"] for b in scene.records("batch#")] == ["void"]
    assert "Invoice" not in str(raised.value)
    assert scene.claude.api_key not in str(raised.value)


def test_a_workspace_without_human_review_is_named_in_claudes_own_words(
    scene: Scene, night: str
) -> None:
    details = {"error_code": "workspace_human_review_disabled"}
    answer = {"status": 400, "details": details}
    scene.claude.control.add_faults({"on": "create", "do": {"answer": answer}})

    with pytest.raises(ClaudeRejected, match="Use a Workspace with Human Review on"):
        scene.submit(night)

    assert [b["state"] for b in scene.records("batch#")] == ["void"]


def test_the_night_after_a_refusal_sends_the_same_tickets(scene: Scene, night: str) -> None:
    scene.claude.control.add_faults({"on": "create", "do": {"answer": {"status": 400}}})
    with pytest.raises(ClaudeRejected):
        scene.submit(night)
    scene.stop(night)

    scene.send_all(scene.start("second"))

    assert scene.sent() == ["A", "B"]


def test_a_refused_key_is_fetched_anew_once(scene: Scene, night: str) -> None:
    scene.store_key("sk-ant-of-last-year")
    scene.stack.claude.key(False)  # a warm function knows it
    scene.store_key(scene.claude.api_key)
    # So that the create is its first call.
    scene.stack.ledger.note_model(DAY, night, "")
    scene.remember_version(fixed_tokens=185)

    scene.send_all(night)

    assert [post["status"] for post in scene.posts()] == [401, 200]
    assert scene.sent() == ["A", "B"]


def test_a_key_changed_hours_ago_is_fetched_anew_too(
    scene: Scene, night: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "KEY_MAX_AGE_SECONDS", 0)  # nothing fetched before is still cached
    old = "sk-ant-of-last-year"
    scene.store_key(old)
    _accept(scene, old)
    scene.stack.claude.newest()  # a warm function is connected with it
    _accept(scene, scene.claude.api_key)
    scene.store_key(scene.claude.api_key)

    scene.send_all(night)

    assert scene.sent() == ["A", "B"]


def test_a_key_that_stays_refused_ends_the_night_with_what_to_do(scene: Scene, night: str) -> None:
    scene.store_key("sk-ant-of-last-year")

    with pytest.raises(ClaudeRejected, match="put-secret-value --secret-id key") as raised:
        scene.send_all(night)

    assert "sk-ant-of-last-year" not in str(raised.value)
    assert {post["status"] for post in scene.posts()} == {401}
    assert len(scene.posts()) <= 2
    assert {b["state"] for b in scene.records("batch#")} == {"void"}


def test_the_turns_of_a_stopped_execution_count_for_the_next(scene: Scene, night: str) -> None:
    scene.claude.control.add_faults({"on": "create", "do": {"refuse": "drop"}})
    for _ in range(10):
        _turn(scene, night)
    scene.stop(night)
    second = scene.start("second")

    steps = [_turn(scene, second) for _ in range(TURNS_TO_LOOK - 8)]

    assert [step["next"] for step in steps[:-1]] == ["wait"] * (TURNS_TO_LOOK - 9)
    assert scene.records("batch#")[0]["state"] == "void"


def test_starting_again_makes_no_time_pass_for_a_create_in_doubt(scene: Scene, night: str) -> None:
    scene.claude.control.add_faults({"on": "create", "do": {"refuse": "drop"}})
    scene.submit(night)

    for number in range(2 * TURNS_TO_LOOK):
        scene.stop(night)
        night = scene.start(f"again-{number}")
        scene.submit(night)

    assert scene.records("batch#")[0]["state"] == "creating"


def _turn(scene: Scene, execution: str) -> Step:
    """One call of submit, and the wait and the look that follow it."""
    step = scene.submit(execution)
    scene.look(execution)
    return step


def _accept(scene: Scene, key: str) -> None:
    """From now on Claude takes this key and no other."""
    scene.claude.settings = replace(scene.claude.settings, api_key=key)


def _create_foreign(scene: Scene, requests: int) -> str:
    """A batch of somebody else in the same workspace."""
    params = {
        "model": "claude-haiku-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    body = {"requests": [{"custom_id": f"theirs-{n}", "params": params} for n in range(requests)]}
    headers = {"x-api-key": scene.claude.api_key, "anthropic-version": "2023-06-01"}
    with closing(http.client.HTTPConnection(scene.claude.url[7:])) as connection:
        connection.request("POST", "/v1/messages/batches", json.dumps(body), headers)
        return str(json.loads(connection.getresponse().read())["id"])
