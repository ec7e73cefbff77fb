"""The look that all pages share: each page brings along every colour that it uses."""

import re
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
STYLES = {file.name: file.read_text() for file in TOOLS.glob("**/*.css")}
TEMPLATES = {file.name: file.read_text() for file in TOOLS.glob("**/*.html.j2")}
EXTENDS = re.compile(r'{% extends "(.+?)" %}')
WHOLE = {name for name, html in TEMPLATES.items() if "<head>" in html or EXTENDS.match(html)}


def styles(name: str) -> list[str]:
    """The names of the styles that a page brings along, in their order."""
    frame = EXTENDS.match(TEMPLATES[name])
    own = re.findall(r"[\"/](\w+\.css)\"", TEMPLATES[name])
    return [*(styles(frame[1]) if frame else []), *own]


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_page_brings_the_look_along_and_every_variable_that_it_uses(name: str) -> None:
    brought = styles(name)
    css = "".join(STYLES[style] for style in brought)

    used = set(re.findall(r"var\((--[\w-]+)\)", css + TEMPLATES[name]))
    assert brought[0] == "look.css"
    assert used <= set(re.findall(r"(--[\w-]+):", css + TEMPLATES[name]))


def test_there_are_pages_and_no_style_is_left_over() -> None:
    assert len(WHOLE) >= 4
    assert {style for name in WHOLE for style in styles(name)} == STYLES.keys()
