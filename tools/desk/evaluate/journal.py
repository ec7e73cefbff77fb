"""What was sent and what came back, on disk: written before each step, so that no step is paid
twice whenever the command ends."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

State = Literal["creating", "open", "collected", "not_created"]


class Busy(Exception):
    """Another process works on the same series."""


class Sending(Struct, frozen=True):
    """One batch. Its requests are the `rows` of the series, in this order.

    creating: the intent is written, and the batch may or may not exist. open: it exists as
    `batch_id`. collected: its results are stored. not_created: it certainly never existed.
    """

    number: int
    token: str
    rows: tuple[int, ...]
    intent_at: datetime
    state: State = "creating"
    batch_id: str = ""
    created_at: datetime | None = None
    ended_at: datetime | None = None


class Journal:
    """The directory of one series: a file for each sending, and one for its results."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def sendings(self) -> list[Sending]:
        files = sorted(self.directory.glob("*.sending.json"))
        return [msgspec.json.decode(file.read_bytes(), type=Sending) for file in files]

    def write(self, sending: Sending) -> None:
        """Safe on disk when this returns, whole or not at all."""
        place = self.directory / f"{sending.number:04}.sending.json"
        store(place, [msgspec.json.encode(sending)])

    def keep_results(self, sending: Sending, lines: Iterable[bytes]) -> None:
        """Store the results of a batch, all or none."""
        store(self._results(sending), (line + b"\n" for line in lines))

    def has_results(self, sending: Sending) -> bool:
        return self._results(sending).exists()

    def results(self, sending: Sending) -> Iterator[bytes]:
        with self._results(sending).open("rb") as file:
            for line in file:
                yield line.rstrip(b"\n")

    def _results(self, sending: Sending) -> Path:
        return self.directory / f"{sending.number:04}.results.jsonl"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Raises Busy where another process holds the directory."""
        with (self.directory / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy("Another `make evaluate` asks the same: wait for it.") from None
            yield


def store(place: Path, parts: Iterable[bytes]) -> None:
    """Write a file in full or not at all, and have the disk confirm it."""
    unfinished = place.with_suffix(".part")
    with unfinished.open("wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
