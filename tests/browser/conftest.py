"""One Chromium for all tests, and an account of moto's for each."""

import os
from collections.abc import Iterator

import pytest
from moto import mock_aws
from playwright.sync_api import Browser, sync_playwright

from tests import chromium
from tests.moto.scene import create_tables, forget


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.PATH, args=list(chromium.FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    forget()
    with mock_aws():
        create_tables()
        yield
    forget()
