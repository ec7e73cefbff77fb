"""Collect: every request of an ended batch is accounted for, and what was paid is written."""

from collections.abc import Iterator, Sequence
from copy import replace
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Event, Lock
from typing import Any

import pytest

from nightshift import collect as collect_module
from nightshift.claude import custom_id
from nightshift.claude.client import Claude
from nightshift.claude.money import Usage
from nightshift.claude.prices import published
from nightshift.claude.results import Result
from nightshift.runs.records import Batch, Tally
from nightshift.task.task import Task
from nightshift.writing.apply import Applied
from tests.crash.stack import Stack
from tests.crash_proof.driver import Execution
from tests.crash_proof.world import Workshop, World, workshop
from tests.tasks import changed, labelled, task
from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import Life

LIFE = Life(seconds=1000)
TRY_LATER = {
    "type": "errored",
    "error": {"type": "invalid_request_error", "message": "messages: too odd"},
}


@pytest.fixture(scope="module")
def ours() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


# The books: as the provider counts its batch's requests, and line by line.


def count_one_as_expired(world: World) -> None:
    """Claude's own counts differ from what its results say, in the kinds alone."""
    show = world.claude.show

    def shown(*arguments: Any) -> dict[str, Any]:
        batch = show(*arguments)
        if batch["request_counts"]["succeeded"]:
            batch["request_counts"]["succeeded"] -= 1
            batch["request_counts"]["expired"] += 1
        return batch

    world.claude.show = shown  # type: ignore[method-assign]


def end_without_line_feed(world: World) -> None:
    """The last line of the results ends with the file."""
    results = world.claude.results

    def lines(batch_id: str) -> Iterator[bytes]:
        whole = b"".join(results(batch_id))
        assert whole.endswith(b"}\n")
        yield whole[:-1]

    world.claude.results = lines  # type: ignore[method-assign]


def test_results_of_other_kinds_than_the_provider_counts_are_disputed(ours: Workshop) -> None:
    stack = Stack.on(ours, LIFE)
    stack.put("A", "B", "C")
    count_one_as_expired(stack.world)

    error = stack.night()["error"]

    [batch] = stack.records("batch#")
    assert error.startswith("LedgerMismatch: ")
    assert batch["batch_id"] in error
    assert (batch["state"], batch["disputed"]) == ("closed", True)
    assert {ticket["category"] for ticket in stack.tickets().values()} == {"billing"}


def test_a_disputed_batch_is_kept_at_the_provider(ours: Workshop) -> None:
    stack = Stack.on(ours, LIFE)
    stack.put("A", "B", "C")
    count_one_as_expired(stack.world)

    stack.night()
    later = stack.night()

    [there] = stack.world.claude.everything()
    assert not there.deleted
    assert later["status"] == "nothing_to_do"


def test_a_batch_that_adds_up_is_deleted_at_the_provider(ours: Workshop) -> None:
    stack = Stack.on(ours, LIFE)
    stack.put("A", "B", "C")

    stack.night()

    assert [batch.deleted for batch in stack.world.claude.everything()] == [True]


def test_the_last_line_counts_without_a_line_feed_too(ours: Workshop) -> None:
    stack = Stack.on(ours, LIFE)
    stack.put("A", "B", "C")
    end_without_line_feed(stack.world)

    report = stack.night()

    assert (report["status"], report["classified"]) == ("complete", 3)


def test_the_only_request_of_a_batch_is_given_up_where_it_is_invalid(ours: Workshop) -> None:
    # A single line proves nothing about the request as such.
    stack = Stack.on(ours, LIFE, rules=[RowRule(TRY_LATER, contains="odd")])
    stack.put("odd")

    report = stack.night()

    odd = stack.tickets()["odd"]
    assert "error" not in report
    assert odd["classification_status"] == "failed"
    assert odd["classification_error"].startswith("invalid_request: ")


def test_a_batch_of_invalid_requests_alone_gives_up_no_ticket(ours: Workshop) -> None:
    stack = Stack.on(ours, LIFE, rules=[RowRule(TRY_LATER, contains="odd")])
    stack.put("odd-1", "odd-2")

    error = stack.night()["error"]

    assert error.startswith("ClaudeRejected: ")
    assert stack.pending() == ["odd-1", "odd-2"]
    assert not any("classification_attempts" in each for each in stack.tickets().values())


