"""The Chromium of this machine, for tests that look at a page. None is ever downloaded."""

import os
import shutil
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Where a Mac keeps them.
_PLACES = [
    folder / f"{name}.app" / "Contents" / "MacOS" / name
    for folder in (Path("/Applications"), Path.home() / "Applications")
    for name in ("Google Chrome", "Chromium", "Microsoft Edge")
]
PATH = next(
    filter(None, [*map(shutil.which, _NAMES), *(str(p) for p in _PLACES if p.is_file())]), None
)
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
)
needed = pytest.mark.skipif(
    PATH is None,
    reason="no Chromium or Chrome here: install one (Debian: apt-get install chromium)",
)
