"""The page of a review: who may see it, what it does, and what it says when AWS refuses."""

import re
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from botocore.exceptions import ClientError
from werkzeug.test import Client, TestResponse

from nightshift.tickets.table import TicketTable
from tests.doubts import item, items, put, sitting
from tools.operate.review.app import application
from tools.operate.review.guard import Guard
from tools.operate.review.server import listening

PORT = 4711
ORIGIN = f"http://127.0.0.1:{PORT}"
PATHS = ("", "look/look.css", "look/keys.js", "nothing/here", "choose")
ELSEWHERE = ("/", "/favicon.ico", "/look/look.css", "/choose", "/guessed/", "/guessed/choose")

pytestmark = pytest.mark.usefixtures("account")


class Visitor:
    """A browser that keeps cookies, and says where a form comes from. A path is one of the page,
    which stands at `place`, or begins with a slash."""

    def __init__(self, client: Client, place: str) -> None:
        self.client, self.place = client, place

    def get(self, path: str = "", **headers: str) -> TestResponse:
        return self.client.get(urljoin(self.place, path), base_url=ORIGIN, headers=headers)

    def post(self, path: str, origin: str | None = ORIGIN, **form: str) -> TestResponse:
        headers = {} if origin is None else {"Origin": origin}
        at = urljoin(self.place, path)
        return self.client.post(at, base_url=ORIGIN, headers=headers, data=form)


@pytest.fixture
def guard() -> Guard:
    return Guard(PORT)


@pytest.fixture
def stranger(guard: Guard) -> Visitor:
    """Another program, or another page, without the address."""
    put("T-1", "T-2")
    return Visitor(application(sitting(), guard, "helpdesk").test_client(), guard.place)


@pytest.fixture
def visitor(stranger: Visitor, guard: Guard) -> Visitor:
    """Who has the address."""
    assert stranger.get().status_code == 303
    return stranger


def form(page: TestResponse) -> dict[str, str]:
    """What the page sends along with every choice."""
    return dict(re.findall(r'name="(seen|output)" value="([^"]*)"', page.text))


@pytest.mark.parametrize("path", [*PATHS[1:], *ELSEWHERE])
def test_nothing_is_reachable_without_the_token(stranger: Visitor, path: str) -> None:
    before = items()

    for answer in (
        stranger.get(path),
        stranger.get(path, Cookie="nightshift_review=guessed"),
        stranger.post(path, seen="", output="category", value="billing"),
    ):
        assert answer.status_code == 403
        assert "T-1" not in answer.text
        assert "Set-Cookie" not in answer.headers
        assert "make review" in answer.text
    assert items() == before
    assert stranger.get().status_code == 303  # the token is still good


def test_the_first_visit_exchanges_the_token_for_a_cookie(stranger: Visitor) -> None:
    answer = stranger.get()

    assert (answer.status_code, answer.headers["Location"]) == (303, stranger.place)
    [cookie] = answer.headers.getlist("Set-Cookie")
    # A browser hands it to every port of the host, but only under a path that nobody else knows.
    wanted = {"HttpOnly", "SameSite=Strict", f"Path={stranger.place}"}
    assert wanted <= set(cookie.split("; "))
    assert len(stranger.place) == 45
    assert stranger.place.strip("/") not in cookie.partition(";")[0]
    assert "T-1" in stranger.get().text


def test_a_token_opens_once(visitor: Visitor) -> None:
    another = Visitor(Client(visitor.client.application), visitor.place)

    assert another.get().status_code == 403
    assert another.get("look/look.css").status_code == 403
    assert visitor.get().status_code == 200  # who is in, stays in


def test_it_listens_on_this_machine_alone() -> None:
    with listening(sitting(), "helpdesk") as (address, server):
        assert server.socket.getsockname() == ("127.0.0.1", urlsplit(address).port)


@pytest.mark.parametrize("host", ["localhost:4711", "127.0.0.1", "127.0.0.1:4712", "evil.example"])
def test_another_hosts_name_leads_nowhere(visitor: Visitor, host: str) -> None:
    assert visitor.get(Host=host).status_code == 403


