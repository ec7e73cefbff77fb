"""Tokens are counted by Claude itself, for nothing."""

import os

import pytest

from nightshift.claude.client import Claude
from nightshift.errors import ClaudeRejected
from nightshift.task.request import template_for
from tests.tasks import task
from tools.local.claude_standin import StandIn


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("ANTHROPIC_"):
            monkeypatch.delenv(name)


def provider(stand_in: StandIn) -> Claude:
    return Claude(stand_in.url, lambda fresh: stand_in.api_key)


def test_a_count_is_what_the_request_is_then_billed_for(claude: StandIn) -> None:
    params = template_for(task(), "claude-haiku-5-5").params("Where is my money?")

    counted = provider(claude).count_tokens(params)

    shorter = template_for(task(), "claude-haiku-5-5").params(".")
    assert counted > provider(claude).count_tokens(shorter) > 100
    assert [each["status"] for each in claude.control.requests()] == [200, 200]


def test_params_that_claude_would_refuse_are_refused_when_they_are_counted(claude: StandIn) -> None:
    with pytest.raises(ClaudeRejected, match="400 invalid_request_error"):
        provider(claude).count_tokens({"model": "claude-haiku-4-5", "messages": []})
