"""The figures as one self-contained HTML page: no script, nothing loaded from anywhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nightshift.ending.mail import percent
from tools import words
from tools.operate.quality.figures import Figures, Rate
from tools.operate.quality.scan import Scan
from tools.operate.quality.screen import LEAST, headline, interval, left_to_people
from tools.operate.stack import Stack
from tools.pages.templates import environment
from tools.version import VERSION

HERE = Path(__file__).parent
IDS = 24
CHANGES = 200
# A chart ends at one of these shares: small ones would be lines without length beside 100 %.
_FREQUENT = 20
_ENDS = (0.05, 0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Chart:
    """Rates under a headline, drawn from 0 to `end`."""

    title: str
    rates: list[tuple[str, Rate]]
    end: float


def page(scanned: Scan, stack: Stack, now: datetime | None = None) -> str:
    """The page. It holds ticket ids, and no text of a ticket."""
    figures = scanned.figures
    made = environment(HERE)
    made.filters["percent"] = percent
    return made.get_template("changes.html.j2").render(
        stack=stack,
        scanned=scanned,
        figures=figures,
        headline=headline(figures),
        story=f"{interval(figures.all)} {LEAST}" if figures.all.of else "",
        charts=_charts(figures),
        confusions=figures.confusions(),
        decided=sum(each.total() for each in figures.decided.values()),
        left=list(left_to_people(figures)),
        most_changes=CHANGES,
        most_ids=IDS,
        count=words.count,
        made_at=now or datetime.now(UTC),
        version=VERSION,
    )


def _charts(figures: Figures) -> list[Chart]:
    classes = [_chart(words.spoken(name), r) for name, r in figures.by_class()]
    versions = [(" ".join(filter(None, pair)), rate) for pair, rate in figures.by_version()]
    return [*classes, _chart("Version of the task", versions)] if versions else classes


def _chart(title: str, rates: Iterable[tuple[str, Rate]]) -> Chart:
    listed = list(rates)
    total = sum(rate.of for _, rate in listed)
    # The interval of a rare answer may be anything: it ends where the chart does.
    frequent = [rate.interval[1] for _, rate in listed if _FREQUENT * rate.of >= total]
    longest = max([*frequent, *(rate.share for _, rate in listed)])
    return Chart(title, listed, next(end for end in _ENDS if longest <= end))
