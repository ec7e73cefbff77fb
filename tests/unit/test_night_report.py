"""The page of a night: the right verdict, all that an operator asks, and nothing that harms."""

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest

from nightshift import errors
from nightshift.claude.money import Usage
from nightshift.quality.gold import compare, total
from nightshift.runs.records import (
    KEY_REFUSED,
    REJECTED,
    TRY_LATER,
    Batch,
    Run,
    State,
    Tally,
    Trouble,
)
from nightshift.task.answer import Answer
from nightshift.task.outputs import Label
from tests.tasks import reviews
from tools.operate.failed_tickets.table import FailedTicket
from tools.operate.night_report.page import page
from tools.operate.night_report.quality import drawn
from tools.operate.night_report.record import MOST_TICKETS_READ, Failure, Record
from tools.operate.stack import Stack
from tools.version import VERSION

HOSTILE = "<script>alert('x')</script>\x1b[2J\u202e"
TWO = datetime(2026, 11, 22, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WORKFLOW = "arn:aws:states:eu-west-1:123456789012:stateMachine:Night-x"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:Night-x:one"
OUTPUTS = {"TicketTableName": "tickets", "RunTableName": "runs", "WorkflowArn": WORKFLOW}
STACK = Stack("helpdesk", OUTPUTS, {"MaxCostUsd": "25"}, None, None)
BUDGET = "The budget of this run ($0.05) leaves no room. Start with a larger max_cost_usd."
MONTH = "The budget of 2026-11 ($9.00) leaves no room. Raise MaxMonthlyCostUsd, or wait."


def batch(number: int = 1, state: State = "closed", **changes: Any) -> Batch:
    """A batch of 100, sent at two o'clock, ended after 20 minutes, collected a minute later."""
    sent = changes.get("intent_at", TWO + number * timedelta(seconds=5))
    plain = Batch(
        run_id="2026-11-22", record=f"batch#{number:04}", token="t", state=state, round=1,
        execution=EXECUTION, model="claude-haiku-4-5", first="A", last="B", requests=100,
        bound=Decimal("0.06"), intent_at=sent, confirmed=True,
    )  # fmt: skip
    if state == "closed":
        plain = replace(
            plain, batch_id=f"msgbatch_{number}", created_at=sent, ended_at=sent + 20 * MINUTE,
            closed_at=sent + 21 * MINUTE, cost=Decimal("0.0148"),
            tally=Tally(classified=100, succeeded=100, usage=Usage(27_000, 500)),
        )  # fmt: skip
    return replace(plain, **changes)


def reported(status: str = "complete", pending: int = 0, **more: Any) -> dict[str, Any]:
    """What a run's item keeps, as far as the page reads that."""
    at = (TWO + 300 * MINUTE).isoformat()
    return {"status": status, "pending": pending, "reported_at": at, **more}


def record(*batches: Batch, **changes: Any) -> Record:
    """A run that ended well, unless `changes` say otherwise."""
    plain = Record(
        STACK, Run("2026-11-22", batches), reported(), (), (), Counter(), 7, running=False
    )  # fmt: skip
    return replace(plain, **changes)


def given_up(ticket_id: str, error: str = "refusal: Claude declined to answer.") -> FailedTicket:
    return FailedTicket(ticket_id, error, "msgbatch_1", 3, {})


def failed(error: str, cause: str) -> dict[str, Any]:
    return {"kept": None, "failures": (Failure(error, cause, EXECUTION, TWO + 30 * MINUTE),)}


class Read:
    """A page as its reader meets it: visible text, and every attribute; it must be well formed."""

    def __init__(self, html: str) -> None:
        whole = ElementTree.fromstring(html)  # noqa: S314 (our own page)
        self.tags = {element.tag for element in whole.iter()}
        self.attributes = [pair for element in whole.iter() for pair in element.attrib.items()]
        self.links = [value for name, value in self.attributes if name == "href"]
        self.text = " ".join(" ".join(whole[1].itertext()).split())


def reading(*batches: Batch, **changes: Any) -> Read:
    return Read(page(record(*batches, **changes)))


def headline(read: Read) -> str:
    """From the verdict to the key numbers."""
    return read.text.partition("November 2026")[2].partition("Sorted")[0]


START = "aws stepfunctions start-execution --region eu-west-1"
BAD_KEY = failed("ClaudeRejected", "Claude does not accept the API key. Store")
# What was spent, and a tenth more than the bound of all that is pending.
ENOUGH = '{"run_id": "2026-11-22", "max_cost_usd": 0.674'


def partial(reason: str, pending: int = 40, **more: Any) -> dict[str, Any]:
    return {"kept": reported("partial", pending, reason=reason, **more)}


@pytest.mark.parametrize(
    ("changes", "said", "todo"),
    [
        ({}, "All well All is done: 100 tickets sorted.", "Nothing."),
        ({"failed": (given_up("T-1"),)}, "All well", "Nothing for the night."),
        ({"kept": reported(notices=["It retires."])}, "Done, but look at this", "It retires."),
        (partial("rounds"), "Not all is done (the next night tries again): 100", START),
        (partial("budget", 1000, notices=[BUDGET]), "(a budget is reached): 100", ENOUGH),
        (partial("budget", notices=[MONTH]), "a budget is reached", "Raise MaxMonthlyCostUsd"),
        ({"kept": reported("canceled")}, "Canceled: 100 tickets sorted before", "Nothing, if"),
        ({"kept": None}, "stopped before it could report", START),
        ({"kept": None, "running": True}, "at work: 100 tickets sorted", "make this page again"),
        (BAD_KEY, "Rejected Claude refuses", "put-secret-value"),
        (failed("States.Timeout", "This"), "States.Timeout This", errors.Unexpected.advice),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_end_says_what_happened_and_what_to_do(
    changes: dict[str, Any], said: str, todo: str
) -> None:
    story, _, steps = headline(reading(batch(), **changes)).partition("What to do")

    assert said in story
    assert todo in steps
    assert MONTH not in steps or "next night" not in steps


@pytest.mark.parametrize("error", errors.NightshiftError.__subclasses__(), ids=lambda e: e.__name__)
def test_a_red_night_is_told_in_the_words_of_its_error(error: type[errors.NightshiftError]) -> None:
    text = headline(reading(batch(1, "open"), **failed(error.__name__, "The very cause.")))

    assert f"{error.label} {error.happened} {error.__name__} The very cause." in text
    assert error.advice in text
    assert "Start again; what is open is finished first: aws stepfunctions" in text


def test_a_disputed_batch_and_one_set_aside_are_named() -> None:
    words = "msgbatch_1 has 100 requests; its results answer 98."
    mismatch = Trouble("LedgerMismatch", words, EXECUTION)
    gone = {
        "aside_by": EXECUTION,
        "trouble": Trouble("BatchNotFound", "gone", EXECUTION),
        "batch_id": "msgbatch_2",
    }

    disputed = headline(reading(batch(disputed=True, trouble=mismatch)))
    aside = headline(reading(batch(2, "open", **gone)))

    assert f"{errors.LedgerMismatch.happened} LedgerMismatch msgbatch_1 has 100" in disputed
    assert "BatchNotFound gone" in aside
    assert "Set aside: msgbatch_2; 100 tickets wait for that." in aside
    assert errors.BatchNotFound.advice in aside


def test_what_was_unusual_is_told_although_it_ended_well() -> None:
    refused = [
        batch(n, "not_created", why_not_created=TRY_LATER, intent_at=TWO + n * 20 * MINUTE)
        for n in (1, 2)
    ]
    late = batch(3, intent_at=TWO + 180 * MINUTE, closed_at=TWO + 290 * MINUTE)
    tally = Tally(classified=60, requeued=40, succeeded=60, expired=40)
    history = failed("ClaudeRejected", "the API key")["failures"]

    read = reading(*refused, late, batch(4, tally=tally), failures=history)

    assert "All well in the end" in headline(read)
    assert "Claude took no batch from 02:20 to 02:40 (2 tries)" in headline(read)
    assert "Results lay ready for up to 1 h 30 min" in headline(read)
    assert "Claude did not answer 40 requests within its 24 hours." in headline(read)
    assert "1 earlier start of this run failed; a later one finished it." in headline(read)
    assert "Batch 1 to 2 100 refused 2 times" in read.text
    assert "Batch 4 100 40 expired" in read.text


def test_many_given_up_are_no_good_night() -> None:
    some = headline(reading(batch(tally=Tally(94, failed=6, succeeded=100))))
    alone = headline(reading(batch(requests=2, tally=Tally(failed=2, succeeded=2))))

    assert "Done, with failures All is done: 94 tickets sorted, 6 given up." in some
    assert "All well" not in alone


def test_given_up_are_counted_by_the_books_and_named_as_far_as_they_are_read() -> None:
    tally = Tally(94, failed=6, succeeded=100, failures=Counter(refusal=5, max_tokens=1))
    many = Tally(failed=5_000, succeeded=5_000, failures=Counter(refusal=5_000))
    three, cut = (tuple(given_up(f"T-{n:04}") for n in range(n)) for n in (3, MOST_TICKETS_READ))

    text = reading(batch(tally=tally), failed=three).text
    empty = reading(batch(), failed=(given_up("E-1", "empty_ticket: no text."),)).text
    long = reading(batch(requests=5_000, tally=many), failed=cut).text

    assert "refusal 5 tickets Claude declined to answer. T-0000 T-0001 T-0002 2 pending" in text
    assert "max_tokens 1 ticket 1 pending again" in text
    assert "make tickets-retry STACK=helpdesk" in text
    assert "Sort them by hand" in empty
    assert "tickets-retry" not in empty
    assert "refusal 5,000 tickets" in long
    assert "T-0023 and 4,976 more: make tickets-failed STACK=helpdesk LIMIT=0" in long


def test_the_numbers_are_those_of_the_record() -> None:
    tally = Tally(90, superseded=1, requeued=4, failed=5, succeeded=100, usage=Usage(27_000, 500),
                  categories=Counter(billing=60, other=30))  # fmt: skip

    text = reading(
        batch(tally=tally),
        batch(2, "open"),
        kept=reported(pending=3, month_cost_usd=Decimal("12.5")),
        earlier=Counter(billing=40, gone=10),
    ).text

    for said in (
        "All is done: 90 tickets sorted, 5 given up.",
        "Pending 3 at the end Spent $0.0148 at most $0.0600 more Saved $0.0148",
        "Took 4 h 59 min 2 batches",
        "billing 60 67 % other 30 33 % gone 0 0 %",
        "This month so far $12.50 MaxCostUsd $25 Tokens 27,000 in, 500 out",
        "90 classified have an answer 1 superseded",
        "100 submitted they balance",
    ):
        assert said in text, said


def test_a_job_whose_task_is_not_here_is_told_as_the_run_itself_has_reported_it() -> None:
    counts = {
        "summary": Counter(texts=90, characters=9_000),
        "mood": Counter(good=60, bad=30),
        "severity": Counter(numbers=90, sum=180),
    }
    types = {"summary": "text", "mood": "label", "severity": "integer"}
    kept = reported(
        items=["call", "calls"],
        outputs={name: {"type": each, "counts": {}} for name, each in types.items()},
    )
    tally = Tally(90, failed=10, succeeded=100, categories=counts["mood"], outputs=counts,
                  failures=Counter(refusal=10))  # fmt: skip

    text = reading(batch(tally=tally), kept=kept).text

    for said in (
        "All is done: 90 calls answered, 10 given up.",
        "Mood good 60 67 % bad 30 33 %",
        "summary: 100 characters on average",
        "severity: 2.0 on average",
        "A thousand calls",
        "refusal 10 calls",
    ):
        assert said in text, said
    assert "mood: " not in text


def test_a_job_without_labels_has_its_answers_told() -> None:
    counts = {"description": Counter(texts=90, characters=9_000)}
    kept = reported(outputs={"description": {"type": "text", "counts": {}}})

    text = reading(batch(tally=Tally(100, succeeded=100, outputs=counts)), kept=kept).text

    assert "Answers description: 100 characters on average" in text
    assert "Nothing was answered" not in text
    assert "Nothing was answered with a label" in reading(batch()).text


def test_what_was_redacted_is_counted() -> None:
    some = reading(
        batch(redacted=Counter(email=10)), batch(2, redacted=Counter(card=3, email=2))
    ).text

    assert "Redacted before sending: 12 e-mail addresses, 3 card numbers" in some
    assert "Redacted" not in reading(batch()).text


def test_books_that_do_not_balance_are_shown_as_such() -> None:
    text = reading(batch(1), batch(2, tally=Tally(classified=99, succeeded=99))).text

    assert "LedgerMismatch The books of batch#0002 do not balance." in text
    assert "they do not balance" in text


def test_the_page_leads_to_the_consoles_and_a_local_one_nowhere() -> None:
    local = {**OUTPUTS, "WorkflowArn": WORKFLOW.replace("123456789012", "0" * 12)}

    [link] = reading(batch()).links
    assert link == (
        "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1"
        f"#/v2/executions/details/{EXECUTION}"
    )
    assert reading(batch(), stack=replace(STACK, outputs=local)).links == []


def hostile_night() -> Record:
    """Everything that strangers can write, written with bad intent."""
    said = Trouble("ClaudeRejected", f"{HOSTILE} \" onload='x'", EXECUTION)
    tally = Tally(failed=60, classified=40, categories=Counter({HOSTILE: 5}))
    return record(
        batch(1, trouble=said, disputed=True, model=HOSTILE, batch_id=HOSTILE),
        batch(2, tally=tally),
        failures=(Failure(HOSTILE, HOSTILE, EXECUTION, TWO),),
        failed=(
            given_up(HOSTILE, f"{HOSTILE}: {HOSTILE}"),
            given_up('" onmouseover="alert(1)', "refusal: x"),
            given_up("long" * 256, "refusal: x"),
            given_up("line\nfeed\x1b[2J\u202eback", "refusal: x"),
        ),
        kept=reported(HOSTILE, notices=(HOSTILE,), reported_at="2026-11-22T01:00:00+00:00"),
        earlier=Counter({HOSTILE: 3}),
    )


def test_what_strangers_write_stays_text() -> None:
    html = page(hostile_night(), note=HOSTILE)

    read = Read(html)
    assert "script" not in read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert read.text.count("alert('x')") >= 6
    assert "\x1b" not in html
    assert "\u202e" not in html


def known_night(classes: int, name: str = "class {:03}") -> Record:
    """A night in which every class was taken once for each of the next three, and thrice for
    itself; one expected value is none of the task's, and one ticket of each class was unsure."""
    labels = [name.format(n) for n in range(classes)]
    outputs = {"category": Label(type="label", values=dict.fromkeys(labels, ""), unsure="unsure")}
    pairs = [
        (labels[n], labels[(n + by) % classes]) for n in range(classes) for by in (0, 0, 0, 1, 2, 3)
    ]
    answers = [(a, Answer({"category": b})) for a, b in [*pairs, ("no such", labels[0])]]
    answers += [(label, Answer({}, ("category",))) for label in labels]
    gold = total(compare(outputs, {"category": known}, answer) for known, answer in answers)
    return record(batch(tally=Tally(classified=100, gold=gold)))


def test_how_right_it_is_is_drawn_with_its_interval_classes_and_confusions() -> None:
    html = page(known_night(5))

    text = Read(html).text
    assert "How right it is Category 48.4 % (95 % interval 32.0 % to 65.2 %)" in text
    assert "15 of 31 answers are as was known beforehand; 5 more were left to a person" in text
    assert "1 expects a value that the task does not have." in text
    # expected 6, answered 3 + 3 (+ 1 for the first, where nothing of the task was right), right 3
    assert "class 004 50 % 50 % 50 % 6 6 3 1" in text
    assert "class 000 46 % 43 % 50 % 6 7 3 1" in text
    assert "(not a value of the task) 0 % \u2013 0 % 1 0 0 0" in text
    assert "class 000 taken for class 001 1" in text
    assert "left:31.97%;width:33.19%" in html
    assert "left:48.39%" in html


@pytest.mark.parametrize("classes", [77, 150])
def test_of_many_classes_the_worst_and_the_largest_come_first_and_all_behind_a_click(
    classes: int,
) -> None:
    html = page(known_night(classes))

    first, _, rest = html.partition("<h2>How right it is</h2>")[2].partition("<details>")
    assert first.count('<th scope="row"') == 8
    assert first.count("<small>taken for</small>") == 8
    behind, _, _ = rest.partition("</details>")
    assert f"All {classes + 1} classes and {3 * classes + 1} confusions" in behind
    assert behind.count('<th scope="row"') == classes + 1
    assert len(html) < 300_000


def test_the_classes_with_most_mistakes_come_first_however_small_they_are() -> None:
    pairs = [("a", "a")] * 40 + [("b", "c")] * 3 + [("c", "c")] * 9 + [("d", "a")] * 2
    outputs = {"category": Label(type="label", values=dict.fromkeys("abcd", ""))}
    gold = total(compare(outputs, {"category": a}, Answer({"category": b})) for a, b in pairs)

    [found] = drawn(gold)

    assert [(each.name, each.expected) for each, _ in found.classes] == [
        ("c", 9), ("b", 3), ("a", 40), ("d", 2),
    ]  # fmt: skip
    assert [(each.expected, each.answered, each.tickets) for each in found.confusions] == [
        ("b", "c", 3), ("d", "a", 2),
    ]  # fmt: skip


def test_several_outputs_are_drawn_each_and_before_them_the_whole_tickets() -> None:
    known = {"status": "good", "topics": ["price"], "spam": True}
    said = {"status": "good", "topics": ["price", "look"], "spam": True}
    gold = total([compare(reviews().output, known, Answer(said))] * 4)

    text = reading(batch(tally=Tally(classified=100, gold=gold))).text

    order = ["Every output 0.0 %", "Status 100.0 %", "Topics 0.0 %", "Spam 100.0 %"]
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert "look 0 % 0 % \u2013 0 4 0 0" in text
    assert "taken for" not in text


def test_without_anything_known_beforehand_the_page_does_not_speak_of_right_or_wrong() -> None:
    assert "How right it is" not in reading(batch()).text


def test_how_many_wait_for_a_person_is_said_where_any_do() -> None:
    assert "For a person 0 340 wait now" in reading(batch(), waiting_now=340).text
    assert (
        "For a person 100 1 waits now"
        in reading(batch(tally=Tally(unsure=100)), waiting_now=1).text
    )
    assert "For a person" not in reading(batch()).text


def long_night() -> Record:
    """Fifty batches in three rounds over two days, with a refusal and expiry."""
    tally = Tally(9_990, requeued=6, failed=4, failures=Counter(refusal=4),
                  categories=Counter(technical=5_990, billing=4_000))  # fmt: skip
    batches = [
        batch(n, round=number, requests=10_000, intent_at=TWO + number * 13 * 60 * MINUTE,
              tally=replace(tally, expired=6 * (n % 17 == 0)), cost=Decimal("1.475"))
        for n in range(1, 51)
        for number in [1 + (n > 35) + (n > 45)]
    ]  # fmt: skip
    batches[7] = batch(8, "not_created", requests=10_000, why_not_created=TRY_LATER)
    failed = tuple(given_up(f"TM-{n}") for n in range(196))
    return record(*batches, failed=failed, earlier=Counter(technical=99, other=99))


def test_a_create_whose_key_was_refused_is_called_so() -> None:
    refused = batch(1, "not_created", why_not_created=KEY_REFUSED)

    assert "key refused" in page(record(refused, batch(2)))


@pytest.mark.parametrize(
    "night",
    [record(), record(batch()), long_night(), hostile_night(), known_night(150),
     known_night(3, HOSTILE + "{}"), record(kept=None),
     record(batch(1, "creating"), kept=None),
     record(
         batch(1, "not_created", why_not_created=REJECTED), **failed("ClaudeRejected", "no credit")
     )],
    ids=["no batch", "one", "fifty", "hostile", "known", "hostile classes", "no report",
         "creating", "rejected"],
)  # fmt: skip
def test_every_page_is_whole_and_loads_nothing(night: Record) -> None:
    html = page(night)

    read = Read(html)
    names = {name for name, _ in read.attributes}
    assert not {"src", "srcset", "action", "background", "data", "poster"} & names
    assert not {"link", "script", "iframe"} & read.tags
    assert not re.search(r"url\(|@import", html)
    assert {"h1", "main", "footer"} <= read.tags
    assert not re.search(r"\b(None|nan|inf|Undefined)\b", read.text)
    assert f"by Nightshift {VERSION}" in read.text


def test_fifty_batches_are_shown_each_in_its_round_and_inside_of_the_chart() -> None:
    html = page(long_night())

    rounds = re.findall(r"Round (\d) · [\w :]+ · ([\d,]+) requests", html)
    assert rounds == [("1", "340,000"), ("2", "100,000"), ("3", "50,000")]
    assert all(f"Batch {n}<" in html for n in range(1, 51))
    assert all(0 <= float(at) <= 100 for at in re.findall(r'style="left:([\d.-]+)%', html))
    for left, width in re.findall(r'style="left:([\d.]+)%;width:([\d.]+)%"', html):
        assert float(left) + float(width) <= 100.01
