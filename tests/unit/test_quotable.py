"""Claude's words reach people only where they cannot quote a ticket."""

import pytest

from nightshift.claude.quotable import quotable


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("billing_error", "Your credit balance is too low."),
        ("permission_error", "Your key may not use this model."),
        ("not_found_error", "model: claude-haiku-9"),
        ("invalid_request_error", "Your credit balance is too low to access the API."),
        (
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on 1 Dec.",
        ),
        (
            "invalid_request_error",
            "You have reached your specified workspace API usage limits.",
        ),
        (
            "invalid_request_error",
            "Outbound web identity federation is disabled for your account.",
        ),
        ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    ],
)
def test_what_is_said_of_the_account_is_passed_on(kind: str, message: str) -> None:
    assert quotable(kind, message) == message


@pytest.mark.parametrize(
    "message",
    [
        "messages.0.content: 'xylograph' is not allowed",
        "xylograph: unexpected",
        "model.xylograph: unexpected",
        "prompt is too long: 9 tokens > 8 maximum: xylograph",
        "x" * 1000 + "xylograph",
        "",
    ],
)
@pytest.mark.parametrize("kind", ["invalid_request_error", "api_error", "None"])
def test_words_that_may_quote_a_ticket_are_not(kind: str, message: str) -> None:
    said = quotable(kind, message)

    assert "xylograph" not in said
    assert "are not repeated" in said
    assert len(said) < 200


def test_the_parameter_that_is_complained_of_is_named() -> None:
    said = quotable("invalid_request_error", "requests.3.params.max_tokens: 'xylograph' > 64000")

    assert "about requests.3.params.max_tokens," in said


def test_a_long_message_is_cut() -> None:
    assert len(quotable("permission_error", "x" * 100_000)) == 600


@pytest.mark.parametrize(
    "code", ["workspace_human_review_disabled", "organization_on_hold", "cmek_key_disabled"]
)
def test_an_error_code_of_the_account_lets_its_words_through(code: str) -> None:
    said = "The request's Workspace has Human Review turned off."

    assert quotable("invalid_request_error", said, code) == said


@pytest.mark.parametrize("code", ["", "image_dimensions_too_large", "made_up"])
def test_another_error_code_does_not(code: str) -> None:
    assert "xylograph" not in quotable("invalid_request_error", "It says 'xylograph'.", code)
