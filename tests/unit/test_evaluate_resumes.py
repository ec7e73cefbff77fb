"""`make evaluate`, killed at every step and started again: nothing is paid for twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nightshift.claude.client import Claude
from nightshift.errors import LedgerMismatch
from tests.tasks import labelled, task
from tools.desk.evaluate import asking, journal
from tools.desk.evaluate.asking import GRACE, Asker
from tools.desk.evaluate.journal import Busy, Journal
from tools.desk.evaluate.series import Series
from tools.desk.labelled import Row
from tools.local.claude_standin import Life, running
from tools.local.claude_standin.server import StandIn

pytestmark = pytest.mark.enable_socket
CALLS = ("count_tokens", "create", "created_since", "retrieve", "delete")
TURNS = 40


class Killed(BaseException):
    """The process is gone."""


class Kill:
    """Ends the process before or after its n-th step: a call of Claude, or a write to disk."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Killed

    def around(self, call: Any) -> Any:
        def killed(*arguments: Any) -> Any:
            self.step()
            answer = call(*arguments)
            self.step()
            return answer

        return killed

    def within(self, call: Any) -> Any:
        """A stream that may end its reader after each of its lines."""

        def lines(*arguments: Any) -> Iterator[bytes]:
            for line in call(*arguments):
                self.step()
                yield line

        return lines


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with running(life=Life(seconds=0)) as server:
        yield server


def series(model: str = "claude-haiku-4-5", rows: int = 5) -> Series:
    rows_ = [
        Row(f"T{n}", [(f"Refund {n}", True), (f"ticket {n}", True)], {"category": ("billing",)})
        for n in range(rows)
    ]
    return Series(task(), model, rows_)


def client(stand_in: StandIn) -> Claude:
    return Claude(stand_in.url, lambda _: stand_in.api_key)


def process(
    stand_in: StandIn, place: Path, kill: Kill, late: timedelta = timedelta()
) -> list[Asker]:
    """One run of the command, over two series; `late` is how much later than the last one."""
    claude: Any = client(stand_in)
    for name in CALLS:
        setattr(claude, name, kill.around(getattr(claude, name)))
    claude.result_lines = kill.within(claude.result_lines)
    askers = [
        Asker(each, Journal(place / each.digest("x")), claude, lambda: datetime.now(UTC) + late)
        for each in (series(), series("claude-sonnet-5"))
    ]
    going = askers
    for _ in range(TURNS):
        going = [asker for asker in going if not asker.turn()]
        if not going:
            return askers
    raise AssertionError("it never ends")


def finish(stand_in: StandIn, place: Path) -> list[Asker]:
    return process(stand_in, place, Kill(0))


def paid(stand_in: StandIn) -> int:
    return stand_in.control.paid("custom_id").total()


