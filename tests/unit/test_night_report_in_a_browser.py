"""The page in a real browser: it fits on a phone and a laptop, by day and by night.

Screenshots of all four stay in `.build/night-report/`, to be looked at.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_night_report import batch, hostile_night, long_night, partial, record
from tools.operate.night_report.page import page

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
SCREENSHOTS = Path(__file__).parents[2] / ".build" / "night-report"
LAPTOP, PHONE = 1280, 390
SECONDS = 60
# Blink's numbers for what the reader's system prefers.
SCHEMES = {"dark": 0, "light": 1}
FRAME = '<iframe title="{name}" srcdoc="{html}" width="{width}" height="{height}"></iframe>'
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
    "budget": record(batch(), report=partial("budget")),
    "long": long_night(),
    "hostile": hostile_night(),
    "empty": record(),
}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here; Debian has it: apt-get install chromium"
)
type Browse = Callable[..., str]


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Open a page in Chromium without a window, and do what the arguments say."""

    def run(html: str, scheme: str, *arguments: str) -> str:
        source = tmp_path / "page.html"
        source.write_text(html)
        ended = subprocess.run(
            [
                str(CHROMIUM), "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
                *arguments, source.as_uri(),
            ],
            capture_output=True, text=True, timeout=SECONDS, check=True,
        )  # fmt: skip
        return ended.stdout

    return run


def framed(nights: dict[str, Any], width: int, height: int) -> str:
    return "".join(
        FRAME.format(name=name, html=escape(page(night)), width=width, height=height)
        for name, night in nights.items()
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_stands_out_of_the_page(browse: Browse, scheme: str) -> None:
    frames = "".join(framed(NIGHTS, width, 800) for width in (LAPTOP, PHONE))

    dom = browse(HARNESS.format(frames=frames), scheme, "--dump-dom")

    raw = dom.partition('id="measured">')[2].partition("</script>")[0]
    measured = json.loads(unescape(raw))
    assert len(measured) == 2 * len(NIGHTS)
    for each in measured:
        assert each["outside"] == [], each["name"]
        assert each["content"] == each["width"], each["name"]
        channels = [int(channel) for channel in each["ground"][4:-1].split(",")]
        assert (sum(channels) / 3 < 64) == (scheme == "dark")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_is_there_to_be_looked_at(browse: Browse, scheme: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    target = SCREENSHOTS / f"{scheme}.png"
    target.unlink(missing_ok=True)
    night = {"long": long_night(20)}
    side_by_side = f'<div style="display:flex">{framed(night, LAPTOP, 2600)}'
    side_by_side += f"{framed(night, PHONE, 2600)}</div>"

    browse(
        HARNESS.format(frames=side_by_side),
        scheme,
        f"--screenshot={target}",
        f"--window-size={LAPTOP + PHONE},2600",
    )

    assert target.stat().st_size > 100_000  # an empty one has a few thousand bytes
