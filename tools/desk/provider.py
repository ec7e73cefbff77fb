"""Who answers a command of the desk: the stand-in, or Claude itself with the user's key."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightshift.claude.client import Claude
from tools.local.night.claude import real_claude, stand_in

STAND_IN, REAL = "stand-in", "real"
STAND_IN_SAYS = "The stand-in answered: it knows keywords and hashes. Its accuracy says nothing."


@contextmanager
def answering(kind: str, directory: Path) -> Iterator[Claude]:
    """The client of the night, connected. `ANTHROPIC_BASE_URL` names another address for Claude.

    Raises ClaudeMissing if nobody is there to answer.
    """
    if kind == REAL:
        real = real_claude()
        url = os.environ.get("ANTHROPIC_BASE_URL", "").strip() or real.url
        yield Claude(url, lambda _: real.api_key)
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with stand_in(directory / "stand-in.log") as started:
        yield Claude(started.url, lambda _: started.api_key)
