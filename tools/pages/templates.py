"""HTML from templates. What strangers wrote is escaped, and cannot turn the text around it."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tools import words

PAGES = Path(__file__).parent
LONGEST_ID = 48


def environment(*folders: Path) -> Environment:
    """Templates of these folders, which may extend `report.html.j2`; counts, amounts and shares as
    people read them."""
    made = Environment(
        loader=FileSystemLoader([*folders, PAGES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": "{:,}".format,
        "usd": words.usd,
        "share": words.share,
        "short": _short,
    }
    return made


def _short(text: str, most: int = LONGEST_ID) -> str:
    """The start of a long text."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _visible(value: Any) -> Any:
    """What strangers wrote, without what would turn or move the text around it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
