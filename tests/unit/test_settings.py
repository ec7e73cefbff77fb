"""The environment is read once, and what is wrong with it is named."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from nightshift.errors import SettingsInvalid
from nightshift.settings import Settings, settings

ENVIRONMENT = {
    "TICKET_TABLE": "tickets",
    "RUN_TABLE": "runs",
    "API_KEY_SECRET": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key",
    "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
    "MODEL": "claude-haiku-4-5",
    "TASK": "ticket-classification",
    "POLL_SECONDS": "60",
    "MAX_REQUESTS_PER_BATCH": "10000",
    "MAX_ATTEMPTS": "3",
    "MAX_COST_USD": "0.1",
    "MAX_MONTHLY_COST_USD": "20",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_the_environment_becomes_settings() -> None:
    assert settings() == Settings(
        TICKET_TABLE="tickets",
        RUN_TABLE="runs",
        API_KEY_SECRET=ENVIRONMENT["API_KEY_SECRET"],
        ANTHROPIC_BASE_URL="https://api.anthropic.com",
        MODEL="claude-haiku-4-5",
        TASK="ticket-classification",
        POLL_SECONDS=60,
        MAX_REQUESTS_PER_BATCH=10_000,
        MAX_ATTEMPTS=3,
        MAX_COST_USD=Decimal("0.1"),
        MAX_MONTHLY_COST_USD=Decimal(20),
    )


def test_the_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings()
    monkeypatch.setenv("MODEL", "claude-haiku-5-5")

    assert settings() is before


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(SettingsInvalid, match=name):
        settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TICKET_TABLE", ""),
        ("RUN_TABLE", ""),
        ("API_KEY_SECRET", ""),
        ("ANTHROPIC_BASE_URL", "api.anthropic.com"),
        ("ANTHROPIC_BASE_URL", "file:///etc/passwd"),
        ("MODEL", ""),
        ("TASK", ""),
        ("POLL_SECONDS", "59"),
        ("POLL_SECONDS", "soon"),
        ("MAX_REQUESTS_PER_BATCH", "0"),
        ("MAX_REQUESTS_PER_BATCH", "100001"),
        ("MAX_REQUESTS_PER_BATCH", "1.5"),
        ("MAX_ATTEMPTS", "0"),
        ("MAX_COST_USD", "0"),
        ("MAX_COST_USD", "-1"),
        ("MAX_COST_USD", "NaN"),
        ("MAX_COST_USD", "Infinity"),
        ("MAX_MONTHLY_COST_USD", "-1"),
        ("MAX_MONTHLY_COST_USD", "NaN"),
    ],
)
def test_a_malformed_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid, match=name) as refused:
        settings()

    assert sum(each in str(refused.value) for each in ENVIRONMENT) == 1


def test_no_value_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLL_SECONDS", "sk-ant-secret")

    with pytest.raises(SettingsInvalid) as refused:
        settings()

    assert "sk-ant-secret" not in str(refused.value)