def test_killed_at_every_step_and_started_again_it_pays_each_request_once(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = journal.store
    for at in range(1, 1_000):
        kill, before = Kill(at), paid(stand_in)
        place = tmp_path / f"{at}"
        with monkeypatch.context() as patched:
            patched.setattr(journal, "store", kill.around(store))
            try:
                process(stand_in, place, kill)
            except Killed:
                died = True
            else:
                died = False
        after = timedelta() if _was_paid(place, stand_in) else GRACE + timedelta(seconds=1)
        askers = process(stand_in, place, Kill(0), after)

        assert [sorted(asker.found) for asker in askers] == [[0, 1, 2, 3, 4]] * 2, at
        assert paid(stand_in) - before == 10, at
        assert all(batch["deleted"] for batch in stand_in.control.batches()), at
        if not died:
            assert at > 40
            return
    raise AssertionError("it never came to its end")


def _was_paid(place: Path, stand_in: StandIn) -> bool:
    """Whether every intent on disk has become a batch, so that none needs the grace."""
    tokens = {name[:8] for name in stand_in.control.paid("custom_id")}
    folders = [each for each in place.iterdir() if each.is_dir()]
    sendings = [sending for folder in folders for sending in Journal(folder).sendings()]
    return all(each.token in tokens for each in sendings)


def test_a_create_without_an_answer_is_found_again_and_not_sent_again(
    stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.control.add_faults({"on": "create", "do": {"lose": "drop"}})

    askers = finish(stand_in, tmp_path)

    assert [len(asker.found) for asker in askers] == [5, 5]
    assert len(stand_in.control.requests("create")) == 2
    assert paid(stand_in) == 10


def test_a_batch_of_the_same_size_that_somebody_else_sent_is_not_taken(
    stand_in: StandIn, tmp_path: Path
) -> None:
    stranger = Asker(series("claude-sonnet-5"), Journal(tmp_path / "stranger"), client(stand_in))
    stranger._send_the_rest()
    stand_in.control.add_faults({"on": "create", "do": {"lose": "drop"}})
    ours = Asker(series(), Journal(tmp_path / "ours"), client(stand_in))

    assert [ours.turn() for _ in range(3)][-1]

    [sending] = ours.sendings.values()
    assert sending.batch_id not in {each.batch_id for each in stranger.sendings.values()}
    assert len(ours.found) == 5


def test_an_intent_whose_batch_never_was_is_sent_again_only_after_the_grace(
    stand_in: StandIn, tmp_path: Path
) -> None:
    moment = datetime.now(UTC)
    clock = [moment]
    claude: Any = client(stand_in)
    create, claude.create = claude.create, _lost
    asker = Asker(series(), Journal(tmp_path), claude, lambda: clock[0])
    asker.turn()
    claude.create = create

    clock[0] = moment + GRACE
    assert not asker.turn()
    assert not stand_in.control.requests("create")

    clock[0] = moment + GRACE + timedelta(seconds=1)
    asker.turn()
    assert len(stand_in.control.requests("create")) == 1


def _lost(_: object) -> Any:
    raise asking.OutcomeUnknown("nothing arrived")


def test_who_asks_the_same_again_pays_nothing_and_another_task_is_asked(
    stand_in: StandIn, tmp_path: Path
) -> None:
    finish(stand_in, tmp_path)
    again = finish(stand_in, tmp_path)
    other = Series(labelled("billing", "other"), "claude-haiku-4-5", series().rows)

    assert [len(asker.found) for asker in again] == [5, 5]
    assert paid(stand_in) == 10
    assert other.digest("x") != series().digest("x") != series().digest("y")


def test_expired_requests_are_asked_again_and_the_answered_ones_are_not(
    stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.control.set_life(seconds=None)
    asker = Asker(series(), Journal(tmp_path), client(stand_in))
    asker.turn()
    stand_in.control.expire_batch(stand_in.control.batches()[0]["id"], done=0.4)
    stand_in.control.set_life(seconds=0)

    assert [asker.turn() for _ in range(4)][-1]

    assert len(asker.found) == 5
    assert [len(each.rows) for each in asker.sendings.values()] == [5, 3]
    assert paid(stand_in) == 5


def test_requests_that_keep_expiring_are_given_up(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.control.set_life(seconds=0, cut="expired")
    asker = Asker(series(), Journal(tmp_path), client(stand_in))

    assert [asker.turn() for _ in range(6)][-1]

    assert {result.kind for result in asker.found.values()} == {"expired"}
    assert len(asker.sendings) == 3


def test_a_stream_that_ends_early_is_read_again_and_nothing_of_it_is_kept(
    stand_in: StandIn, tmp_path: Path
) -> None:
    claude: Any = client(stand_in)
    whole = claude.result_lines
    claude.result_lines = lambda batch_id: list(whole(batch_id))[:2]
    asker = Asker(series(), Journal(tmp_path), claude)
    asker.turn()
    assert not asker.turn()
    assert not asker.found
    claude.result_lines = whole

    assert asker.turn()
    assert len(asker.found) == 5


def test_results_that_are_not_ours_are_refused(stand_in: StandIn, tmp_path: Path) -> None:
    stranger = Asker(series("claude-sonnet-5"), Journal(tmp_path / "stranger"), client(stand_in))
    stranger._send_the_rest()
    [theirs] = stranger.sendings.values()
    claude: Any = client(stand_in)
    whole = claude.result_lines
    claude.result_lines = lambda _: whole(theirs.batch_id)
    asker = Asker(series(), Journal(tmp_path / "ours"), claude)
    asker.turn()

    with pytest.raises(LedgerMismatch):
        asker.turn()


def test_two_processes_do_not_ask_the_same_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path).alone(), pytest.raises(Busy), Journal(tmp_path).alone():
        pass


def test_a_refused_create_is_tried_later_with_an_intent_of_its_own(
    stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.control.add_faults({"on": "create", "do": {"answer": {"status": 529}}})
    asker = Asker(series(), Journal(tmp_path), client(stand_in))

    assert not asker.turn()
    assert asker.wait >= 1
    assert [asker.turn() for _ in range(2)][-1]
    assert [each.state for each in asker.sendings.values()] == ["not_created", "collected"]
