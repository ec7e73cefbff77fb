"""A corrected ticket as an example for the task file."""

import tomllib
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from nightshift.tickets import attribute
from nightshift.tickets.ticket import Ticket
from tests.tasks import changed
from tools.operate.corrections.examples import example as made_example
from tools.operate.corrections.examples import spelled

WORDS = st.text(st.characters(categories=["L", "N", "P", "S"]))


@example(subject="1 &lt;b&gt; 2", body="&amp;amp; &lt;script&gt;x&lt;/script&gt; &amp;#65;")
@given(subject=st.text(), body=st.text() | st.integers() | st.dictionaries(WORDS, WORDS))
def test_an_example_shows_claude_what_it_read_of_the_ticket(subject: str, body: Any) -> None:
    """But for white space and control characters in maps and lists, which an example folds."""
    asked = changed(redact=["email"])
    value = attribute.spelled(body) if not isinstance(body, dict) else _map(body)
    inputs = {"subject": {"S": subject}, "body": value}
    ticket = Ticket("T-1", {"classification_status": None}, inputs, marks=_marks("billing"))
    found = made_example(asked, ticket)
    assert found is not None

    [read] = tomllib.loads(spelled([found]))["examples"]

    shown = [(read[name], True) for name in asked.input]
    assert asked.message_for(shown) == asked.message_for(ticket.shown)


def _map(values: dict[str, str]) -> dict[str, Any]:
    return {"M": {name: {"S": text} for name, text in values.items()}}


def _marks(category: str) -> dict[str, Any]:
    return {"category": {"S": category}}
