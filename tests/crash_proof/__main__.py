"""The crash proof's command line: every single fault, then random pairs, on several processes."""

import argparse
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import mean

from rich.console import Console
from rich.progress import track

from tests.crash_proof.nights import SCENARIOS, Played, clean, play_here, random_pair, singles
from tests.crash_proof.world import Noted

AROUND = 8  # calls shown before and after a fault
TOLD = 3  # failures told in full
# After a fault a night takes about twice as long: what was lost is looked for, and done again.
LONGER_WITH_A_FAULT = 2.0
console = Console(highlight=False)


def main() -> int:
    asked = arguments()
    seed = random.randrange(10**6) if asked.seed is None else asked.seed
    console.print(f"seed {seed}")
    began = time.monotonic()
    context = get_context("spawn")
    with ProcessPoolExecutor(asked.jobs, context) as pool:
        calls, seconds = clean_nights()
        cases = [case for scenario in SCENARIOS for case in singles(scenario, calls[scenario.name])]
        cases = [case for case in cases if asked.only in str(case)]
        foretell([seconds[case.scenario.name] for case in cases], mean(seconds.values()), asked)
        alone = list(shown(pool.map(play_here, cases, chunksize=4), len(cases), "single faults"))
        together = list(pairs(pool, random.Random(seed), calls, asked))
    failed = [played for played in (*alone, *together) if played.problems]
    for played in failed[:TOLD]:
        tell(played)
    twice = sum(problem.startswith("paid ") for night in failed for problem in night.problems)
    minutes = (time.monotonic() - began) / 60
    console.print(f"seed {seed}, {minutes:.1f} minutes")
    console.print(
        f"survived {survivors(alone)} of {len(alone)} single faults, "
        f"{survivors(together)} of {len(together)} pairs, {twice} requests paid twice"
    )
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash_proof", description=__doc__)
    parser.add_argument("--pairs", type=int, default=300, help="how many random pairs of faults")
    parser.add_argument("--seed", type=int, help="of the pairs; printed when not given")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    return parser.parse_args()


def clean_nights() -> tuple[dict[str, tuple[Noted, ...]], dict[str, float]]:
    """Where a fault can strike, for each scenario, and the seconds that its night takes; a night
    without a fault must be in order."""
    calls, seconds = {}, {}
    for scenario in SCENARIOS:
        began = time.monotonic()
        night = play_here(clean(scenario))
        if night.problems:
            tell(night)
            sys.exit(1)
        calls[scenario.name], seconds[scenario.name] = night.calls, time.monotonic() - began
    return calls, seconds


def foretell(singly: Sequence[float], paired: float, asked: argparse.Namespace) -> None:
    """Say how long it will take, from the seconds of the nights without a fault."""
    minutes = (sum(singly) + asked.pairs * paired) * LONGER_WITH_A_FAULT / asked.jobs / 60
    console.print(
        f"{len(singly):,} nights with one fault, {asked.pairs:,} with two, {asked.jobs} at a time: "
        f"about {max(1, round(minutes))} min"
    )


def pairs(
    pool: ProcessPoolExecutor,
    chance: random.Random,
    calls: dict[str, tuple[Noted, ...]],
    asked: argparse.Namespace,
) -> Iterator[Played]:
    """Nights in which both faults struck; drawn again where the night was over before."""
    missing = asked.pairs
    scenarios = [scenario for scenario in SCENARIOS if asked.only in scenario.name]
    while missing and scenarios:
        drawn = [chance.choice(scenarios) for _ in range(missing)]
        cases = [random_pair(chance, scenario, calls[scenario.name]) for scenario in drawn]
        nights = shown(pool.map(play_here, cases, chunksize=4), len(cases), "pairs")
        struck = [played for played in nights if played.struck == 2 or played.problems]
        missing -= len(struck)
        yield from struck


def shown(nights: Iterable[Played], total: int, what: str) -> Iterator[Played]:
    """The same nights, with a bar, and a line for each that went wrong."""
    for played in track(nights, what, total, console=console):
        if played.problems:
            console.print(f"{played.case}: {played.problems[0]}", markup=False)
        yield played


def survivors(nights: Iterable[Played]) -> int:
    return sum(not played.problems for played in nights)


def tell(played: Played) -> None:
    """The story of a night that went wrong: the calls around its faults, and how it ended."""
    console.print(f"\n[bold red]{played.case}[/]")
    for problem in played.problems:
        console.print(f"  {problem}", markup=False)
    struck = [noted.number for noted in played.calls if noted.fault]
    for number, line in enumerate(played.story):
        near = any(abs(number - fault) <= AROUND for fault in struck)
        if near or number >= len(played.calls):
            console.print(f"  {line}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
