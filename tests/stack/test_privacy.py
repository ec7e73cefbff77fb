"""Whoever quotes a ticket back, no text of it is passed on.

That nothing was said anywhere (logs, histories, messages, metrics, the run table) is checked after
every test of this directory, the faults and the killed functions too, with all logs at DEBUG.
"""

from typing import Any

import pytest

from tests.stack.stack import CANARY, Stack


def invalid(message: str) -> dict[str, Any]:
    error = {"type": "invalid_request_error", "message": message}
    return {"type": "errored", "error": error}


@pytest.mark.parametrize("message", [f"messages.0.content: no '{CANARY}' here", f"{CANARY}?"])
def test_a_batch_that_claude_refuses_in_a_tickets_words(stack: Stack, message: str) -> None:
    stack.put("A", "B")
    stack.claude.control.add_rows({"outcome": invalid(message)})

    night = stack.run()

    assert (night.status, night.error) == ("FAILED", "ClaudeRejected")
    assert "in words that may quote a ticket" in night.cause


def test_a_create_that_claude_refuses_in_a_tickets_words(stack: Stack) -> None:
    stack.put("A")
    answer = {"status": 400, "message": f"requests.0.params.max_tokens: why {CANARY}?"}
    stack.claude.control.add_faults({"on": "create", "do": {"answer": answer}})

    night = stack.run()

    assert (night.status, night.error) == ("FAILED", "ClaudeRejected")
    assert "about requests.0.params.max_tokens" in night.cause


def test_answers_and_errors_that_quote_their_tickets(stack: Stack) -> None:
    stack.put("quoted", "refused", "busy", "cut")
    busy = {"type": "errored", "error": {"type": "overloaded_error", "message": CANARY}}
    stack.claude.control.add_rows(
        {"contains": "(quoted,", "outcome": {"type": "succeeded", "text": f"{CANARY}: billing"}},
        {"contains": "(refused,", "outcome": invalid(f"no {CANARY}")},
        {"contains": "(busy,", "outcome": busy, "times": 1},
    )
    stack.claude.control.add_faults(
        {"on": "list", "do": {"answer": {"status": 500, "message": CANARY}}},
        {"on": "retrieve", "do": {"answer": {"status": 529, "html": f"<h1>{CANARY}</h1>"}}},
        {"on": "results", "do": {"stream": {"end": "cut", "after": 2, "within_line": True}}},
    )

    night = stack.run()

    assert night.output["status"] == "complete"
    assert (night.output["classified"], night.output["failed"]) == (2, 2)


def test_the_search_finds_what_is_said(stack: Stack) -> None:
    """The key in a state's input and a ticket's text in the run table do not go unnoticed."""
    stack.put_record({"run_id": "2026-11-22", "record": "failure#x", "cause": f"quoting {CANARY}"})
    stack.run(run_id=f"{stack.claude.api_key}", limit=0)

    said = dict(stack.everything_said())

    assert CANARY in said["run table"]
    assert stack.claude.api_key in said[stack.nights[0].arn]
    stack.forget()