# A task file deployed while a batch is out: its answers are paid, and edits are still found.

# Everything about it is another: what it reads, how it shows it, what it allows.
SINCE = labelled(
    "billing", "urgent", message="{subject}: {body}", input={"subject": 500, "body": 1}
)


def answers(**texts: str) -> list[RowRule]:
    """What Claude answers to the tickets of these ids."""
    return [
        RowRule({"type": "succeeded", "text": text}, contains=f"{ticket_id}\n")
        for ticket_id, text in texts.items()
    ]


def sent(ours: Workshop, **texts: str) -> tuple[Stack, Execution]:
    """A night whose batch is out, with a ticket for each of the answers."""
    stack = Stack.on(ours, LIFE, rules=answers(**texts), max_attempts=1)
    stack.put(*texts)
    night = stack.start()
    night.run(until=stack.created)
    return stack, night


def collected(stack: Stack, night: Execution, monkeypatch: pytest.MonkeyPatch, now: Task) -> Batch:
    """The batch after its results were written by a stack that has this task."""

    def the_batch() -> Batch:
        return stack.world.ledger.batch("2026-11-22", "batch#0001")

    with monkeypatch.context() as deployed:
        deployed.setattr(World, "task", now)
        night.run(until=lambda: the_batch().state == "closed")
    assert stack.world.claude.everything()[0].deleted
    return the_batch()


