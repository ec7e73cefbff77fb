"""Failed tickets, listed and set back by command, in MiniStack's DynamoDB within this process."""

import re
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, NoRegionError
from botocore.stub import Stubber

from nightshift.tickets.table import Refused, TicketTable
from tools.operate import stack as stacks
from tools.operate.failed_tickets import __main__ as command
from tools.operate.failed_tickets.table import EMPTY, NO_REASON, failed_tickets, retry
from tools.operate.stack import Stack, Unusable, find

ERRORS = {
    "refusal": "refusal: Claude declined to answer in 3 attempts.",
    "max_tokens": "max_tokens: the answer did not end within the allowed length in 3 attempts.",
    "none": "",
    "empty": "empty_ticket: the ticket has no text in subject or body.",
}


@pytest.fixture
def stack(helpdesk: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack named helpdesk, which the commands find."""
    monkeypatch.setattr(command, "find", lambda name: helpdesk)
    return helpdesk


def put(stack: Stack, ticket_id: str, error: str = "refusal", **more: str) -> None:
    values = {
        "ticket_id": ticket_id,
        "body": "My invoice",
        "classification_status": "failed",
        "classification_error": ERRORS.get(error, error),
        "classification_batch_id": "msgbatch_1",
    } | more
    item = {name: {"S": value} for name, value in values.items() if value}
    stack.dynamodb.put_item(TableName="tickets", Item=item)


def item(stack: Stack, ticket_id: str) -> dict[str, Any]:
    key = {"ticket_id": {"S": ticket_id}}
    found = stack.dynamodb.get_item(TableName="tickets", Key=key, ConsistentRead=True)["Item"]
    return {name: next(iter(value.values())) for name, value in found.items()}


def statuses(stack: Stack) -> dict[str, str]:
    items = stack.dynamodb.scan(TableName="tickets", ConsistentRead=True)["Items"]
    return {i["ticket_id"]["S"]: i["classification_status"]["S"] for i in items}


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert command.main([*arguments, "--stack", "helpdesk"]) == code
    return " ".join(capsys.readouterr().out.split())


def test_the_list_names_tickets_and_sums_up_reasons(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(3):
        put(stack, f"R-{n}")
    put(stack, "M-1", "max_tokens")
    put(stack, "N-1", "none")
    put(stack, "waiting", classification_status="pending")

    text = said(capsys, "list")

    assert "R-2 refusal Claude declined to answer in 3 attempts." in text
    assert f"N-1 {NO_REASON} The ticket does not say why" in text
    assert "waiting" not in text
    assert re.search(r"5 failed in helpdesk .* 3 refusal .* 1 max_tokens .* 1 no_reason", text)


def test_words_of_claude_that_may_quote_the_ticket_are_not_listed(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "I-1", 'invalid_request: Claude refused it: messages.0: "My invoice" is odd')

    text = said(capsys, "list")

    assert "I-1 invalid_request Claude refused it." in text
    assert "invoice" not in text


def test_a_list_is_limited_and_says_how_many_more(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(120):
        put(stack, f"R-{n:03}", "max_tokens" if n % 2 else "refusal")

    text = said(capsys, "list", "--limit", "3", "--reason", "refusal")

    assert re.findall(r"R-\d+", text) == ["R-000", "R-002", "R-004"]
    assert "and 57 more" in text
    assert "120 failed" in text


def test_a_strangers_id_cannot_move_the_cursor(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "A\x1b[2J[bold]", "odd\x07name: x")

    command.main(["list", "--stack", "helpdesk"])

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[bold]" in out


def test_all_ask_again_and_keep_their_reason(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(260):
        put(stack, f"T-{n}")

    text = said(capsys, "retry", "--yes")

    assert "260 tickets ask again." in text
    assert set(statuses(stack).values()) == {"pending"}
    assert item(stack, "T-7") == {
        "ticket_id": "T-7",
        "body": "My invoice",
        "classification_status": "pending",
        "classification_error": ERRORS["refusal"],
        "classification_batch_id": "msgbatch_1",
    }


def test_only_those_with_the_reason_ask_again(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "R")
    put(stack, "M", "max_tokens")
    put(stack, "N", "none")

    said(capsys, "retry", "--yes", "--reason", "max_tokens")
    said(capsys, "retry", "--yes", "--reason", NO_REASON)

    assert statuses(stack) == {"R": "failed", "M": "pending", "N": "pending"}


def test_tickets_without_a_text_ask_again_only_by_name(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "R")
    put(stack, "E", "empty")

    text = said(capsys, "retry", "--yes")

    assert "1 ticket has no text and would be given up again" in text
    assert "1 ticket asks again." in text
    assert statuses(stack) == {"R": "pending", "E": "failed"}
    assert "1 ticket has no text" in said(capsys, "retry", "--yes")
    said(capsys, "retry", "--yes", "--reason", EMPTY)
    assert statuses(stack) == {"R": "pending", "E": "pending"}


def test_no_retry_is_proposed_where_all_are_without_a_text(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "E", "empty")
    alone = said(capsys, "list")
    put(stack, "R")
    both = said(capsys, "list")

    assert "tickets-retry" not in alone
    assert "sort them by hand" in alone
    assert "make tickets-retry STACK=helpdesk" in both


def test_what_changed_since_it_was_read_is_left_alone(stack: Stack) -> None:
    for name in ("same", "sorted", "gone", "other reason"):
        put(stack, name)
    seen = list(failed_tickets(TicketTable(stack.dynamodb, "tickets")))
    put(stack, "sorted", classification_status="", category="billing")
    stack.dynamodb.delete_item(TableName="tickets", Key={"ticket_id": {"S": "gone"}})
    put(stack, "other reason", "max_tokens")

    done = retry(TicketTable(stack.dynamodb, "tickets"), seen, lambda n: None)

    assert (done.pending, done.changed) == (1, 3)
    assert item(stack, "same")["classification_status"] == "pending"
    assert "classification_status" not in item(stack, "sorted")
    assert item(stack, "other reason")["classification_status"] == "failed"
    assert "gone" not in [i["ticket_id"]["S"] for i in _all(stack)]


def test_an_index_that_lags_is_not_believed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    put(stack, "failed")
    put(stack, "sorted", classification_status="", category="billing")
    monkeypatch.setattr(TicketTable, "failed_ids", lambda _: iter(["failed", "gone", "sorted"]))

    found = failed_tickets(TicketTable(stack.dynamodb, "tickets"))

    assert [ticket.ticket_id for ticket in found] == ["failed"]


def _all(stack: Stack) -> list[dict[str, Any]]:
    return list(stack.dynamodb.scan(TableName="tickets")["Items"])


def test_a_ticket_that_asks_again_is_known_as_one_that_had_failed(stack: Stack) -> None:
    """By that, a decision starts its attempts from 0."""
    put(stack, "T")
    tickets = TicketTable(stack.dynamodb, "tickets")

    retry(tickets, failed_tickets(TicketTable(stack.dynamodb, "tickets")), lambda n: None)

    ticket = tickets.read(["T"], ())["T"]
    assert (ticket.status, ticket.failed_before) == ("pending", True)


@pytest.mark.parametrize("flag", ["--dry-run", "no terminal"])
def test_nothing_changes_without_a_yes(
    stack: Stack, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    put(stack, "T")

    if flag == "--dry-run":
        text = said(capsys, "retry", flag)
        assert "1 failed ticket of helpdesk would ask again." in text
    else:
        assert "YES=1" in said(capsys, "retry", code=command.UNUSABLE)

    assert statuses(stack) == {"T": "failed"}


def test_an_unknown_reason_names_those_there_are(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "T")

    text = said(capsys, "retry", "--yes", "--reason", "refused", code=command.UNUSABLE)

    assert "'refused'" in text
    assert "There are: refusal (1)." in text


def test_a_table_without_failures_is_fine(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No ticket of helpdesk is failed" in said(capsys, "list")
    assert "nothing to set back" in said(capsys, "retry")


# Finding the stack.


class Account:
    """A session whose CloudFormation gives one answer."""

    region_name = "eu-west-1"

    def __init__(self) -> None:
        keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
        self.cloudformation = boto3.client("cloudformation", region_name=self.region_name, **keys)
        self.answers = Stubber(self.cloudformation)
        self.answers.activate()

    def client(self, service: str, config: Any) -> Any:
        return self.cloudformation


def test_a_stack_that_is_not_there_is_named() -> None:
    account = Account()
    account.answers.add_client_error("describe_stacks", "ValidationError", "nights does not exist")

    with pytest.raises(Unusable, match=r"no stack 'nights' in this account and region \(eu-west-1"):
        find("nights", account)


@pytest.mark.parametrize("code", ["ExpiredToken", "AccessDenied"])
def test_what_aws_refuses_is_named(code: str) -> None:
    account = Account()
    account.answers.add_client_error("describe_stacks", code)

    with pytest.raises(Unusable, match=code):
        find("nights", account)


def test_the_region_that_is_advised_is_the_one_that_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str | None] = []

    def session(region_name: str | None) -> Account:
        asked.append(region_name)
        account = Account()
        account.answers.add_client_error("describe_stacks", "AccessDenied")
        return account

    monkeypatch.setattr(stacks.boto3, "Session", session)
    for region in ("eu-west-1", ""):
        monkeypatch.setenv("AWS_REGION", region)
        with pytest.raises(Unusable):
            find("nights")

    assert asked == ["eu-west-1", None]


def test_without_a_region_the_advice_names_what_is_read() -> None:
    with pytest.raises(Unusable, match="set AWS_REGION"), stacks.explained():
        raise NoRegionError


def test_a_stack_of_others_is_refused() -> None:
    account = Account()
    described = {
        "StackName": "theirs", "StackStatus": "CREATE_COMPLETE", "CreationTime": datetime.now(UTC),
        "Outputs": [{"OutputKey": "TicketTableName", "OutputValue": "t"}],
    }  # fmt: skip
    account.answers.add_response("describe_stacks", {"Stacks": [described]})

    with pytest.raises(Unusable, match="has no output RunTableName, WorkflowArn"):
        find("theirs", account)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError(), "Log in"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "127.0.0.1:1"),
    ],
    ids=["no credentials", "no endpoint"],
)
def test_what_keeps_us_from_the_account_is_explained(error: Exception, said: str) -> None:
    with pytest.raises(Unusable, match=said), stacks.explained():
        raise error


def test_a_throttled_table_is_asked_until_it_takes_all(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stack, "A")
    put(stack, "B")
    write, refused_once = TicketTable.write, []

    def throttled(self: TicketTable, changes: Any) -> Refused:
        if refused_once:
            return write(self, changes)
        refused_once.append(True)
        return Refused(throttled=list(changes))

    monkeypatch.setattr(TicketTable, "write", throttled)

    done = retry(
        TicketTable(stack.dynamodb, "tickets"),
        failed_tickets(TicketTable(stack.dynamodb, "tickets")),
        lambda n: None,
    )

    assert (done.pending, done.changed) == (2, 0)
    assert item(stack, "A")["classification_status"] == "pending"
