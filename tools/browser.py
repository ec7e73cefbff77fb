"""A page in the browser of whoever is there to see it."""

import os
import sys
import webbrowser
from pathlib import Path

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def is_there() -> bool:
    """Whether there is a screen: without one, a browser of text would take the terminal."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in DISPLAYS)


def show(page: Path) -> bool:
    """Open a page; False where there is no browser, or no screen for it."""
    return visit(page.resolve().as_uri())


def visit(address: str) -> bool:
    """The same of an address."""
    return is_there() and webbrowser.open(address)