def test_paid_answers_are_written_as_far_as_today_allows_them(
    ours: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, night = sent(ours, A="billing", B="account")
    before = stack.tickets()

    batch = collected(stack, night, monkeypatch, SINCE)

    assert stack.tickets()["A"]["category"] == "billing"
    assert stack.tickets()["B"] == before["B"]  # pending, and no attempt although one is all
    assert (batch.state, batch.trouble) == ("closed", None)
    assert (batch.tally.classified, batch.tally.requeued, batch.tally.still_pending) == (1, 1, 1)


def test_an_answer_that_its_own_version_does_not_allow_is_an_attempt(
    ours: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, night = sent(ours, A="urgent")

    batch = collected(stack, night, monkeypatch, task())

    assert stack.tickets()["A"]["classification_status"] == "failed"
    assert batch.tally.failures == {"unreadable_answer": 1}


def test_another_model_is_another_version(ours: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, night = sent(ours, A="urgent")
    before = stack.tickets()
    model = {"model": "claude-haiku-5-5"}
    stack.world.settings = stack.world.settings.model_copy(update=model)

    batch = collected(stack, night, monkeypatch, task())

    assert stack.tickets() == before
    assert batch.tally.requeued == 1


@pytest.mark.parametrize("deployed", [task(), SINCE], ids=["the same task", "another task"])
def test_an_edited_ticket_is_found(
    ours: Workshop, monkeypatch: pytest.MonkeyPatch, deployed: Task
) -> None:
    stack, night = sent(ours, **{"1": "billing", "2": "billing", "3": "billing", "4": "billing"})
    stack.put("1", body={"S": "Where is my refund?"})
    stack.put("2", subject={"N": "2"})
    pending = {"classification_status": {"S": "pending"}}
    stack.world.put("tickets", {"ticket_id": {"S": "3"}, "subject": {"S": "3"}, **pending})
    edited = stack.tickets()

    batch = collected(stack, night, monkeypatch, deployed)

    found = stack.tickets()
    assert found.pop("4")["category"] == "billing"
    assert found == {ticket_id: edited[ticket_id] for ticket_id in "123"}
    assert (batch.tally.superseded, batch.tally.still_pending, batch.tally.classified) == (3, 3, 1)


def test_the_inputs_of_the_batch_are_read_and_guarded_not_those_of_todays_task(
    ours: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here a ticket's `body` is edited, which the batch had not read, and `title`, which it had."""
    stack = Stack.on(ours, LIFE, rules=[RowRule({"type": "succeeded", "text": "billing"})])
    stack.put("A", "B", title={"S": "Refund"})
    night = stack.start()
    with monkeypatch.context() as then:
        then.setattr(World, "task", changed(input={"title": 500}, message="{title}"))
        night.run(until=stack.created)
    stack.put("A", title={"S": "Refund"}, body={"S": "Another body"})
    stack.put("B", title={"S": "Another title"})
    edited = stack.tickets()

    batch = collected(stack, night, monkeypatch, SINCE)

    assert batch.inputs == ("title",)
    assert stack.tickets()["A"]["category"] == "billing"
    assert stack.tickets()["B"] == edited["B"]
    assert (batch.tally.classified, batch.tally.superseded) == (1, 1)


def test_answers_to_release_0_1_0_are_superseded_and_their_tickets_left(
    ours: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, night = sent(ours, A="billing")
    before = stack.tickets()
    [there] = stack.world.claude.everything()
    name = custom_id.parse(there.requests[0].custom_id)
    assert name
    # It took a digest of the message, which is not what is digested now, and kept no version.
    of_the_message = str(replace(name, digest="12345678"))
    there.requests[0] = there.requests[0]._replace(custom_id=of_the_message)
    [record] = stack.records("batch#")
    stack.world.workshop.plain_client.update_item(
        TableName="runs",
        Key={name: {"S": record[name]} for name in ("run_id", "record")},
        UpdateExpression="REMOVE #version",
        ExpressionAttributeNames={"#version": "version"},
    )

    batch = collected(stack, night, monkeypatch, task())

    assert batch.version == ""
    assert stack.tickets() == before
    assert (batch.tally.superseded, batch.tally.still_pending) == (1, 1)


# Results are read no faster than they are written: what is in memory does not grow with them.

REQUESTS = 3_000
# Four threads with a group of a hundred each, one group that waits, and one on its way back.
MOST_AHEAD = 600


@dataclass
class SlowTable:
    """What brings results into the table: nothing of the first groups until somebody has read too
    far ahead, or had a second to do so, which takes some hundredths."""

    patience: float = 1.0
    read: int = 0
    applied: int = 0
    too_far: Event = field(default_factory=Event)
    """Set once more lines were taken from the results than the table may lag behind."""
    _lock: Lock = field(default_factory=Lock)

    def watched(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            self.read += 1
            if self.read - self.applied > MOST_AHEAD:
                self.too_far.set()
            yield line

    def apply(self, lines: Sequence[Result]) -> Applied:
        self.too_far.wait(self.patience)
        self.patience = 0.0
        with self._lock:
            self.applied += len(lines)
        tally = Tally(classified=len(lines), succeeded=len(lines))
        return Applied(tuple(line.custom_id.ordinal for line in lines), tally)


def test_results_wait_at_the_provider_while_the_table_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, lines = SlowTable(), Claude.result_lines
    with workshop({}) as ours:
        stack = Stack.on(ours, LIFE, max_requests_per_batch=REQUESTS)
        stack.put(*(f"{number:04}" for number in range(REQUESTS)))
        night = stack.start()
        night.run(until=stack.created)
        monkeypatch.setattr(collect_module, "Applier", lambda *_: table)
        monkeypatch.setattr(Claude, "result_lines", lambda *asked: table.watched(lines(*asked)))

        batch = collected(stack, night, monkeypatch, task())

    assert (batch.state, batch.trouble) == ("closed", None)
    assert (batch.tally.classified, table.applied) == (REQUESTS, REQUESTS)
    assert table.read == REQUESTS
    assert not table.too_far.is_set()


@pytest.mark.parametrize(("geo", "factor"), [("us", "1.1"), ("global", "1")])
def test_what_a_batch_cost_is_told_at_the_price_of_where_it_was_processed(
    ours: Workshop, geo: str, factor: str
) -> None:
    """The task does not say where: the workspace decides, and the bound covers either."""
    stack = Stack.on(ours, LIFE, model="claude-haiku-5-5")
    stack.world.claude.default_geo = geo
    stack.put("A", "B", "C")

    report = stack.night()

    usages = [row["result"]["message"]["usage"] for row in stack.world.claude.journal(False)]
    plain = published().of("claude-haiku-5-5")
    usd = sum(plain.batch_cost(Usage(u["input_tokens"], u["output_tokens"])) for u in usages)
    bounds = sum(item["bound"] for item in stack.records("batch#"))
    assert report["cost_usd"] == pytest.approx(float(usd * Decimal(factor)), rel=1e-12)
    assert report["cost_usd"] <= float(bounds)
