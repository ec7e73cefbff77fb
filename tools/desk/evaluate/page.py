"""The figures as one self-contained HTML page: no script, nothing loaded, no text of a ticket."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from nightshift.quality.statistics import ByClass, Classes
from tools import words
from tools.desk.evaluate import screen
from tools.desk.evaluate.judging import NO_ANSWER, Card, Flips
from tools.desk.try_task.screen import usd
from tools.pages.rightness import Confusion, named
from tools.pages.templates import environment
from tools.version import VERSION

MOST_CONFUSIONS = 40
_UNUSABLE, _NOTHING = "(not allowed by the task)", "nothing"
MOST_IDS = 200


@dataclass(frozen=True, slots=True)
class Figures:
    """One output of a series as it is drawn."""

    output: str
    classes: list[tuple[ByClass, None]]
    confusions: list[Confusion]


def page(file: str, cards: Sequence[Card], changes: Sequence[Flips], note: str = "") -> str:
    """The page. `note` is said under the headline, such as who answered."""
    made = environment(Path(__file__).parent)
    made.filters |= {"percent": screen.percent, "usd": usd}
    return made.get_template("evaluation.html.j2").render(
        file=file,
        cards=cards,
        changes=changes,
        best=max(cards, key=lambda card: card.accuracy or 0.0),
        note=note,
        count=words.count,
        duration=words.duration,
        figures=lambda card: [_figures(card, output) for output in card.outputs],
        notes=screen.notes,
        verdict=screen.verdict,
        most_confusions=MOST_CONFUSIONS,
        most_ids=MOST_IDS,
        made_at=datetime.now(UTC),
        version=VERSION,
    )


def _figures(card: Card, output: str) -> Figures:
    classes = [(replace(each, name=_named((each.name,))), None) for each in card.classes(output)]
    confusions = [
        Confusion(_named(expected), _named(answered), tickets)
        for (expected, answered), tickets in card.confusions(output)
    ]
    return Figures(output, classes, confusions)


def _named(classes: Classes) -> str:
    names = (_UNUSABLE if each == NO_ANSWER else named(each) for each in classes)
    return ", ".join(names) or _NOTHING
