"""Deciding what Claude left to a person: what is asked, what is written, what others do."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from nightshift.task.outputs import NotAllowed, Unsure
from nightshift.task.task import Task
from nightshift.tickets.table import TicketTable
from tests import doubts
from tests.doubts import change, item, items, put, sitting, sorting
from tests.moto.scene import client
from tests.tasks import changed, reviews
from tools.operate.review import shown
from tools.operate.review.doubt import Doubt
from tools.operate.review.sitting import Sitting

pytestmark = pytest.mark.usefixtures("account")


def show(ours: Sitting) -> Doubt:
    doubt = ours.current()
    assert doubt is not None
    return doubt


def choose(ours: Sitting, word: str) -> None:
    """What the page sends for the ticket that it shows now."""
    doubt = show(ours)
    ours.choose(doubt.seen, str(doubt.asked), word)


def id_of(ours: Sitting) -> str | None:
    doubt = ours.current()
    return doubt.ticket.ticket_id if doubt else None


def test_a_decision_is_the_answer_and_gold_and_ends_the_doubt() -> None:
    put("T-1")
    before = item("T-1")

    choose(ours := sitting(), "account")

    decided = {"category": "account", "expected_category": "account"}
    assert before.pop("classification_status") == "review"
    assert item("T-1") == before | decided
    assert (ours.current(), ours.done, ours.waits, ours.notes) == (None, 1, 0, [])


def test_only_labels_that_claude_did_not_write_are_asked() -> None:
    written = {"kind": "long", "size": 3, "topics": ["price"]}
    put("R-1", classified_as=written, **written)
    ours = sitting(reviews())
    doubt = show(ours)

    assert doubt.outputs == ("status",)
    assert shown.settled(reviews(), doubt) == [("Kind", "long"), ("Topics", "price"), ("Size", "3")]
    choose(ours, "bad")
    after = item("R-1")
    assert (after["status"], after["expected_status"]) == ("bad", "bad")
    assert not {"expected_kind", "classification_status"} & after.keys()
    assert after["classified_as"] == written


def test_a_label_that_claude_never_leaves_to_people_is_not_asked() -> None:
    """It is missing because an earlier version of the task did not have it."""
    put("T-1")
    values = {"type": "label", "values": ["low", "high"]}
    output = {"priority": values, **sorting().model_dump()["output"]}

    assert show(sitting(changed(output=output, max_tokens=99))).outputs == ("category",)


def test_several_doubts_are_written_together_and_not_before() -> None:
    put("R-1")
    ours = sitting(reviews())
    before = item("R-1")

    choose(ours, "bad")

    assert (item("R-1"), show(ours).asked, ours.done) == (before, "kind", 0)
    choose(ours, "short")
    after = item("R-1")
    assert (after["status"], after["kind"], ours.done) == ("bad", "short", 1)
    assert (after["expected_status"], after["expected_kind"]) == ("bad", "short")


def test_a_choice_among_several_is_undone_one_by_one() -> None:
    put("R-1")
    ours = sitting(reviews())

    choose(ours, "bad")
    ours.undo()

    assert (show(ours).asked, ours.can_undo) == ("status", False)


def test_a_task_that_leaves_nothing_to_people_any_more_asks_for_its_missing_labels() -> None:
    put("T-1")
    ours = sitting(changed())

    assert show(ours).outputs == ("category",)


def test_what_is_not_open_by_todays_task_is_counted_and_left_alone() -> None:
    put("T-1", classified_as="billing", category="billing")
    before = item("T-1")
    ours = sitting()

    assert (ours.current(), ours.undecidable, ours.waits) == (None, {"T-1"}, 0)
    assert item("T-1") == before


def test_an_earlier_answer_is_called_so() -> None:
    put("T-1", category="account")
    [question] = shown.questions(sorting(), show(sitting()))

    assert [choice.word for choice in question.choices if choice.is_earlier] == ["account"]
    assert [choice.key for choice in question.choices] == ["1", "2", "3", "4", "5"]


def test_letters_follow_the_digits_and_then_there_are_no_keys() -> None:
    many = [f"label {n}" for n in range(50)]
    output = {"category": {"type": "label", "values": many, "unsure": "unsure"}}
    put("T-1")
    task = changed(output=output)
    [question] = shown.questions(task, show(sitting(task)))

    keys = [choice.key for choice in question.choices]
    assert "".join(keys) == shown.KEYS == "123456789abcdefghijklmnopqrtvwxyz"
    assert keys[33:] == [""] * 17


@pytest.mark.parametrize(
    ("output", "word", "error"),
    [
        ("category", "colour", NotAllowed),
        ("category", "unsure", Unsure),
        ("subject", "billing", NotAllowed),
    ],
)
def test_what_the_task_does_not_allow_is_not_written(
    output: str, word: str, error: type[Exception]
) -> None:
    put("T-1")
    before = item("T-1")
    ours = sitting()
    doubt = show(ours)

    with pytest.raises(error):
        ours.choose(doubt.seen, output, word)

    assert (item("T-1"), ours.done) == (before, 0)


# Two people, and a helpdesk that goes on working.


def test_of_two_people_the_first_one_decides_and_the_second_is_told() -> None:
    put("T-1", "T-2")
    one, other = sitting(), sitting()
    show(one), show(other)

    choose(one, "billing")
    doubt = other._shown
    assert doubt is not None
    other.choose(doubt.seen, "category", "technical")

    assert item("T-1")["category"] == "billing"
    [said] = other.notes
    assert said.startswith("T-1 was decided or edited by somebody else meanwhile")
    assert (id_of(other), other.done) == ("T-2", 0)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "edited": ({"body": "Something else"}, "was edited and comes again later"),
    "asked again": ({"classification_status": "pending"}, "was decided or edited"),
    "another batch": ({"classification_batch_id": "msgbatch_2"}, "was edited and comes again"),
    "decided by hand": ({"classification_status": None, "category": "other"}, "was decided"),
    "an answer by hand": ({"category": "other"}, "was edited and comes again"),
    "gold by hand": ({"expected_category": "other"}, "was edited and comes again"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_whatever_was_changed_meanwhile_stays(case: str) -> None:
    values, said = CHANGES[case]
    put("T-1", "T-2")
    ours = sitting()
    doubt = show(ours)
    change("T-1", **values)
    before = item("T-1")

    ours.choose(doubt.seen, "category", "billing")

    assert item("T-1") == before
    assert said in ours.notes[0]
    assert "your choice was not written" in ours.notes[0]
    assert (id_of(ours), ours.done) == ("T-2", 0)
    assert ours.waits == 1 + ("comes again" in said)


def test_a_deleted_ticket_stays_deleted() -> None:
    put("T-1")
    ours = sitting()
    doubt = show(ours)
    client("dynamodb").delete_item(TableName=doubts.TABLE, Key={"ticket_id": {"S": "T-1"}})

    ours.choose(doubt.seen, "category", "billing")

    assert items() == {}
    assert ours.notes == ["T-1 was deleted meanwhile: your choice was not written."]


def test_what_others_have_decided_is_passed_over_and_said_once() -> None:
    put(*(f"T-{n}" for n in range(5)))
    ours = sitting()
    show(ours)
    for ticket_id in ("T-1", "T-2"):
        change(ticket_id, classification_status=None, category="other")

    choose(ours, "billing")

    assert id_of(ours) == "T-3"
    assert ours.notes == ["2 tickets were decided or edited meanwhile by others, and passed over."]
    assert ours.waits == 2


def test_what_was_chosen_of_a_ticket_before_an_edit_does_not_count() -> None:
    put("R-1")
    ours = sitting(reviews())
    choose(ours, "bad")
    change("R-1", body="Something else")

    doubt = show(ours)

    assert (doubt.asked, dict(doubt.chosen)) == ("status", {})
    assert show(ours).asked == "status"
    assert ours.notes == ["R-1 was edited meanwhile: this is how it is now."]


def test_an_older_page_of_the_same_person_writes_nothing() -> None:
    put("T-1", "T-2")
    ours = sitting()
    old = show(ours)
    choose(ours, "billing")
    show(ours)
    before = items()

    ours.choose(old.seen, "category", "technical")  # struck twice: nothing to tell
    ours.skip(old.seen)
    assert (items(), ours.notes, ours.skipped) == (before, [], [])
    ours.choose("another", "category", "technical")
    assert ours.notes == ["That page was older than this one: nothing was written."]
    assert items() == before


@pytest.mark.parametrize("word", ["billing", "technical"])
def test_a_choice_that_arrives_twice_decides_one_ticket_once(word: str) -> None:
    """A browser may send a form again before the next ticket was shown."""
    put("T-1", "T-2", "T-3")
    ours = sitting()
    doubt = show(ours)

    ours.choose(doubt.seen, "category", "billing")
    before = items()
    ours.choose(doubt.seen, "category", word)
    ours.skip(doubt.seen)

    assert (items(), ours.done, ours.waits, ours.skipped, ours.notes) == (before, 1, 2, [], [])
    assert id_of(ours) == "T-2"


def test_a_skip_that_arrives_twice_skips_one_ticket() -> None:
    put("T-1", "T-2")
    ours = sitting()
    doubt = show(ours)

    ours.skip(doubt.seen)
    ours.skip(doubt.seen)

    assert (ours.skipped, ours.waits, id_of(ours)) == (["T-1"], 2, "T-2")


def test_people_begin_at_different_tickets() -> None:
    put(*(f"T-{n}" for n in range(4)))
    ours = Sitting(doubts.tickets(), sorting(), start=lambda waiting: waiting - 1)

    shown_first = id_of(ours)
    choose(ours, "billing")

    assert (shown_first, id_of(ours), ours.waits) == ("T-3", "T-0", 3)


# Skip and undo.


def test_a_skipped_ticket_comes_again_after_the_others() -> None:
    put("T-1", "T-2")
    ours = sitting()
    doubt = show(ours)

    ours.skip(doubt.seen)
    choose(ours, "billing")

    assert (ours.current(), ours.skipped, ours.waits) == (None, ["T-1"], 1)
    ours.take_skipped()
    assert id_of(ours) == "T-1"


def test_a_skip_is_undone() -> None:
    put("T-1", "T-2")
    ours = sitting()
    ours.skip(show(ours).seen)

    ours.undo()

    assert (id_of(ours), ours.skipped, ours.can_undo) == ("T-1", [], False)


@pytest.mark.parametrize("earlier", [{}, {"category": "account", "expected_category": "other"}])
def test_a_decision_is_undone_as_if_it_had_never_been(earlier: dict[str, str]) -> None:
    put("T-1", **earlier)
    put("T-2")
    before = items()
    ours = sitting()
    choose(ours, "billing")
    assert items() != before

    ours.undo()

    assert items() == before
    assert (id_of(ours), ours.done, ours.waits) == ("T-1", 0, 2)


@pytest.mark.parametrize(
    "edit",
    [
        {"category": "other"},
        {"body": "Something else"},
        {"classification_status": "pending"},
        {"classification_batch_id": "msgbatch_2"},
    ],
)
def test_a_decision_that_somebody_has_built_upon_is_not_undone(edit: dict[str, str]) -> None:
    put("T-1", "T-2")
    ours = sitting()
    choose(ours, "billing")
    change("T-1", **edit)
    before = items()

    ours.undo()

    assert items() == before
    assert ours.notes == ["T-1 has changed since: it stays as it is."]
    assert (id_of(ours), ours.done, ours.can_undo) == ("T-2", 1, False)


def test_there_may_be_nothing_to_undo() -> None:
    put("T-1")
    ours = sitting()
    show(ours)

    ours.undo()

    assert (id_of(ours), ours.can_undo, ours.last) == ("T-1", False, "")


def test_new_tickets_are_found_when_the_others_are_done() -> None:
    put("T-1")
    ours = sitting()
    choose(ours, "billing")
    put("T-2")

    assert id_of(ours) == "T-2"
    assert (ours.last, ours.notes) == ("T-1: billing", [])


# A table that does not take the write.


def refusing(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def refuse(self: TicketTable, change: Any, refused: Any) -> None:
        refused.take(change, code)

    monkeypatch.setattr(TicketTable, "_write_alone", refuse)


def test_a_throttled_choice_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    put("T-1")
    ours = sitting()
    refusing(monkeypatch, "ThrottlingError")

    choose(ours, "billing")

    assert (id_of(ours), ours.done) == ("T-1", 0)
    assert ours.notes == ["The table takes no writes just now: try again in a moment."]


def test_a_throttled_undo_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    put("T-1")
    ours = sitting()
    choose(ours, "billing")
    with monkeypatch.context() as patch:
        refusing(patch, "ThrottlingError")
        ours.undo()
    assert (ours.done, ours.can_undo) == (1, True)

    ours.undo()

    assert (ours.done, item("T-1")["classification_status"]) == (0, "review")


def test_a_ticket_without_room_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    put("T-1", "T-2")
    ours = sitting()
    refusing(monkeypatch, "Validation")

    choose(ours, "billing")

    assert (id_of(ours), ours.done, ours.undecidable) == ("T-2", 0, {"T-1"})
    assert ours.notes == ["T-1 has no room for an answer: passed over."]


def test_an_error_of_aws_leaves_the_ticket_to_be_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    put("T-1")
    ours = sitting()
    expired = ClientError({"Error": {"Code": "ExpiredTokenException"}}, "UpdateItem")

    def fail(self: TicketTable, change: Any) -> Any:
        raise expired

    with monkeypatch.context() as patch:
        patch.setattr(TicketTable, "write_one", fail)
        with pytest.raises(ClientError):
            choose(ours, "billing")
    choose(ours, "billing")

    assert (item("T-1")["category"], ours.done) == ("billing", 1)


def test_a_write_whose_answer_was_lost_counts_as_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK then makes the call again, and that one finds the ticket changed."""
    put("T-1")
    before = item("T-1")
    ours = sitting()
    once = TicketTable.write_one

    def twice(self: TicketTable, change: Any) -> Any:
        once(self, change)
        return once(self, change)

    monkeypatch.setattr(TicketTable, "write_one", twice)

    choose(ours, "billing")
    assert (ours.done, ours.notes, item("T-1")["category"]) == (1, [], "billing")
    ours.undo()
    assert (ours.done, ours.notes, item("T-1")) == (0, [], before)


