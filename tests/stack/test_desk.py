"""docs/zendesk, deployed beside the stack and played against a Zendesk on 127.0.0.1.

Not played, because MiniStack does not do so: a stream that goes on from the record that failed, and
gives up after `MaximumRetryAttempts`. tests/unit/test_zendesk.py shows what the function answers.
"""

import json
from collections.abc import Iterator

import pytest

from tests.stack.conftest import Place
from tests.stack.stack import CANARY, Stack, wait_until
from tests.stack.zendesk import FIELD, SECRET, Zendesk, zendesk
from tools.local.cloud.cloud import REPOSITORY
from tools.local.cloud.stack import deploy

TEMPLATE = REPOSITORY / "docs" / "zendesk" / "template.yaml"


@pytest.fixture(scope="module")
def desk(place: Place, deployed: Stack) -> Iterator[Zendesk]:
    """A Zendesk, connected as docs/desk.md says."""
    with zendesk() as ours:
        parameters = {
            "TicketTable": deployed.outputs["TicketTableName"],
            "TicketStreamArn": deployed.outputs["TicketStreamArn"],
            "AlertTopicArn": deployed.outputs["AlertTopicArn"],
            "ZendeskUrl": ours.url,
            "FieldId": str(FIELD),
        }
        outputs = deploy(place.cloud, "desk", TEMPLATE, parameters)
        place.cloud.client("secretsmanager").put_secret_value(
            SecretId=outputs["ZendeskSecretArn"], SecretString=json.dumps(SECRET)
        )
        url_id = outputs["WebhookUrl"].removeprefix("https://").partition(".")[0]
        ours.webhook = f"{place.cloud.endpoint}/_aws/lambda-url/{url_id}/"
        yield ours


def test_a_ticket_goes_in_and_its_category_comes_back_once(stack: Stack, desk: Zendesk) -> None:
    desk.change("1", subject="Charged twice", description=f"My invoice {CANARY}")
    desk.change("2", subject="Hello", description=f"My password {CANARY}", category="feedback")
    desk.busy = 1

    taken = [desk.fire(each) for each in ("1", "2", "1")]
    waiting = stack.pending()
    night = stack.run().output
    wait_until(lambda: stack.tickets()["1"].get("zendesk_category"))
    echo = desk.fire("1")

    assert taken == [(200, "asked"), (200, "written"), (200, "unchanged")]
    assert waiting == ["1"]
    assert (night["status"], night["classified"]) == ("complete", 1)
    assert (desk.category("1"), desk.category("2")) == ("billing", "feedback")
    assert stack.categories() == {"1": "billing", "2": "feedback"}
    assert ("PUT", "1", 429) in desk.calls
    assert desk.updates() == ["1"]
    assert echo == (200, "unchanged")
    assert stack.pending() == []


def test_a_persons_category_stays_and_a_new_text_asks(stack: Stack, desk: Zendesk) -> None:
    for ticket_id in ("3", "4"):
        desk.change(ticket_id, subject="Charged twice", description=f"My invoice {CANARY}")
        desk.fire(ticket_id)
    stack.run(run_id="first")
    wait_until(lambda: all(i.get("zendesk_category") for i in stack.tickets().values()))

    desk.change("3", category="other")
    desk.change("4", subject="My password")
    taken = [desk.fire("3"), desk.fire("4")]
    desk.change("3", subject="And again")
    later = desk.fire("3")

    assert taken == [(200, "written"), (200, "asked")]
    assert later == (200, "written")
    assert stack.pending() == ["4"]
    assert stack.tickets()["3"]["category"] == desk.category("3") == "other"


def test_who_does_not_sign_as_this_webhook_changes_nothing(stack: Stack, desk: Zendesk) -> None:
    desk.change("5", subject="x", description=CANARY)
    before = len(desk.calls)

    assert desk.fire("5", secret="another")[0] == 401
    assert desk.fire("../users/1")[0] == 400

    assert stack.tickets() == {}
    assert len(desk.calls) == before
