"""Cells of CSV that a spreadsheet does not take for formulas, and the way back."""

import re

# What a spreadsheet takes for the start of a formula, with or without apostrophes in front.
_WOULD_CALCULATE = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guarded(text: str) -> str:
    """A text as a cell: an apostrophe more in front of what could be a formula."""
    return f"'{text}" if _WOULD_CALCULATE.match(text) else text


def unguarded(cell: str) -> str:
    """The text of a cell: one apostrophe less in front of what could be a formula."""
    return cell[1:] if _GUARDED.match(cell) else cell
