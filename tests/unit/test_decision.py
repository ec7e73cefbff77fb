"""What a result means for its ticket: every answer, every error, and a person always wins."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nightshift.claude import results
from nightshift.claude.results import Result
from nightshift.task.answer import Answer
from nightshift.tickets.ticket import Change, Ticket
from nightshift.writing.decision import Decision, Rules, decide
from tests.tasks import CATEGORIES, changed, reviewed, reviews, task
from tests.unit.examples import Item, errored, item, name_of, raw, read, succeeded, ticket

VERSION = "sorting@0123abcd"
RULES = Rules(task(), "msgbatch_1", VERSION, max_attempts=3, now="2026-11-22T04:00:00+00:00")
MAY_WRITE = {
    "category",
    "classification_attempts",
    "classification_batch_id",
    "classification_error",
    "classification_status",
    "classified_as",
    "classified_at",
    "classified_by",
    "classified_from",
    "classified_with",
}
RETRYABLE = ["rate_limit_error", "timeout_error", "api_error", "overloaded_error", "of_tomorrow"]
OF_THE_ACCOUNT = ["authentication_error", "billing_error", "permission_error", "not_found_error"]
THROWN_AWAY = {
    "another answer": succeeded("I cannot tell."),
    "two categories": succeeded("billing, technical"),
    "no answer": succeeded(content=[]),
    "max_tokens": succeeded("billing", stop_reason="max_tokens"),
    "refusal": succeeded(content=[], stop_reason="refusal"),
    "a refusal that names a category": succeeded("billing", stop_reason="refusal"),
    "a full context": succeeded("billing", stop_reason="model_context_window_exceeded"),
    "a pause": succeeded("billing", stop_reason="pause_turn"),
}


def line_for(asked: Ticket, result: dict[str, Any]) -> Result:
    line = results.read(raw(str(name_of(asked)), result))
    assert line is not None
    return line


def decided(result: dict[str, Any], rules: Rules = RULES, **attributes: Any) -> Decision:
    """The decision on a ticket that is still as it was sent."""
    now = ticket(**attributes)
    return decide(line_for(now, result), now, rules)


def written(decision: Decision) -> dict[str, Any]:
    assert decision.change is not None
    return {name: next(iter(value.values())) for name, value in decision.change.values.items()}


def after(change: Change | None, stored: Item) -> Item:
    """The item as the table holds it after the change."""
    if change is None:
        return stored
    kept = {name: value for name, value in stored.items() if name not in change.remove}
    return {**kept, **change.values}


@pytest.mark.parametrize("answer", ["billing", " Billing.\n", "BILLING"])
def test_a_category_is_written_and_the_ticket_leaves_the_index(answer: str) -> None:
    decision = decided(succeeded(answer))

    assert (decision.outcome, decision.still_pending, decision.answer) == (
        "classified",
        False,
        Answer({"category": "billing"}),
    )
    assert written(decision) == {
        "category": "billing",
        "classified_at": "2026-11-22T04:00:00+00:00",
        "classified_by": "claude-haiku-4-5-20251001",
        "classified_with": VERSION,
        "classified_from": ticket().digest,
        "classified_as": "billing",
        "classification_batch_id": "msgbatch_1",
    }
    assert decision.change is not None
    assert set(decision.change.remove) == {
        "classification_status",
        "classification_attempts",
        "classification_error",
    }


@pytest.mark.parametrize("result", THROWN_AWAY.values(), ids=THROWN_AWAY)
def test_an_unusable_answer_is_an_attempt(result: dict[str, Any]) -> None:
    decision = decided(result, classification_attempts=1)

    assert (decision.outcome, decision.still_pending) == ("requeued", True)
    assert written(decision) == {
        "classification_attempts": "2",
        "classification_batch_id": "msgbatch_1",
    }


@pytest.mark.parametrize("result", THROWN_AWAY.values(), ids=THROWN_AWAY)
def test_the_last_unusable_answer_gives_the_ticket_up(result: dict[str, Any]) -> None:
    decision = decided(result, classification_attempts=2)

    assert (decision.outcome, decision.still_pending) == ("failed", False)
    values = written(decision)
    assert values.pop("classification_error")
    assert values == {
        "classification_status": "failed",
        "classification_attempts": "3",
        "classification_batch_id": "msgbatch_1",
    }


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (THROWN_AWAY["refusal"], "refusal"),
        (THROWN_AWAY["max_tokens"], "max_tokens"),
        (THROWN_AWAY["another answer"], "unreadable_answer"),
        (errored("invalid_request_error"), "invalid_request"),
    ],
)
def test_an_error_is_a_short_name_a_colon_and_a_sentence(result: dict[str, Any], name: str) -> None:
    error = written(decided(result, classification_attempts=2))["classification_error"]

    short, _, sentence = error.partition(": ")
    assert short == name
    assert len(sentence) > 20


REVIEWS = replace(RULES, task=reviews())


def review(**other: Any) -> dict[str, Any]:
    """A result with an answer to a task of several outputs."""
    return succeeded(json.dumps(reviewed(**other)))


def test_every_output_is_written_as_its_type_and_once_more_together() -> None:
    decision = decided(review(), REVIEWS)

    assert decision.change is not None
    values = decision.change.values
    outputs = {name: values[name] for name in reviewed()}
    assert outputs == {
        "status": {"S": "good"},
        "kind": {"S": "long"},
        "topics": {"L": [{"S": "price"}, {"S": "taste"}]},
        "size": {"N": "-3"},
        "spam": {"BOOL": False},
        "summary": {"S": 'A "fine" thing.'},
        "points": {"L": [{"S": "cheap"}, {"S": "sweet"}]},
    }
    assert values["classified_as"] == {"M": outputs}
    assert values["classified_from"] == {"S": ticket().digest}
    assert values["classified_with"] == {"S": VERSION}
    assert (decision.outcome, decision.answer) == ("classified", Answer(reviewed()))


def test_spelling_is_forgiven_and_what_the_task_says_is_written() -> None:
    said = review(status=" GOOD ", topics=["Taste", "taste"], size=3.0, summary=" fine\n")

    values = written(decided(said, REVIEWS))

    assert (values["status"], values["topics"]) == ("good", [{"S": "taste"}])
    assert (values["size"], values["summary"]) == ("3", "fine")


@pytest.mark.parametrize(
    ("answer", "unsure"),
    [
        (reviewed(status="unsure"), {"status"}),
        (reviewed(status="Unsure "), {"status"}),
        (reviewed(kind="cannot say"), {"kind"}),
        (reviewed(status="unsure", kind="cannot say"), {"status", "kind"}),
    ],
)
def test_what_a_person_must_decide_is_not_written_and_all_else_is(
    answer: dict[str, Any], unsure: set[str]
) -> None:
    decision = decided(succeeded(json.dumps(answer)), REVIEWS, classification_attempts=2)

    assert (decision.outcome, decision.still_pending) == ("unsure", False)
    assert decision.answer and set(decision.answer.unsure) == unsure
    assert decision.change is not None
    values = decision.change.values
    assert set(reviewed()) - set(values) == unsure
    assert values["classification_status"] == {"S": "review"}
    assert values["classified_as"]["M"].keys() == set(reviewed()) - unsure
    assert values["classified_with"] == {"S": VERSION}
    assert "classified_from" not in values
    assert set(decision.change.remove) == {
        "classified_from",
        "classification_attempts",
        "classification_error",
    }


def test_a_lone_label_that_is_left_to_a_person_leaves_no_answer_of_before() -> None:
    output = {"category": {"type": "label", "values": ["billing"], "unsure": "unsure"}}
    rules = replace(RULES, task=changed(output=output))

    decision = decided(succeeded("Unsure."), rules, classified_as="other", classified_from="before")

    assert decision.outcome == "unsure"
    assert written(decision) == {
        "classification_status": "review",
        "classified_at": "2026-11-22T04:00:00+00:00",
        "classified_by": "claude-haiku-4-5-20251001",
        "classified_with": VERSION,
        "classification_batch_id": "msgbatch_1",
    }
    assert decision.change is not None
    assert {"classified_from", "classified_as"} <= set(decision.change.remove)


NO_ANSWERS = {
    "prose": "It is good.",
    "a bare word": "good",
    "JSON that is cut off": json.dumps(reviewed())[:-9],
    "JSON and more": json.dumps(reviewed()) + " I hope this helps.",
    "a list": json.dumps([reviewed()]),
    "null": "null",
    "nothing": "",
    "one output less": json.dumps({n: v for n, v in reviewed().items() if n != "spam"}),
    "one output more": json.dumps(reviewed(reason="?")),
    "another label": json.dumps(reviewed(status="great")),
    "a label of another output": json.dumps(reviewed(kind="good")),
    "a label that is no text": json.dumps(reviewed(status=1)),
    "an output that is null": json.dumps(reviewed(status=None)),
    "unsure where nobody allows that": json.dumps(reviewed(topics=["unsure"])),
    "unsure, beside what is not allowed": json.dumps(reviewed(status="unsure", size=6)),
    "too many labels": json.dumps(reviewed(topics=["price", "taste", "look"])),
    "labels that are no list": json.dumps(reviewed(topics="price")),
    "too large a number": json.dumps(reviewed(size=6)),
    "too small a number": json.dumps(reviewed(size=-6)),
    "a fraction": json.dumps(reviewed(size=1.5)),
    "a number in quotes": json.dumps(reviewed(size="1")),
    "a number that is true": json.dumps(reviewed(size=True)),
    "yes": json.dumps(reviewed(spam="yes")),
    "too long a text": json.dumps(reviewed(summary="x" * 41)),
    "an empty text": json.dumps(reviewed(summary=" ")),
    "too few texts": json.dumps(reviewed(points=[])),
    "too many texts": json.dumps(reviewed(points=list("abcd"))),
    "too long a text in a list": json.dumps(reviewed(points=["x" * 21])),
    "a list within a list": json.dumps(reviewed(points=[["a"]])),
    "half a character": json.dumps(reviewed(summary="\ud800")),
}


@pytest.mark.parametrize("text", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_an_answer_that_the_task_does_not_allow_is_an_attempt_and_never_written(text: str) -> None:
    decision = decided(succeeded(text), REVIEWS)
    last = decided(succeeded(text), REVIEWS, classification_attempts=2)

    assert (decision.outcome, decision.still_pending, decision.answer) == ("requeued", True, None)
    assert written(decision).keys() == {"classification_attempts", "classification_batch_id"}
    assert (last.outcome, last.reason) == ("failed", "unreadable_answer")
    assert written(last).keys() == {
        "classification_status",
        "classification_attempts",
        "classification_batch_id",
        "classification_error",
    }


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal"])
def test_an_answer_that_did_not_end_is_never_written_even_if_it_fits(stop_reason: str) -> None:
    cut = succeeded(json.dumps(reviewed()), stop_reason=stop_reason)

    decision = decided(cut, REVIEWS)

    assert (decision.outcome, decision.answer) == ("requeued", None)
    assert "status" not in written(decision)


@pytest.mark.parametrize("text", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_an_answer_of_another_version_that_does_not_fit_today_is_requeued(text: str) -> None:
    outdated = replace(REVIEWS, outdated=True)

    decision = decided(succeeded(text), outdated, classification_attempts=2)

    assert decision == Decision("requeued", still_pending=True)


def test_the_version_that_was_asked_is_written_not_todays() -> None:
    rules = replace(REVIEWS, version="reviews@00000000", outdated=True)

    assert written(decided(review(), rules))["classified_with"] == "reviews@00000000"
    assert "classified_with" not in written(decided(review(), replace(rules, version="")))


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        ({"classification_status": None}, "classified"),
        ({"classification_status": "review"}, "unsure"),
    ],
)
def test_read_again_an_answer_has_the_outcome_that_was_written(
    now: dict[str, Any], outcome: str
) -> None:
    said = reviewed(status="unsure") if outcome == "unsure" else reviewed()
    shown = ticket(classification_batch_id="msgbatch_1", **now)

    again = decide(line_for(ticket(), succeeded(json.dumps(said))), shown, REVIEWS)

    assert (again.outcome, again.change, again.still_pending) == (outcome, None, False)
    assert again.answer and again.answer.values["size"] == -3


OUTDATED = replace(RULES, outdated=True)


def test_an_answer_to_another_version_that_today_allows_is_written() -> None:
    decision = decided(succeeded("billing"), OUTDATED)

    assert decision.outcome == "classified"
    assert written(decision)["category"] == "billing"


@pytest.mark.parametrize("answer", ["complaint", "", "billing, technical"])
def test_an_answer_to_another_version_that_today_does_not_allow_is_no_attempt(answer: str) -> None:
    last = decided(succeeded(answer), OUTDATED, classification_attempts=2)

    assert last == Decision("requeued", still_pending=True)


@pytest.mark.parametrize("name", ["max_tokens", "refusal", "a refusal that names a category"])
def test_no_answer_to_another_version_is_an_attempt_all_the_same(name: str) -> None:
    decision = decided(THROWN_AWAY[name], OUTDATED)

    assert (decision.outcome, written(decision)["classification_attempts"]) == ("requeued", "1")


def test_another_tasks_texts_make_no_edit() -> None:
    shorter = changed(input={"subject": 500, "body": 1}, message="{subject}{body}")

    decision = decided(succeeded("billing"), replace(OUTDATED, task=shorter))

    assert decision.outcome == "classified"


def test_an_answer_that_is_thrown_away_is_kept_nowhere() -> None:
    decision = decided(succeeded("SECRET words"), classification_attempts=2)

    assert "SECRET" not in str(written(decision))


def test_with_one_attempt_the_first_unusable_answer_is_the_last() -> None:
    decision = decided(succeeded("?"), replace(RULES, max_attempts=1))

    assert decision.outcome == "failed"


def test_a_ticket_that_asks_again_after_it_failed_starts_from_zero() -> None:
    again = {"classification_attempts": 3, "classification_error": "refusal: Claude declined."}

    decision = decided(succeeded("?"), **again)

    assert decision.outcome == "requeued"
    assert written(decision)["classification_attempts"] == "1"
    assert decision.change is not None
    assert decision.change.remove == ("classification_error",)


def test_an_invalid_request_fails_at_once_with_the_message() -> None:
    decision = decided(errored("invalid_request_error", "messages: Field required"))

    assert decision.outcome == "failed"
    assert "messages: Field required" in written(decision)["classification_error"]


def test_a_long_message_is_cut() -> None:
    decision = decided(errored("invalid_request_error", "x" * 100_000))

    assert len(written(decision)["classification_error"]) < 500


def test_where_every_request_is_invalid_none_of_the_tickets_is_to_blame() -> None:
    decision = decided(errored("invalid_request_error"), replace(RULES, all_invalid=True))

    assert decision == Decision("requeued", still_pending=True)


@pytest.mark.parametrize("error", [*RETRYABLE, *OF_THE_ACCOUNT])
def test_an_error_that_is_not_the_tickets_is_no_attempt(error: str) -> None:
    decision = decided(errored(error), classification_attempts=2)

    assert decision == Decision("requeued", still_pending=True)


@pytest.mark.parametrize("kind", ["expired", "canceled"])
def test_what_was_not_processed_is_no_attempt(kind: str) -> None:
    assert decided({"type": kind}, classification_attempts=2) == Decision(
        "requeued", still_pending=True
    )


RESULTS: dict[str, dict[str, Any]] = {
    "category": succeeded(),
    **THROWN_AWAY,
    "invalid": errored("invalid_request_error"),
    "overloaded": errored("overloaded_error"),
    "billing": errored("billing_error"),
    "expired": {"type": "expired"},
    "canceled": {"type": "canceled"},
}


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
class TestAPersonWins:
    """Whatever the answer: the ticket as it stands now decides, and the answer is superseded."""

    sent = ticket()

    def test_where_the_ticket_is_gone(self, result: dict[str, Any]) -> None:
        assert decide(line_for(self.sent, result), None, RULES) == Decision("superseded")

    @pytest.mark.parametrize("status", [None, "failed", "in review"])
    def test_where_it_no_longer_asks(self, result: dict[str, Any], status: str | None) -> None:
        by_hand = ticket(classification_status=status, category="account")

        decision = decide(line_for(self.sent, result), by_hand, RULES)

        assert decision == Decision("superseded")

    @pytest.mark.parametrize(
        "edit",
        [
            {"subject": "Other"},
            {"body": "Other"},
            {"body": None},
            {"subject": ""},
            {"subject": {"NULL": True}},
            {"subject": {"SS": ["Refund"]}},
        ],
    )
    def test_where_its_text_is_another(self, result: dict[str, Any], edit: dict[str, Any]) -> None:
        decision = decide(line_for(self.sent, result), ticket(**edit), RULES)

        assert decision == Decision("superseded", still_pending=True)

    def test_where_only_its_type_is_another(self, result: dict[str, Any]) -> None:
        text, number = ticket(subject="1"), ticket(subject=1)

        decision = decide(line_for(text, result), number, RULES)

        assert [each for each, _ in text.shown] == [each for each, _ in number.shown]
        assert decision == Decision("superseded", still_pending=True)

    def test_where_its_text_is_gone(self, result: dict[str, Any]) -> None:
        emptied = ticket(subject=None, body="<p></p>")

        assert decide(line_for(self.sent, result), emptied, RULES).outcome == "superseded"


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_an_attribute_that_decides_nothing_changes_no_decision(result: dict[str, Any]) -> None:
    touched = read(item(updated_at="2026-11-22T03:00:00Z", created_at="x", priority="high"))
    sent = ticket()

    seen, unseen = (decide(line_for(sent, result), each, RULES) for each in (touched, sent))

    assert (seen.outcome, seen.still_pending) == (unseen.outcome, unseen.still_pending)
    assert after(seen.change, {}) == after(unseen.change, {})


def test_a_ticket_that_asks_again_is_judged_by_the_new_batch() -> None:
    decision = decided(succeeded("account"), category="billing", classification_batch_id="before")

    assert written(decision)["category"] == "account"


def test_a_ticket_that_asks_again_after_our_write_is_not_written_twice() -> None:
    edited = ticket(classification_batch_id="msgbatch_1", category="billing", body="And more")

    shown = decide(line_for(ticket(), succeeded()), edited, RULES)

    assert shown == Decision("classified", answer=Answer({"category": "billing"}))


TEXTS = st.sampled_from(
    [None, "", "Refund", "<p>Refund</p>", "5", 5, {"NULL": True}, {"SS": ["5"]}, {"L": []}]
)
ITEMS = st.builds(
    item,
    subject=TEXTS,
    body=TEXTS,
    classification_status=st.sampled_from([None, "pending", "pending", "pending", "failed"]),
    category=st.sampled_from([None, "account"]),
    classification_batch_id=st.sampled_from([None, "msgbatch_0", "msgbatch_1"]),
    classification_attempts=st.sampled_from([None, 0, 1, 2, 3]),
    classification_error=st.sampled_from([None, "refusal: Claude declined."]),
)
# A ticket as it was sent and as it stands now: often the same.
SENT_AND_STORED = ITEMS.flatmap(lambda sent: st.tuples(st.just(sent), st.just(sent) | ITEMS))
RESULT = st.sampled_from(list(RESULTS.values()))
RULE = st.builds(
    replace,
    st.just(RULES),
    max_attempts=st.integers(1, 4),
    all_invalid=st.booleans(),
    outdated=st.booleans(),
)


@settings(max_examples=300)
@given(items=SENT_AND_STORED, result=RESULT, rules=RULE)
def test_asked_again_after_its_own_write_it_says_the_same(
    items: tuple[Item, Item], result: dict[str, Any], rules: Rules
) -> None:
    sent, stored = items
    line = line_for(read(sent), result)
    first = decide(line, read(stored), rules)

    second = decide(line, read(after(first.change, stored)), rules)

    assert (second.outcome, second.still_pending) == (first.outcome, first.still_pending)
    assert first.change is None or second.change is None


@settings(max_examples=300)
@given(items=SENT_AND_STORED, result=RESULT, rules=RULE)
def test_a_write_touches_our_attributes_of_an_unchanged_pending_ticket_alone(
    items: tuple[Item, Item], result: dict[str, Any], rules: Rules
) -> None:
    was, now = map(read, items)
    change = decide(line_for(was, result), now, rules).change
    if change is None:
        return

    assert change.ticket is now
    assert now.status == "pending"
    assert now.batch_id != rules.batch_id
    assert now.inputs == was.inputs
    assert {*change.values, *change.remove} <= MAY_WRITE
    assert not change.values.keys() & set(change.remove)
    assert change.values["classification_batch_id"] == {"S": rules.batch_id}
    assert change.values.get("category", {"S": "other"})["S"] in CATEGORIES


@given(stored=ITEMS, result=RESULT, rules=RULE)
def test_a_request_whose_ticket_stays_pending_is_left(
    stored: Item, result: dict[str, Any], rules: Rules
) -> None:
    assume(stored.get("classification_batch_id") != {"S": rules.batch_id})
    decision = decide(line_for(read(stored), result), read(stored), rules)

    now = after(decision.change, stored)

    assert decision.still_pending == (now.get("classification_status") == {"S": "pending"})
