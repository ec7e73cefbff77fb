"""`python -m tools.desk.evaluate [--tickets FILE] [--tasks a,b] [--models x,y]`: `make evaluate`.

Exit codes: 0 done; 1 done, but a series is under --min or has no answers, or lines were left out;
2 wrong use, a wrong file, or Claude refuses; 130 Ctrl-C, and the same command carries on.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

from rich.console import Console
from rich.text import Text

from nightshift.claude.client import Claude
from nightshift.errors import NightshiftError
from nightshift.quality.gold import is_comparable
from nightshift.task.task import DEFAULT, check_room, load
from nightshift.tickets.ticket import EXPECTED
from tools.desk import DEFAULT_MODEL
from tools.desk.evaluate import saved, screen
from tools.desk.evaluate.asking import Asker
from tools.desk.evaluate.journal import Busy, Journal
from tools.desk.evaluate.judging import Card, Flips, flips, judge
from tools.desk.evaluate.page import page
from tools.desk.evaluate.series import Series
from tools.desk.files.problems import UnusableFile
from tools.desk.labelled import SAMPLE, read
from tools.desk.provider import REAL, STAND_IN, STAND_IN_SAYS, answering
from tools.local.cloud.cloud import REPOSITORY
from tools.local.night.claude import ClaudeMissing
from tools.local.night.screen import readable
from tools.words import count, duration

DIRECTORY = REPOSITORY / ".build" / "evaluate"
GOOD, LOOK, UNUSABLE, STOPPED = 0, 1, 2, 130
# Seconds between two looks: at the stand-in, and at Claude from the first to the last.
_SOON, _FIRST, _LONGEST = 0.5, 10.0, 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    try:
        before = saved.read(options.against) if options.against else []
        plan, left_out = planned(options)
        with answering(options.claude, DIRECTORY) as claude:
            cards = evaluated(plan, claude, options, console)
    except KeyboardInterrupt:
        console.print(
            " Stopped. The same command carries on, and pays nothing twice.", style="yellow"
        )
        return STOPPED
    except (UnusableFile, ClaudeMissing, Busy, NightshiftError) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE
    changes = compared(cards, before)
    _tell(cards, changes, options, console)
    for line, why in left_out[:3]:
        console.print(Text(f" Left out of {len(left_out):,} lines: line {line}: {why}", "yellow"))
    return LOOK if left_out or any(_is_poor(card, options.min) for card in cards) else GOOD


def planned(options: argparse.Namespace) -> tuple[list[Series], list[tuple[int, str]]]:
    """Every task with every model, over the file; and the lines that hold no ticket.

    Raises UnusableFile, SettingsInvalid, PriceUnknown: nothing is asked then.
    """
    plan: list[Series] = []
    left_out: dict[int, str] = {}
    for name in options.tasks:
        task = load(name)
        rows = read(options.tickets, task, options.map)
        left_out |= dict(rows.left_out)
        if not any(row.expected for row in rows.rows):
            wanted = [
                f"{EXPECTED}{out}" for out, kind in task.output.items() if is_comparable(kind)
            ]
            raise UnusableFile(
                f"{options.tickets} has no right answers for {task.name}: it needs a column such "
                f"as {', '.join(wanted[:3]) or 'none, as texts are not compared'} (or MAP=)."
            )
        for model in options.models:
            task.price_table.of(model)
            check_room(task, model)
            plan.append(Series(task, model, rows.rows))
    return plan, sorted(left_out.items())


def evaluated(
    plan: Sequence[Series], claude: Claude, options: argparse.Namespace, console: Console
) -> list[Card]:
    """Ask whatever has no answer yet, wait, and judge."""
    with ExitStack() as held:
        # A stand-in forgets everything when it ends.
        forgotten = options.claude != REAL
        place = Path(held.enter_context(TemporaryDirectory())) if forgotten else DIRECTORY
        askers = []
        for series in plan:
            journal = Journal(place / series.digest(claude.base_url))
            held.enter_context(journal.alone())
            askers.append(Asker(series, journal, claude))
        _say_what_is_kept(askers, console)
        with console.status("Asking") as status:
            pause = _pause if options.claude == REAL else lambda *_: sleep(_SOON)
            run(askers, lambda said: status.update(Text(said)), pause)
        return [judge(each.series, each.found, took(each)) for each in askers]


def run(
    askers: Sequence[Asker],
    tell: Callable[[str], None],
    pause: Callable[[Sequence[Asker], datetime], None],
) -> None:
    """Take turns until every series is over."""
    started = datetime.now(UTC)
    going = list(askers)
    while going := [asker for asker in going if not asker.turn()]:
        tell(_progress(going, len(askers), started))
        pause(going, started)


def _pause(going: Sequence[Asker], started: datetime) -> None:
    waited = (datetime.now(UTC) - started).total_seconds()
    asked = max(asker.wait for asker in going)
    sleep(max(asked, min(_LONGEST, max(_FIRST, waited / 10))))


def _progress(going: Sequence[Asker], total: int, started: datetime) -> str:
    first = going[0]
    requests = sum(len(sending.rows) for asker in going for sending in asker.open)
    waited = duration(datetime.now(UTC) - started)
    trouble = f" ({first.trouble})" if first.trouble else ""
    return (
        f"{total - len(going)} of {total} done; {count(requests, 'request')} at Claude, {waited}. "
        f"Ctrl-C is safe: the same command carries on.{trouble}"
    )


def _say_what_is_kept(askers: Sequence[Asker], console: Console) -> None:
    for asker in askers:
        if asker.found:
            console.print(
                f" {readable(asker.series.name)}: {len(asker.found):,} answers are kept from "
                f"before, and not asked again ({asker.journal.directory}).",
                style="dim",
            )


def took(asker: Asker) -> timedelta:
    """From the create of the first batch to the end of the last, as the provider says."""
    made = [sending for sending in asker.sendings.values() if sending.state == "collected"]
    starts = [sending.created_at for sending in made if sending.created_at]
    ends = [sending.ended_at for sending in made if sending.ended_at]
    return max(ends) - min(starts) if starts and ends else timedelta()


def compared(cards: Sequence[Card], before: Sequence[Card]) -> list[Flips]:
    """From the first series to each other; and from an earlier evaluation to each series: from the
    one of the same task and model, else from the first there."""
    found = [flips(cards[0], other) for other in cards[1:]]
    for card in cards if before else ():
        same = [e for e in before if (e.task, e.model) == (card.task, card.model)]
        found.append(flips((same or list(before))[0], card))
    return found


def _is_poor(card: Card, least: float) -> bool:
    return card.accuracy is None or card.accuracy < least


def _tell(
    cards: Sequence[Card], changes: Sequence[Flips], options: argparse.Namespace, console: Console
) -> None:
    note = "" if options.claude == REAL else STAND_IN_SAYS
    console.print(screen.comparison(cards, changes))
    for card in cards:
        if options.min and _is_poor(card, options.min):
            said = f" Under MIN={options.min:g}: {card.name} has {screen.percent(card.accuracy)}."
            console.print(Text(said, "bold red"))
    if note:
        console.print(Text(f" {note}", "yellow"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(options.tickets.name, cards, changes, note), encoding="utf-8")
    numbers = options.out.with_suffix(".json")
    numbers.write_bytes(saved.as_json(options.tickets.name, cards, changes, options.claude))
    console.print(f" The page: {options.out.resolve().as_uri()}", soft_wrap=True)
    console.print(f" For AGAINST=: {numbers}", soft_wrap=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make evaluate", description="Tasks and models side by side, over a labelled file."
    )
    parser.add_argument(
        "--tickets",
        type=Path,
        default=SAMPLE,
        metavar="FILE",
        help="CSV, TSV or JSONL with expected_OUTPUT (or a column called like the output); "
        "without it, the labelled sample of 120 tickets",
    )
    parser.add_argument("--tasks", type=_list, default=[DEFAULT], help="names or TOML files")
    parser.add_argument("--models", type=_list, default=[DEFAULT_MODEL])
    parser.add_argument(
        "--claude",
        choices=(STAND_IN, REAL),
        default=STAND_IN,
        help="real: Claude itself, with the key in ANTHROPIC_API_KEY; costs money",
    )
    parser.add_argument("--min", type=_share, default=0.0, help="exit code 1 under it, such as 0.8")
    parser.add_argument("--map", default="", metavar="body=text", help="attribute=column, ...")
    parser.add_argument("--against", type=Path, help="the JSON file of an earlier evaluation")
    parser.add_argument(
        "--out", type=Path, default=DIRECTORY / "evaluation.html", help="default: %(default)s"
    )
    return parser.parse_args(arguments)


def _list(text: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise argparse.ArgumentTypeError("names, separated by commas")
    return names


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("a share from 0 to 1, such as 0.8")
    return share


if __name__ == "__main__":
    sys.exit(main())
