"""The page in a real browser: it fits on a phone and a laptop, by day and by night."""

import json
import subprocess
from html import escape, unescape
from pathlib import Path

import pytest

from tests import chromium
from tests.unit.test_night_report import (
    batch,
    hostile_night,
    known_night,
    long_night,
    partial,
    record,
)
from tools.operate.night_report.page import page

WIDTHS = (1280, 390)
# Blink's numbers for what the reader's system prefers.
SCHEMES = {"dark": 0, "light": 1}
FRAME = '<iframe title="{name}" srcdoc="{html}" width="{width}" height="800"></iframe>'
HARNESS = """<!doctype html><body style="margin:0"><style>iframe{{border:0;display:block}}</style>
{frames}<script type="application/json" id="measured"></script><script>
const outside = (frame) => [...frame.contentDocument.querySelectorAll("body *")].filter((e) => {{
  const box = e.getBoundingClientRect(), style = frame.contentWindow.getComputedStyle(e);
  if (e.closest(".scroll") || !box.width || style.visibility == "hidden") return false;
  const wide = e.clientWidth && e.scrollWidth > e.clientWidth + 1;
  const cut = wide && style.textOverflow != "ellipsis";
  return cut || box.right > frame.width * 1 + 0.5 || box.left < -0.5;
}}).map((e) => `${{e.tagName}}.${{e.className}} ${{e.textContent.trim().slice(0, 40)}}`);
onload = () => {{
  measured.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map((frame) => ({{
    name: frame.title,
    width: frame.width * 1,
    content: frame.contentDocument.documentElement.scrollWidth,
    outside: outside(frame),
    ground: frame.contentWindow.getComputedStyle(frame.contentDocument.body).backgroundColor,
  }})));
}};
</script>"""
NIGHTS = {
    "good": record(batch(1), batch(2)),
    "budget": record(batch(), **partial("budget")),
    "long": long_night(),
    "hostile": hostile_night(),
    "known": known_night(77, "a class with a rather long name of its own {}"),
    "empty": record(),
}

pytestmark = chromium.needed


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_stands_out_of_the_page(tmp_path: Path, scheme: str) -> None:
    frames = [
        FRAME.format(name=name, html=escape(page(night)), width=width)
        for width in WIDTHS
        for name, night in NIGHTS.items()
    ]
    source = tmp_path / "page.html"
    source.write_text(HARNESS.format(frames="".join(frames)))

    dom = subprocess.run(
        [
            str(chromium.PATH), *chromium.FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            "--dump-dom", source.as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip

    raw = dom.partition('id="measured">')[2].partition("</script>")[0]
    measured = json.loads(unescape(raw))
    assert len(measured) == len(frames)
    for each in measured:
        assert each["outside"] == [], each["name"]
        assert each["content"] == each["width"], each["name"]
        channels = [int(channel) for channel in each["ground"][4:-1].split(",")]
        assert (sum(channels) / 3 < 64) == (scheme == "dark")
