"""Redaction on the way to Claude: what is sent, what is kept of it, what a dry run reckons with."""

from pathlib import Path

import pytest

from tests.moto.scene import DAY, Scene
from tests.tasks import FILE

PRIVATE = "I am john.the.first.of.his.name@mail.example.com; 4111 1111 1111 1111 or a@b.co"
SENT = "I am [email]; [card] or [email]"


@pytest.fixture
def redacting(scene: Scene, tmp_path: Path) -> Scene:
    """A stack whose task redacts addresses and card numbers."""
    path = tmp_path / "sorting.toml"
    path.write_text(f'redact = ["email", "card"]\n{FILE.read_text(encoding="utf-8")}')
    scene.configure(TASK=path)
    return scene


def test_a_batch_keeps_how_much_was_redacted_and_none_of_it(redacting: Scene) -> None:
    redacting.put("A", "B", body=PRIVATE)

    redacting.send_all(redacting.start())

    [batch] = redacting.stack.ledger.run(DAY).batches
    rows = list(redacting.claude.control.rows(params=True))
    assert batch.redacted == {"email": 4, "card": 2}
    assert [SENT in str(row) for row in rows] == [True, True]
    for kept in (rows, redacting.runs.scan()["Items"]):
        assert not any(private in str(kept) for private in ("example.com", "a@b.co", "1111"))


def test_the_ticket_itself_and_its_digest_know_nothing_of_redaction(redacting: Scene) -> None:
    redacting.put("A", body=PRIVATE)
    before = redacting.ticket("A")
    digest = redacting.stack.tickets.read(["A"], ("subject", "body"))["A"].digest

    redacting.send_all(redacting.start())

    [row] = redacting.claude.control.rows()
    assert digest in row["custom_id"]
    assert redacting.ticket("A") == before


def test_a_dry_run_reckons_with_what_would_be_sent(redacting: Scene) -> None:
    redacting.put("A", "B", "C", body=PRIVATE)
    private = redacting.submit("nobody", dry_run=True)["report"]
    redacting.put("A", "B", "C", body=SENT)

    plain = redacting.submit("nobody", dry_run=True)["report"]

    assert private["input_tokens"] == plain["input_tokens"]
    assert private["estimated_cost_usd"] == plain["estimated_cost_usd"]
