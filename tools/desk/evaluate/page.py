"""The figures as one self-contained HTML page: no script, nothing loaded, no text of a ticket."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools import words
from tools.desk.evaluate import screen
from tools.desk.evaluate.judging import Card, Flips
from tools.desk.try_task.screen import usd
from tools.operate import night_report
from tools.pages.templates import environment
from tools.version import VERSION

MOST_CONFUSIONS = 40
MOST_IDS = 200
_LOOK = Path(night_report.__file__).parent


def page(file: str, cards: Sequence[Card], changes: Sequence[Flips], note: str = "") -> str:
    """The page. `note` is said under the headline, such as who answered."""
    made = environment(Path(__file__).parent, _LOOK)  # page.css is the night report's
    made.filters |= {"percent": screen.percent, "usd": usd, "spelled": ", ".join}
    return made.get_template("evaluation.html.j2").render(
        file=file,
        cards=cards,
        changes=changes,
        best=max(cards, key=lambda card: card.accuracy or 0.0),
        note=note,
        count=words.count,
        duration=words.duration,
        notes=screen.notes,
        verdict=screen.verdict,
        most_confusions=MOST_CONFUSIONS,
        most_ids=MOST_IDS,
        made_at=datetime.now(UTC),
        version=VERSION,
    )
