"""A task file deployed while a batch is out: its answers are paid, and edits are still found."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from nightshift.claude.client import ProviderBatch
from nightshift.collect import collect
from nightshift.deployment import Deployment
from nightshift.events import CollectCall
from nightshift.runs.ledger import Ledger
from nightshift.runs.lock import LockItem
from nightshift.runs.records import Batch
from nightshift.task.request import version_of
from nightshift.task.task import Task, task
from nightshift.tickets.table import TicketTable
from tests.crash_proof.world import Workshop, workshop
from tests.unit.examples import TOKEN, Item, item, name_of, raw, read, succeeded

MODEL = "claude-haiku-4-5"
MOMENT = datetime(2026, 11, 22, 2, tzinfo=UTC)
RUN_ID, NIGHT = "2026-11-22", "night"
SENT_BY = version_of(task(), MODEL)
# Everything about it is another: what it reads, how it shows it, what it allows.
SINCE = task().model_copy(
    update={
        "categories": ("billing", "urgent"),
        "message": "{subject}: {body}",
        "body_characters": 1,
    }
)


@dataclass
class Provider:
    """An ended batch with one answer to each ticket."""

    lines: list[bytes] = field(default_factory=list)
    deleted: bool = False

    def retrieve(self, batch_id: str) -> ProviderBatch:
        count = len(self.lines)
        return ProviderBatch(batch_id, MOMENT, True, False, count, 0, 0, 0, count, ended_at=MOMENT)

    def result_lines(self, batch_id: str) -> Iterator[bytes]:
        yield from self.lines

    def delete(self, batch_id: str) -> None:
        self.deleted = True


@dataclass
class Night:
    """A stack with one open batch, sent by `SENT_BY`, and the task that is deployed since."""

    shop: Workshop
    provider: Provider = field(default_factory=Provider)

    def put(self, *items: Item) -> None:
        for each in items:
            self.shop.plain_client.put_item(TableName="tickets", Item=each)

    def answer(self, sent: Item, text: str) -> None:
        """Ask about a ticket as it is in the table now, and answer it."""
        self.put(sent)
        name = name_of(read(sent), len(self.provider.lines))
        self.provider.lines.append(raw(str(name), succeeded(text)))

    def collect(self, deployed: Task, **batch: Any) -> Batch:
        dynamodb = self.shop.plain_client
        ledger = Ledger(dynamodb, "runs")
        lock = LockItem(dynamodb, "runs", lambda _: "RUNNING")
        assert lock.take(NIGHT, RUN_ID)
        sent = Batch(
            run_id=RUN_ID, record="batch#0001", token=TOKEN, round=1, execution=NIGHT,
            model=MODEL, first="T-1", last="T-9", requests=len(self.provider.lines),
            bound=Decimal(1), intent_at=MOMENT, version=SENT_BY,
        )  # fmt: skip
        ledger.record_intent(replace(sent, **batch), lock.read().last_intent)
        ledger.open(sent, "msgbatch_1", MOMENT, confirmed=True)
        settings: Any = SimpleNamespace(max_attempts=1, model=MODEL)
        edges: Any = (TicketTable(dynamodb, "tickets"), ledger, lock, self.provider)
        call = CollectCall(execution=NIGHT, run_id=RUN_ID, record=sent.record)
        done = collect(call, Deployment(settings, deployed, *edges), lambda: 900.0)
        assert (done["next"], self.provider.deleted) == ("done", True)
        return ledger.batch(RUN_ID, sent.record)

    def ticket(self, ticket_id: str) -> Item:
        key = {"ticket_id": {"S": ticket_id}}
        found = self.shop.plain_client.get_item(TableName="tickets", Key=key, ConsistentRead=True)
        return dict(found["Item"])


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    with workshop({}) as ours:
        yield ours


@pytest.fixture
def night(shop: Workshop) -> Night:
    shop.make_tables()
    return Night(shop)


def test_paid_answers_are_written_as_far_as_today_allows_them(night: Night) -> None:
    night.answer(item(ticket_id="T-1"), "billing")
    night.answer(left := item(ticket_id="T-2"), "account")

    batch = night.collect(SINCE)

    assert night.ticket("T-1")["category"] == {"S": "billing"}
    assert night.ticket("T-2") == left  # pending, and no attempt although one is all there is
    assert (batch.state, batch.trouble) == ("closed", None)
    assert (batch.tally.classified, batch.tally.requeued, batch.tally.still_pending) == (1, 1, 1)


def test_an_answer_that_its_own_version_does_not_allow_is_an_attempt(night: Night) -> None:
    night.answer(item(ticket_id="T-1"), "urgent")

    batch = night.collect(task())

    assert night.ticket("T-1")["classification_status"] == {"S": "failed"}
    assert batch.tally.failures == {"unreadable_answer": 1}


def test_another_model_is_another_version(night: Night) -> None:
    night.answer(left := item(ticket_id="T-1"), "urgent")

    batch = night.collect(task(), version=version_of(task(), "claude-haiku-5-5"))

    assert night.ticket("T-1") == left
    assert batch.tally.requeued == 1


@pytest.mark.parametrize("deployed", [task(), SINCE], ids=["the same task", "another task"])
def test_an_edited_ticket_is_found(night: Night, deployed: Task) -> None:
    ids = ("T-1", "T-2", "T-3", "T-4")
    for ticket_id in ids:
        night.answer(item(ticket_id=ticket_id, subject="1"), "billing")
    edited = [
        item(ticket_id="T-1", subject="1", body="Where is my refund?"),
        item(ticket_id="T-2", subject=1),
        item(ticket_id="T-3", subject="1", body=None),
    ]
    night.put(*edited)

    batch = night.collect(deployed)

    assert [night.ticket(i) for i in ids[:3]] == edited
    assert night.ticket("T-4")["category"] == {"S": "billing"}
    assert (batch.tally.superseded, batch.tally.still_pending, batch.tally.classified) == (3, 3, 1)


def test_the_inputs_of_the_batch_are_read_and_guarded_not_those_of_todays_task(
    night: Night,
) -> None:
    """Here a ticket's `body` is edited, which the batch had not read, and `title`, which it had."""
    inputs = ("title",)
    for ticket_id in ("T-1", "T-2"):
        sent = item(ticket_id=ticket_id, title="Refund")
        night.put(sent)
        asked = TicketTable(night.shop.plain_client, "tickets").read([ticket_id], inputs)
        name = name_of(asked[ticket_id], len(night.provider.lines))
        night.provider.lines.append(raw(str(name), succeeded("billing")))
    night.put(item(ticket_id="T-1", title="Refund", body="Another body"))
    night.put(edited := item(ticket_id="T-2", title="Another title"))

    batch = night.collect(SINCE, inputs=inputs)

    assert night.ticket("T-1")["category"] == {"S": "billing"}
    assert night.ticket("T-2") == edited
    assert (batch.tally.classified, batch.tally.superseded) == (1, 1)


def test_answers_to_release_0_1_0_are_superseded_and_their_tickets_left(night: Night) -> None:
    sent = item(ticket_id="T-1")
    night.answer(sent, "billing")
    of_the_message = b"12345678"  # what it took a digest of is not what we do
    name = str(name_of(read(sent)))
    night.provider.lines = [
        night.provider.lines[0].replace(name[11:19].encode(), of_the_message, 1)
    ]

    batch = night.collect(task(), version="")

    assert night.ticket("T-1") == sent
    assert (batch.tally.superseded, batch.tally.still_pending) == (1, 1)