# What is shown.


def test_a_text_is_shown_as_claude_read_it_with_what_was_cut_off() -> None:
    put("T-1", subject="<b>Hi</b> &amp; bye", body="<p>" + "word " * 150 + "</p>")
    task: Task = sorting()
    subject, body = shown.texts(task, show(sitting()).ticket)

    assert (subject.read, subject.rest) == ("Hi & bye", "")
    assert (body.read, body.rest) == ("word " * 100, ("word " * 50).strip())
    assert body.more == 0


def test_what_is_redacted_is_so_beyond_the_cut_too() -> None:
    put("T-1", body="a@example.com " * 80)
    task = changed(redact=["email"], output=sorting().model_dump()["output"])
    _, body = shown.texts(task, show(sitting(task)).ticket)

    assert body.read + body.rest == " ".join(["[email]"] * 80)


def test_of_an_endless_text_the_beginning_is_shown() -> None:
    put("T-1", body="word " * 30_000)
    _, body = shown.texts(sorting(), show(sitting()).ticket)

    assert len(body.rest) == 10_000
    assert len(body.read) + len(body.rest) + body.more == 149_999


def test_inputs_of_every_type_are_shown_and_guarded() -> None:
    put("T-1", body={"a": [1, None, {"b": True}]}, subject={"x", "y"})
    ours = sitting()
    subject, body = shown.texts(sorting(), show(ours).ticket)

    assert (subject.read, body.read) == ('["x","y"]', '{"a":[1,null,{"b":true}]}')
    choose(ours, "billing")
    assert (item("T-1")["category"], ours.done) == ("billing", 1)
