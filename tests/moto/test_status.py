"""Status: one look at all open batches, and how long to wait for the next."""

import time

import pytest

from tests.moto.scene import DAY, Scene, Step

POLLS = 60
UNKNOWN = {
    "seconds": None,
    "list_lag_looks": 10**6,
    "missing_looks": 10**6,
    "missing_looks_after_end": 10**6,
}


@pytest.fixture
def night(scene: Scene) -> str:
    """An execution that has five batches open."""
    scene.configure(MAX_REQUESTS_PER_BATCH=1)
    scene.put("A", "B", "C", "D", "E")
    execution = scene.start()
    scene.send_all(execution)
    return execution


def test_one_list_call_looks_at_all_open_batches(scene: Scene, night: str) -> None:
    before = len(scene.claude.control.requests())

    step = scene.look(night)

    asked = scene.claude.control.requests()[before:]
    assert [request["operation"] for request in asked] == ["list"]
    assert step == {
        "next": "wait", "run_id": DAY, "ended": [], "open": 5, "open_requests": 5, "more": False,
        "wait_seconds": 60,
    }  # fmt: skip


def test_ended_batches_are_named_by_their_records(scene: Scene, night: str) -> None:
    batches = scene.records("batch#")
    for batch in (batches[1], batches[3]):
        scene.claude.control.end_batch(batch["batch_id"])

    step = scene.look(night)

    assert (step["next"], step["ended"]) == ("collect", ["batch#0002", "batch#0004"])


def test_a_batch_that_was_canceled_or_expired_has_ended_too(scene: Scene, night: str) -> None:
    batches = scene.records("batch#")
    scene.claude.control.expire_batch(batches[0]["batch_id"])
    scene.claude.control.cancel_batch(batches[1]["batch_id"])

    assert scene.look(night)["ended"] == ["batch#0001", "batch#0002"]


def test_a_batch_that_is_not_on_the_page_is_asked_for_by_its_id(scene: Scene, night: str) -> None:
    hidden = {"seconds": None, "list_lag_looks": 10**6}
    scene.put("F")
    scene.claude.control.add_faults({"on": "create", "do": {"life": hidden}})
    other = _another_night(scene, night)
    [batch] = scene.records("batch#", "other")
    scene.claude.control.end_batch(batch["batch_id"])

    step = scene.look(other, "other")

    retrieved = scene.claude.control.requests("retrieve")
    assert [request["object_id"] for request in retrieved] == [batch["batch_id"]]
    assert step["ended"] == ["batch#0001"]


def test_with_nothing_open_submit_is_next(scene: Scene) -> None:
    step = scene.look(scene.start())

    assert (step["next"], step["ended"], step["open"]) == ("submit", [], 0)
    assert scene.claude.control.requests() == []


def test_submit_is_next_when_it_has_more_to_do(scene: Scene, night: str) -> None:
    assert scene.look(night, more=True)["next"] == "submit"


@pytest.mark.parametrize(
    ("age", "wait"), [(0, 60), (500, 60), (1200, 120), (6000, 600), (9000, 900), (80_000, 900)]
)
def test_the_wait_grows_with_the_age_of_what_is_open(scene: Scene, age: int, wait: int) -> None:
    scene.claude.control.set_life(skew=-age)
    scene.put("A")
    night = scene.start()
    began = time.time()
    sent = scene.send_all(night)

    looked = scene.look(night)

    older = (time.time() - began) / 10
    assert wait - 1 <= looked["wait_seconds"] <= wait + older + 1
    assert wait - 1 <= sent["wait_seconds"] <= wait + older + 1


def test_the_wait_is_never_shorter_than_the_stack_asks_for(scene: Scene) -> None:
    scene.configure(POLL_SECONDS=300)
    scene.put("A")
    night = scene.start()
    scene.send_all(night)

    assert scene.look(night)["wait_seconds"] == 300


def test_a_batch_unknown_soon_after_its_create_is_waited_for(scene: Scene) -> None:
    scene.claude.control.set_life(seconds=0, list_lag_looks=5, missing_looks_after_end=5)
    scene.put("A")
    night = scene.start()
    scene.send_all(night)

    steps = [scene.look(night) for _ in range(6)]

    assert [step["next"] for step in steps] == ["wait"] * 5 + ["collect"]
    assert "error" not in scene.records("batch#")[0]


