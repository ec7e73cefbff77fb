"""What stands in an output, as people read it and type it."""

from nightshift.tickets import attribute
from nightshift.tickets.attribute import Attribute


def entries(value: Attribute | None) -> list[str]:
    """Each entry of a list or a set by itself, anything else as the one thing that it is."""
    held = attribute.value(value)
    return held if isinstance(held, list) else [attribute.text(value)]


def said(value: Attribute | None) -> str:
    """All of it in one line; empty where nothing stands there."""
    if value is not None and "BOOL" in value:
        return "yes" if value["BOOL"] else "no"
    return ", ".join(entries(value))