def test_the_address_with_another_hosts_name_takes_no_token(stranger: Visitor) -> None:
    assert stranger.get(Host="evil.example").status_code == 403
    assert stranger.get().status_code == 303


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://127.0.0.1:4712", "http://localhost:4711", "https://evil.example"],
)
@pytest.mark.parametrize("path", ["choose", "skip", "undo", "take_skipped"])
def test_a_form_of_another_origin_changes_nothing(
    visitor: Visitor, path: str, origin: str | None
) -> None:
    fields = form(visitor.get())
    before = items()

    answer = visitor.post(path, origin, **fields, value="billing")

    assert answer.status_code == 403
    assert items() == before
    assert form(visitor.get()) == fields


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_is_cached_framed_or_runs_a_script_of_others(visitor: Visitor, path: str) -> None:
    headers = visitor.get(path).headers

    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_choice_is_written_and_leads_to_the_next_ticket(visitor: Visitor) -> None:
    page = visitor.get()
    assert "Body of T-1." in page.text

    answer = visitor.post("choose", **form(page), value="technical")

    assert (answer.status_code, answer.headers["Location"]) == (303, visitor.place)
    assert item("T-1")["expected_category"] == "technical"
    following = visitor.get().text
    assert "Body of T-2." in following
    assert "T-1: technical" in following


def test_skip_undo_and_the_end(visitor: Visitor) -> None:
    visitor.post("skip", **form(visitor.get()))
    visitor.post("choose", **form(visitor.get()), value="billing")

    end = visitor.get().text
    assert "Only the skipped ones are left." in end
    assert "You have decided 1 ticket in this sitting." in end
    visitor.post("undo")
    assert "Body of T-2." in visitor.get().text
    visitor.post("choose", **form(visitor.get()), value="billing")
    visitor.get()
    visitor.post("take_skipped")
    visitor.post("choose", **form(visitor.get()), value="billing")

    assert "Nothing waits for you." in visitor.get().text
    assert {each["category"] for each in items().values()} == {"billing"}


def test_tickets_that_cannot_be_decided_here_are_named_at_the_end(visitor: Visitor) -> None:
    put("T-1", "T-2", classified_as="billing", category="billing")

    assert "2 tickets cannot be decided here" in visitor.get().text


def test_what_strangers_wrote_is_text(visitor: Visitor) -> None:
    evil = "&lt;script&gt;alert(1)&lt;/script&gt;<img src=x onerror=alert(1)>"
    put("T-1", subject='"><script>alert(1)</script>', body=evil, category="<b>other</b>")

    page = visitor.get().text

    assert page.count("<script") == 1  # our own
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_an_id_of_strangers_is_text_and_comes_back_whole(visitor: Visitor) -> None:
    evil = '0"><script>alert(2)</script>\u202e&amp;\n'
    put(evil)

    page = visitor.get().text
    assert page.count("<script") == 1
    visitor.post("choose", **form(visitor.get()), value="other")

    assert item(evil)["category"] == "other"


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("choose", {"value": "colour"}, 400),
        ("choose", {"value": "unsure"}, 400),
        ("choose", {"value": "billing", "output": "subject"}, 400),
        ("choose", {}, 400),
        ("choose", {"value": "x" * 100_000}, 413),
        ("nowhere", {}, 404),
        ("look/%2e%2e/app.py", {}, 404),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(
    visitor: Visitor, path: str, fields: dict[str, str], status: int
) -> None:
    shown = form(visitor.get())
    before = items()

    answer = visitor.post(path, **{**shown, **fields})

    assert answer.status_code == status
    assert "That did not work." in answer.text
    assert items() == before
    assert form(visitor.get()) == shown


def test_what_aws_refuses_is_said_and_can_be_tried_again(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = form(visitor.get())
    expired = {"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}

    def fail(self: TicketTable, change: Any) -> Any:
        raise ClientError(expired, "UpdateItem")  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(TicketTable, "write_one", fail)
        answer = visitor.post("choose", **fields, value="billing")
    assert (answer.status_code, "log in again" in answer.text) == (502, True)
    assert form(visitor.get()) == fields

    visitor.post("choose", **fields, value="billing")
    assert item("T-1")["category"] == "billing"