def test_a_batch_that_stays_unknown_is_set_aside_and_the_night_goes_on(scene: Scene) -> None:
    night, steps = _night_with_an_unknown_batch(scene)
    [batch] = scene.records("batch#")

    after = scene.look(night)
    step = scene.send_all(night)

    *turns, last = steps
    assert {step["next"] for step in turns} == {"wait"}
    assert (last["next"], last["open"]) == ("submit", 0)
    assert batch["error"] == "BatchNotFound"
    assert batch["cause"].startswith(f"Claude does not know {batch['batch_id']}")
    assert "workspace" in batch["cause"]
    assert (batch["state"], batch["noticed_by"], batch["aside_by"]) == ("open", night, night)
    assert (after["next"], after["open"]) == ("submit", 0)
    assert step["next"] == "report"
    assert (step["report"]["status"], step["report"]["pending"]) == ("partial", 2)
    assert step["problem"]["error"] == "BatchNotFound"


def test_the_tickets_of_a_batch_set_aside_are_kept_back(scene: Scene) -> None:
    night, _ = _night_with_an_unknown_batch(scene)
    scene.send_all(night)
    scene.tell(night)
    scene.stop(night)
    scene.claude.control.set_life(seconds=None, list_lag_looks=0, missing_looks=0)
    scene.put("AA", "C")
    second = scene.start("second")

    _look_once(scene, second)
    step = scene.send_all(second, run_id="second")

    assert scene.claude.control.paid().most_common(1)[0][1] == 1
    assert scene.sent() == ["A", "B", "C"]
    assert step["next"] == "wait"


def test_a_batch_set_aside_fails_one_execution_only_and_no_later_one_is_idle(scene: Scene) -> None:
    night, _ = _night_with_an_unknown_batch(scene)
    scene.send_all(night)
    scene.tell(night)
    scene.stop(night)
    second = scene.start("second")

    _look_once(scene, second)
    step = scene.send_all(second, run_id="second")

    assert step["next"] == "report"
    assert step["problem"] is None
    assert (step["report"]["status"], step["report"]["reason"]) == ("partial", "set_aside")
    assert step["notices"] == []


def test_cancel_gives_up_what_claude_does_not_know(scene: Scene) -> None:
    night, _ = _night_with_an_unknown_batch(scene)
    scene.send_all(night)
    scene.tell(night)
    scene.stop(night)

    canceling = scene.start("second")
    scene.send_all(canceling, action="cancel")
    scene.look(canceling)
    report = scene.send_all(canceling, action="cancel")["report"]
    scene.stop(canceling)
    scene.claude.control.set_life(seconds=None, list_lag_looks=0, missing_looks=0)
    third = scene.send_all(scene.start("third"), run_id="third")["report"]

    assert (report["status"], report["requeued"], report["submitted"]) == ("canceled", 2, 2)
    [batch] = scene.records("batch#")
    assert (batch["state"], batch["unread"]) == ("closed", "given_up")
    # It keeps its tickets back just as long as one that nobody gave up.
    assert scene.records("batch#", "third") == []
    assert (third["status"], third["reason"]) == ("partial", "set_aside")


def test_a_closed_batch_that_is_not_deleted_yet_is_named_again(scene: Scene, night: str) -> None:
    for batch in scene.stack.ledger.run(DAY).in_state("open"):
        scene.claude.control.end_batch(str(batch.batch_id))
        scene.stack.ledger.close(batch, night)
    before = len(scene.claude.control.requests())

    step = scene.look(night)

    assert (step["next"], len(step["ended"])) == ("collect", 5)
    assert len(scene.claude.control.requests()) == before


def _another_night(scene: Scene, night: str) -> str:
    """Finish what is open, and send what is pending under the run id `other`."""
    scene.answer(night)
    scene.send_all(night)
    scene.stop(night)
    other = scene.start("other")
    scene.send_all(other, run_id="other")
    return other


def _night_with_an_unknown_batch(scene: Scene) -> tuple[str, list[Step]]:
    """An execution after the turns in which Claude denied to know its only batch."""
    scene.claude.control.set_life(**UNKNOWN)
    scene.put("A", "B")
    night = scene.start()
    scene.send_all(night)
    return night, [scene.look(night) for _ in range(POLLS)]


def _look_once(scene: Scene, execution: str) -> None:
    """The next execution asks once before it goes on without the batch."""
    first = scene.send_all(execution, run_id="second")
    assert (first["next"], first["run_id"], first["wait_seconds"]) == ("wait", DAY, 60)
    assert scene.look(execution)["next"] == "submit"
