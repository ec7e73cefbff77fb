"""The local cloud that is kept up: who finds it, and who is told that there is none."""

import json
from pathlib import Path

import pytest

from tools.local.cloud import kept
from tools.local.cloud.cloud import LocalCloud
from tools.operate.stack import Unusable, find

CLOUD = LocalCloud("http://127.0.0.1:4566", Path("somewhere"))


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "FILE", tmp_path / "build" / "local-cloud.json")
    return kept.FILE


def test_a_cloud_is_found_while_it_is_kept_and_not_afterwards(file: Path) -> None:
    with kept.kept_up(CLOUD, "nightshift"):
        assert kept.kept() == (CLOUD, "nightshift")
        assert kept.kept() == (CLOUD, "nightshift")  # looking takes nothing away

    assert not file.exists()
    with pytest.raises(kept.NotKept, match="make run KEEP=1"):
        kept.kept()


def test_a_file_that_a_killed_process_left_is_no_cloud(file: Path) -> None:
    with kept.kept_up(CLOUD, "nightshift"):
        left = file.read_text()
    file.write_text(left)

    with pytest.raises(Unusable, match="No local cloud runs: make run KEEP=1"):
        find("local")


def test_a_longer_file_of_an_earlier_cloud_is_overwritten_whole(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("x" * 5_000)

    with kept.kept_up(CLOUD, "nightshift"):
        assert kept.kept() == (CLOUD, "nightshift")


@pytest.mark.parametrize(
    "endpoint",
    ["https://dynamodb.us-east-1.amazonaws.com", "http://127.0.0.1:80@evil.example", "http://::1"],
)
def test_an_address_that_is_not_of_this_machine_is_refused(endpoint: str) -> None:
    with (
        kept.kept_up(LocalCloud(endpoint, Path("somewhere")), "nightshift"),
        pytest.raises(Unusable, match="not of this machine"),
    ):
        find("local")


@pytest.mark.parametrize("said", ["", "{", "[]", '{"endpoint": 3}', json.dumps({"stack": "x"})])
def test_a_broken_file_is_no_cloud(file: Path, said: str) -> None:
    with kept.kept_up(CLOUD, "nightshift"):
        file.write_text(said)

        with pytest.raises(kept.NotKept):
            kept.kept()


def test_the_environment_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATHEIRS")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "https://dynamodb.us-east-1.amazonaws.com")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    with kept.kept_up(CLOUD, "nightshift"):
        cloud, _ = kept.kept()

    client = cloud.client("dynamodb")

    assert client.meta.endpoint_url == CLOUD.endpoint
    assert client._request_signer._credentials.access_key == "test"
    assert client.meta.config.proxies == {}
