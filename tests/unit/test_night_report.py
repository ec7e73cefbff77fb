"""The page of a night: the right verdict, all that an operator asks, and nothing that harms."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest

from nightshift.claude.money import Usage
from nightshift.runs.budget import Remaining
from nightshift.runs.records import TRY_LATER, Batch, Round, Run, State, Tally, Trouble
from tools.operate.failed_tickets.table import FailedTicket
from tools.operate.night_report.page import page
from tools.operate.night_report.record import MOST_TICKETS_READ, Failure, Record, Report
from tools.operate.night_report.words import adding_up
from tools.operate.stack import Stack
from tools.version import VERSION

HOSTILE = "<script>alert('x')</script>\x1b[2J\u202e"
TWO = datetime(2026, 11, 22, 2, tzinfo=UTC)
WORKFLOW = "arn:aws:states:eu-west-1:123456789012:stateMachine:Night-x"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:Night-x:one"
STACK = Stack(
    "helpdesk",
    {"TicketTableName": "tickets", "RunTableName": "runs", "WorkflowArn": WORKFLOW},
    {"MaxCostUsd": "25"},
    None,
    None,
)
MINUTE = timedelta(minutes=1)


def batch(number: int = 1, state: State = "closed", **changes: Any) -> Batch:
    """A batch of 100, sent at two o'clock, ended after 20 minutes, collected a minute later."""
    sent = TWO + number * timedelta(seconds=5)
    usage = Usage(27_000, 500)
    plain = Batch(
        run_id="2026-11-22", record=f"batch#{number:04}", token="t", state=state, round=1,
        execution=EXECUTION, model="claude-haiku-4-5", first="A", last="B", requests=100,
        bound=Decimal("0.06"), intent_at=sent, confirmed=True,
    )  # fmt: skip
    if state == "closed":
        plain = replace(
            plain, batch_id=f"msgbatch_{number}", created_at=sent, ended_at=sent + 20 * MINUTE,
            closed_at=sent + 21 * MINUTE, cost=Decimal("0.0148"),
            tally=Tally(classified=100, succeeded=100, usage=usage),
        )  # fmt: skip
    return replace(plain, **changes)


def record(*batches: Batch, **changes: Any) -> Record:
    """A run that ended well, unless `changes` say otherwise."""
    rounds = tuple(Round(n, EXECUTION, True) for n in sorted({b.round for b in batches}))
    moments = [moment for b in batches for moment in (b.intent_at, b.closed_at) if moment]
    report = Report(status="complete", reported_at=max(moments, default=TWO) + MINUTE)
    plain = Record(
        STACK, Run("2026-11-22", batches, rounds), report, (), (), (), pending_now=7,
        running=False,
    )  # fmt: skip
    return replace(plain, **changes)


def given_up(ticket_id: str, error: str = "refusal: Claude declined to answer.") -> FailedTicket:
    return FailedTicket(ticket_id, error, "msgbatch_1", 3, {})


def failure(error: str, cause: str, after: timedelta = 30 * MINUTE) -> Failure:
    return Failure(error, cause, EXECUTION, TWO + after)


def partial(reason: str, pending: int = 40, **more: Any) -> Report:
    at = TWO + 30 * MINUTE
    return Report(status="partial", reason=reason, pending=pending, reported_at=at, **more)


def budget_notice(which: str = "this run", amount: str = "0.05") -> str:
    run = which == "this run"
    left = Remaining(
        "2026-11", Decimal(amount), Decimal(0 if run else 1), Decimal(amount), Decimal(0)
    )
    return (replace(left, month_usd=None) if run else left).notice


class Read(HTMLParser):
    """A page as its reader meets it: visible text, and every attribute; it must be well formed."""

    VOID = frozenset({"meta", "circle", "path", "br", "link", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], "left open"
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)


def reading(*batches: Batch, **changes: Any) -> Read:
    return Read(page(record(*batches, **changes)))


def headline(read: Read) -> str:
    """From the verdict to the key numbers."""
    return read.text.partition("UTC")[2].partition("Sorted")[0]


def test_a_good_night_is_seen_at_once_and_asks_for_nothing() -> None:
    read = reading(batch(1), batch(2))

    assert "All well 200 tickets have a category; none was given up." in headline(read)
    assert "What to do Nothing." in headline(read)


@pytest.mark.parametrize(
    ("changes", "said", "todo"),
    [
        ({"report": partial("budget")}, "Budget used up", "max_cost_usd"),
        (
            {"report": partial("budget", notices=(budget_notice(amount="25.00"),))},
            "$0.0148 of $25.00, the budget of a run (MaxCostUsd), is spent",
            "deploy with a larger MaxCostUsd",
        ),
        (
            {"report": partial("budget", notices=(budget_notice("2026-11"),))},
            "Month's budget used up 100 tickets have a category, 40 are still pending. "
            "The budget of 2026-11, $0.05,",
            "larger MaxMonthlyCostUsd",
        ),
        (
            {"report": Report(status="complete", notices=("The model retires in a week.",))},
            "Done, but look at this",
            "The model retires",
        ),
        ({"report": partial("rounds")}, "40 are still pending", "the next night tries again"),
        ({"report": partial("brand_new")}, "Stopped early: brand new", "start-execution"),
        ({"report": Report(status="canceled", reported_at=TWO)}, "Canceled", "the next night"),
        ({"report": None}, "stopped before it could report", "start-execution"),
        ({"report": None, "running": True}, "at work", "make this page again"),
        (
            {"failures": (failure("ClaudeRejected", "Claude does not accept the API key. Store"),)},
            "Key rejected",
            "put-secret-value",
        ),
        (
            {"failures": (failure("ClaudeRejected", "(402 billing_error): no credit left"),)},
            "no credit left",
            "Mend what Claude names",
        ),
        (
            {"failures": (failure("ClaudeUnavailable", "529, 100 times in a row"),)},
            "for about a day",
            "start-execution",
        ),
        (
            {"failures": (failure("States.Timeout", "This was not expected."),)},
            "States.Timeout",
            "Step Functions console",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_end_says_what_happened_and_what_to_do(
    changes: dict[str, Any], said: str, todo: str
) -> None:
    text = headline(reading(batch(), **changes))

    assert said in text.partition("What to do")[0]
    assert todo in text.partition("What to do")[2]


def test_a_disputed_batch_and_one_set_aside_are_named() -> None:
    words = "msgbatch_1 has 100 requests; its results answer 98."
    mismatch, gone = (
        Trouble(error, cause, EXECUTION)
        for error, cause in (("LedgerMismatch", words), ("BatchNotFound", "gone"))
    )
    disputed = reading(batch(disputed=True, trouble=mismatch))
    aside = reading(batch(2, "open", aside_by=EXECUTION, trouble=gone))

    assert "Disputed" in headline(disputed)
    assert "its results answer 98" in headline(disputed)
    assert "msgbatch_1" in headline(disputed).partition("What to do")[2]
    assert "100 tickets wait for it" in headline(aside)
    assert "25 hours after its create" in headline(aside)


def test_what_was_unusual_is_told_although_it_ended_well() -> None:
    refused = [
        batch(n, "not_created", why_not_created=TRY_LATER, intent_at=TWO + n * 20 * MINUTE)
        for n in (1, 2)
    ]
    late = batch(3, intent_at=TWO + 180 * MINUTE, created_at=TWO + 180 * MINUTE,
                 ended_at=TWO + 190 * MINUTE, closed_at=TWO + 195 * MINUTE)  # fmt: skip
    tally = Tally(classified=60, requeued=40, succeeded=60, expired=40)

    text = headline(reading(*refused, late, batch(4, tally=tally)))

    assert "All well in the end" in text
    assert "1 batch expired (number 4): Claude did not answer 40 requests" in text


def test_an_outage_lasts_until_claude_answers_again() -> None:
    refused = [
        batch(n, "not_created", why_not_created=TRY_LATER, intent_at=TWO + n * 20 * MINUTE)
        for n in (0, 1)
    ]
    later = TWO + 180 * MINUTE
    late = batch(3, intent_at=later, created_at=later, ended_at=later, closed_at=later + MINUTE)

    text = headline(reading(*refused, late))

    assert "for 3 h, from 02:00 to 05:00. Batches 0 to 1, each a new try, were refused" in text
    assert "and sent again as batch 3. The night waited and then went on by itself." in text
    assert "What to do Nothing." in text


def test_one_refused_batch_is_one_batch_and_not_one_request() -> None:
    refused = batch(1, "not_created", why_not_created=TRY_LATER, intent_at=TWO)
    later = TWO + 60 * MINUTE

    read = reading(refused, batch(2, created_at=later, ended_at=later, closed_at=later))

    assert "Batch 1, of 100 requests, was refused and sent again as batch 2." in headline(read)
    assert "1 of 2 batches accepted" in read.text


def test_a_failure_that_a_later_start_made_good_is_history() -> None:
    failed = failure("ClaudeRejected", "the API key", after=MINUTE)

    text = headline(reading(batch(), failures=(failed,)))

    assert "All well" in text
    assert "1 earlier start of this run failed; a later one finished it." in text


def test_a_larger_budget_is_proposed_that_is_enough() -> None:
    text = reading(batch(), report=partial("budget", pending=1000)).text

    [proposed] = re.findall(r'"max_cost_usd": ([\d.]+)', text)
    assert 0.0148 + 1000 * 0.0006 < float(proposed) < 1.5


def test_the_budget_that_bound_is_named_with_its_amount() -> None:
    read = reading(batch(), report=partial("budget", notices=(budget_notice(),)))

    story, _, todo = headline(read).partition("What to do")
    assert "$0.0148 of $0.05, the budget of this start (max_cost_usd), is spent" in story
    assert "Nothing is lost: the next night takes what is pending" in story
    assert todo.startswith(" Nothing, if they can wait")
    assert "in all, of which $0.0148 is spent" in todo
    assert "MaxCostUsd" not in todo
    assert "Budget of this start $0.05" in read.text
    assert "$25.00" not in read.text


def test_the_words_of_the_console_are_shown_by_its_error() -> None:
    cause = "(402 billing_error): no credit left"

    text = headline(reading(failures=(failure("ClaudeRejected", cause),)))

    assert f"ClaudeRejected {cause}" in text
    assert text.count(cause) == 1
    assert "Start again: aws stepfunctions start-execution --region eu-west-1" in text


def test_what_is_open_is_finished_first_where_something_is() -> None:
    read = reading(batch(1, "open"), failures=(failure("ClaudeRejected", "no credit"),))

    assert "Start again; what is open is finished first:" in headline(read)


@pytest.mark.parametrize("cost", [0.07125, 0.00005, 0.126, 0.4449, 3.333, 0.0])
def test_what_was_spent_and_saved_add_up_as_shown(cost: float) -> None:
    shown = adding_up(cost, 2 * cost)

    spent, saved, realtime = (Decimal(amount.strip("$")) for amount in shown)
    assert spent + saved == realtime
    assert float(spent) == pytest.approx(cost, abs=0.005)


def test_a_night_of_more_than_a_day_says_what_the_next_start_did() -> None:
    daily = {"Schedule": "cron(0 2 * * ? *)", "ScheduleState": "ENABLED"}
    tomorrow = TWO + timedelta(hours=24, minutes=10)
    expired = batch(1, closed_at=tomorrow, tally=Tally(60, requeued=40, succeeded=60, expired=40))
    again = batch(2, round=2, intent_at=tomorrow, closed_at=tomorrow + MINUTE)
    night = record(expired, again, stack=replace(STACK, parameters=daily))

    text = headline(Read(page(night)))

    assert "start of Mon 02:00 found this night at work and ended as already_running" in text
    assert "round 2 took along what had come in until Mon 02:10" in text
    assert "already_running" not in headline(reading(expired))


def test_tickets_given_up_are_asked_again_only_where_that_can_help() -> None:
    empty = given_up("E-1", "empty_ticket: the ticket has no text in subject or body.")
    tally = Tally(98, failed=1, requeued=1, succeeded=100)

    both = reading(batch(tally=tally), failed=(given_up("T-1"), empty))
    alone = reading(batch(tally=tally), failed=(empty,))

    assert "Nothing for the night. 2 tickets stay without a category" in headline(both)
    assert "make tickets-retry STACK=helpdesk REASON=refusal" in both.text
    assert "1 ticket stays without a category: sort it by hand. " in headline(alone)
    assert "tickets-retry" not in alone.text


def test_a_stack_that_is_called_as_the_project_does_not_stutter() -> None:
    text = reading(batch(), stack=replace(STACK, name="nightshift")).text

    assert "Nightshift stack nightshift" in text


def test_tokens_are_those_that_the_run_reported() -> None:
    """The workflow's output counts what was asked in real time as well."""
    usage = Usage(27_000, 500)
    report = Report(status="complete", input_tokens=27_260, output_tokens=505)

    told = reading(batch(tally=Tally(100, succeeded=100, usage=usage)), report=report).text
    summed = reading(batch(tally=Tally(100, succeeded=100, usage=usage)), report=None).text

    assert "27,260 in, 505 out" in told
    assert "27,000 in, 500 out" in summed


def test_what_was_not_read_to_the_end_is_counted_as_at_least_so_many() -> None:
    failed = tuple(given_up(f"T-{n}") for n in range(MOST_TICKETS_READ))
    tally = Tally(classified=1_000, failed=5_000, succeeded=6_000)

    text = reading(batch(requests=6_000, tally=tally), failed=failed).text

    assert "5,000 were given up" in text
    assert "At least 2,000 tickets stay without a category" in text
    assert "refusal at least 2,000 tickets" in text
    assert "and at least 1,976 more" in text
    assert "This page reads 2,000 failed tickets and no more" in text


def test_a_night_that_only_gave_tickets_up_is_not_well() -> None:
    alone = reading(batch(requests=2, tally=Tally(failed=2, succeeded=2)), failed=())

    assert "All well" not in headline(alone)
    assert "0 tickets have a category, 2 were given up." in headline(alone)


def test_the_page_leads_to_the_consoles_and_a_local_one_nowhere() -> None:
    outputs = {**STACK.outputs, "WorkflowArn": WORKFLOW.replace("123456789012", "0" * 12)}
    local = replace(STACK, outputs=outputs)

    [link] = [value for name, value in reading(batch()).attributes if name == "href"]
    assert link == (
        "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1"
        f"#/v2/executions/details/{EXECUTION}"
    )
    assert not [n for n, _ in reading(batch(), stack=local).attributes if n == "href"]


def test_the_numbers_are_those_of_the_record() -> None:
    tally = Tally(90, superseded=1, requeued=4, failed=5, succeeded=100, usage=Usage(27_000, 500))
    report = Report(
        status="complete", pending=3, reported_at=TWO + 30 * MINUTE, month_cost_usd=12.5,
        categories={"billing": 60, "other": 30}, notices=("Half of the month's budget is spent.",),
    )  # fmt: skip
    before = Report(status="complete", classified=50, categories={"billing": 40, "gone": 10})
    failed = tuple(given_up(f"T-{n}") for n in range(3))

    text = reading(
        batch(tally=tally), report=report, failed=failed, earlier=(("2026-11-21", before),)
    ).text

    for said in (
        "90 tickets have a category, 5 were given up.",
        "Pending 3 at the end",
        "$0.0148",
        "billing 60 67 % other 30 33 % gone 0 0 %",
        "This month so far $12.50",
        "Half of the month's budget is spent.",
        "refusal 3 tickets",
        "T-0 T-1 T-2",
        "2 tickets of those given up are pending again",
        "100 submitted they balance",
        "make tickets-retry STACK=helpdesk REASON=refusal",
    ):
        assert said in text, said


def test_books_that_do_not_balance_are_shown_as_such() -> None:
    read = reading(batch(tally=Tally(classified=99, succeeded=99)))

    assert "Books do not balance" in headline(read)
    assert "they do not balance" in read.text


def test_a_long_list_is_cut_and_says_how_much_is_missing() -> None:
    tally = Tally(failed=100, succeeded=100)

    read = reading(batch(tally=tally), failed=tuple(given_up(f"T-{n:03}") for n in range(100)))

    assert "T-023" in read.text
    assert "T-024" not in read.text
    assert "and 76 more" in read.text
    assert "make tickets-failed STACK=helpdesk LIMIT=0" in read.text


def hostile_night() -> Record:
    """Everything that strangers can write, written with bad intent."""
    said = Trouble("ClaudeRejected", f"{HOSTILE} \" onload='x'", EXECUTION)
    return record(
        batch(1, trouble=said, disputed=True, model=HOSTILE, batch_id=HOSTILE),
        batch(2, tally=Tally(failed=100)),
        failures=(failure(HOSTILE, HOSTILE),),
        failed=(
            given_up(HOSTILE, f"{HOSTILE}: {HOSTILE}"),
            given_up('" onmouseover="alert(1)', "refusal: x"),
            given_up("long" * 256, "refusal: x"),
            given_up("line\nfeed\x1b[2J\u202eback", "refusal: x"),
        ),
        report=Report(status="complete", categories={HOSTILE: 5}, notices=(HOSTILE,)),
        earlier=((HOSTILE, Report(status=HOSTILE, classified=3)),),
    )


def test_what_strangers_write_stays_text() -> None:
    html = page(hostile_night(), note=HOSTILE)

    read = Read(html)
    assert "script" not in read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert read.text.count("alert('x')") >= 6
    assert "\x1b" not in html
    assert "\u202e" not in html


def long_night(batches: int = 50) -> Record:
    """Three rounds over two days, with refusals, expiry and thousands of tickets."""
    made = []
    for n in range(1, batches + 1):
        number = 1 if n <= batches * 0.7 else 2 if n <= batches * 0.9 else 3
        sent = TWO + (number - 1) * timedelta(hours=13) + n * MINUTE
        life = timedelta(minutes=35 + 7 * (n % 9))
        plain = batch(n, round=number, requests=10_000, intent_at=sent, created_at=sent,
                      ended_at=sent + life, closed_at=sent + life + 4 * MINUTE,
                      tally=Tally(9_990, requeued=6, failed=4, usage=Usage(2_700_000, 50_000),
                                  expired=6 * (n % 17 == 0)), cost=Decimal("1.475"))  # fmt: skip
        made.append(plain)
    made[7] = batch(
        8,
        "not_created",
        round=1,
        requests=10_000,
        why_not_created=TRY_LATER,
        intent_at=made[7].intent_at,
    )
    failed = tuple(given_up(f"TM-{n}", f"{'refusal' if n % 3 else 'max_tokens'}: No answer.")
                   for n in range(196))  # fmt: skip
    shares = {"technical": 0.35, "billing": 0.27, "account": 0.2, "feedback": 0.12, "other": 0.06}
    sorted_ = sum(each.tally.classified for each in made)
    report = Report(
        status="complete", reported_at=made[-1].closed_at, month_cost_usd=1_204.5,
        categories={name: int(share * sorted_) for name, share in shares.items()},
    )  # fmt: skip
    before = Report(status="partial", classified=sorted_ // 2, categories=dict.fromkeys(shares, 99))
    earlier = tuple((f"2026-11-{day:02}", before) for day in range(5, 22))
    return record(*made, failed=failed, report=report, earlier=earlier)


@pytest.mark.parametrize(
    "night",
    [record(), record(batch()), long_night(), long_night(300), hostile_night(),
     record(report=None), record(batch(1, "creating"), report=None),
     record(report=Report(status="nothing_to_do"))],
    ids=["no batch", "one", "fifty", "300", "hostile", "no report", "creating", "nothing"],
)  # fmt: skip
def test_every_page_is_whole_and_loads_nothing(night: Record) -> None:
    html = page(night)

    read = Read(html)
    loading = {"src", "srcset", "action", "background", "data", "poster"}
    assert not loading & {name for name, _ in read.attributes}
    assert "link" not in read.tags
    hrefs = [value for name, value in read.attributes if name == "href"]
    assert len(hrefs) == read.tags.count("a")
    assert all(href.startswith("https://eu-west-1.console.aws.amazon.com/") for href in hrefs)
    assert not re.search(r"url\(|@import", html)
    assert "prefers-color-scheme: dark" in html
    assert {"h1", "main", "footer"} <= set(read.tags)
    assert not re.search(r"\b(None|nan|inf|Undefined)\b", read.text)


def test_an_execution_of_fifty_batches_shows_each_in_its_round() -> None:
    text = reading(*long_night().night.batches).text

    rounds = re.findall(r"Round (\d) · [\w :]+ · ([\d,]+) requests", text)
    assert rounds == [("1", "340,000"), ("2", "100,000"), ("3", "50,000")]
    assert text.count("Batch 8 10,000 refused") == 1
    assert all(f"Batch {n} " in text for n in range(1, 51))


def places(html: str) -> Iterator[float]:
    yield from (float(at) for at in re.findall(r'style="left:([\d.-]+)%', html))


def test_nothing_is_drawn_outside_of_the_chart() -> None:
    html = page(long_night())

    assert all(0 <= at <= 100 for at in places(html))
    for left, width in re.findall(r'style="left:([\d.]+)%;width:([\d.]+)%"', html):
        assert float(left) + float(width) <= 100.01


def test_the_page_says_which_version_drew_it() -> None:
    assert f"by Nightshift {VERSION}" in page(record(batch()))
