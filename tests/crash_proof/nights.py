"""The small night, in all the circumstances in which it must survive."""

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle
from typing import Any

from nightshift.task.request import version_of
from nightshift.tickets.attribute import digest
from tests.crash_proof.checks import at_any_time, violations
from tests.crash_proof.driver import Endless, Operator, Start
from tests.crash_proof.faults import Fault, modes_of
from tests.crash_proof.world import (
    HEALTHY,
    Noted,
    Prompt,
    Stranger,
    Trouble,
    Workshop,
    World,
    workshop,
)
from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import Life

EMPTY = "t-05"
_until_exit = ExitStack()
IDS = [*(f"t-{n:02}" for n in range(1, 10)), "t-1 ü", "t-2 " + "long " * 100, "t-3"]
# Three batches of 4, 4 and 3; what these three need makes a second round.
TWICE = {"word-2": "expired", "word-8": "expired", "word-10": "succeeded"}
SUBJECTS = ("refund", "password", "error", "suggest", "something")


def tickets() -> list[dict[str, Any]]:
    """Eleven tickets with a text whose third word names it, and one without any."""
    return [
        {
            "ticket_id": name,
            "subject": None if name == EMPTY else f"word-{number}",
            "body": None if name == EMPTY else f"about {SUBJECTS[number % 5]}",
        }
        for number, name in enumerate(IDS)
    ]


def answered_before(world: World) -> dict[str, Any]:
    """A ticket in the middle of the round that an earlier night has answered."""
    texts = {"subject": "word-again", "body": "about refund"}
    return {
        "ticket_id": "t-06 again",
        **texts,
        "category": "billing",
        "classified_as": "billing",
        "classified_from": digest({"S": text} for text in texts.values()),
        "classified_with": version_of(world.task, world.settings.model),
    }


def knowing(tickets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same tickets with a right answer that is known: the stand-in's for every other, another
    for some, and one that the task does not have."""
    known = ("billing", "billing", "technical", "technical", "something else")
    pairs = zip(tickets, cycle(known), strict=False)
    return [{**ticket, "expected_category": category} for ticket, category in pairs]


def rules() -> list[RowRule]:
    """What goes otherwise the first time: two expire, one answer is no category."""
    said: dict[str, dict[str, str]] = {"expired": {}, "succeeded": {"text": "bananas"}}
    return [
        RowRule({"type": kind, **said[kind]}, contains=f"{word}\n", times=1)
        for word, kind in TWICE.items()
    ]


# Which faults are tried in which circumstances.

IN_DOUBT = (
    "die after",
    "done 14 minutes late",
    "done a minute late",
    "end",
    "lost",
    "stop, goes on last moment",
    "stop, goes on soon",
    "timeout before",
)


KILLS = (
    "aws lost",
    "aws some done, time over",
    "cut silently",
    "die after",
    "die before",
    "stop, goes on soon",
)


def _all(noted: Noted, mode: str) -> bool:
    return not mode.startswith("pause")


def _dies_or_ends(noted: Noted, mode: str) -> bool:
    return noted.changes_anything and mode in ("die after", "end", "stop, goes on soon")


def _first_steps(noted: Noted, mode: str) -> bool:
    """Later, one of two executions has ended."""
    return noted.number < 40 and mode in ("die after", "end", "pause", "pause to the last moment")


def _deaths(noted: Noted, mode: str) -> bool:
    return noted.changes_anything and mode == "die after"


def _deaths_but_in_readings(noted: Noted, mode: str) -> bool:
    """A hundred readings in a row that all fail are one place to die."""
    return noted.operation != "results" and _deaths(noted, mode)


def _deaths_but_in_creates(noted: Noted, mode: str) -> bool:
    """A create whose answer is lost is looked for in the list, which never shows what Claude does
    not know: that an accepted batch is listed in time is what the protocol assumes."""
    return noted.operation != "create" and _deaths(noted, mode)


def _deaths_in_collect(noted: Noted, mode: str) -> bool:
    return noted.function == "collect" and _deaths(noted, mode)


def _kills_in_collect(noted: Noted, mode: str) -> bool:
    """At every call, also where the function lives on beside the one that is called again."""
    return noted.function == "collect" and mode in KILLS


def _deaths_in_submit(noted: Noted, mode: str) -> bool:
    return noted.function == "submit" and noted.changes_anything and mode in ("die after", "end")


def _creates(noted: Noted, mode: str) -> bool:
    return noted.operation == "create" and mode in IN_DOUBT


def _intents(noted: Noted, mode: str) -> bool:
    return noted.operation in ("TransactWriteItems", "create") and mode in IN_DOUBT


@dataclass(frozen=True)
class Scenario:
    """Circumstances that hold for a whole night; `tries` says which single faults are tried in it,
    `unfair` which would break the assumption that an accepted batch is listed in time.
    `asks_in_vain`: one more ticket asks, and its last answer still stands. `knows`: the right
    answers are known beforehand, and some of Claude's are others."""

    name: str
    tries: Callable[[Noted, str], bool]
    unfair: tuple[str, ...] = ()
    starts: tuple[Start, ...] = ()
    seconds: float = 400.0
    list_lag: float = 0.0
    stranger: Stranger | None = None
    collect_seconds: float = 600.0
    unanswered: tuple[str, ...] = ()
    budgets: tuple[str, str] = ("25", "1000")
    impatient: range = range(0)
    trouble: Trouble | None = None
    interrupt: str = ""
    prompt: Prompt = HEALTHY
    attempts: int = 2
    rest: float = 0.0
    next_run: bool | None = None
    asks_in_vain: bool = False
    knows: bool = False


@dataclass(frozen=True)
class Case:
    """One night: a scenario and the faults that strike in it."""

    scenario: Scenario
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        return f"{self.scenario.name}: {', '.join(map(str, self.faults)) or 'no fault'}"


@dataclass(frozen=True)
class Played:
    """How a night went. `story` is its journal, one line a call."""

    case: Case
    calls: tuple[Noted, ...]
    problems: tuple[str, ...]
    story: tuple[str, ...] = field(repr=False, default=())

    @property
    def struck(self) -> int:
        """How many of the case's faults were met."""
        return sum(fault.number < len(self.calls) for fault in self.case.faults)


def play(case: Case, workshop: Workshop) -> Played:
    """Play one night and check it."""
    scenario = case.scenario
    life = Life(seconds=scenario.seconds, list_lag_seconds=scenario.list_lag, cancel_seconds=1)
    faults = {fault.number: fault for fault in case.faults}
    world = World(
        workshop,
        faults,
        life,
        rules(),
        scenario.stranger,
        scenario.collect_seconds,
        scenario.unanswered,
        scenario.budgets,
        scenario.trouble,
        scenario.interrupt,
        scenario.prompt,
    )
    world.settings = world.settings.model_copy(update={"max_attempts": scenario.attempts})
    workshop.world = world
    written = knowing(tickets()) if scenario.knows else tickets()
    if scenario.asks_in_vain:
        written.append(answered_before(world))
    for ticket in written:
        _write(world, ticket)
    # Every other night is carried on under the next date.
    next_run = sum(faults) % 2 == 1 if scenario.next_run is None else scenario.next_run
    operator = Operator(
        world, scenario.starts, scenario.impatient, next_run, scenario.rest, at_any_time
    )
    try:
        operator.play()
        problems = list(violations(world, written))
    except Endless as endless:
        problems = [str(endless), *world.alarms]
    except AssertionError as broken:
        problems = [str(broken), *world.alarms]
    return Played(case, tuple(world.journal), tuple(problems), _story(world, operator))


def _story(world: World, operator: Operator) -> tuple[str, ...]:
    ends = [
        f"{e.arn[-2:]}  {world.executions[e.arn]} {e.error or (e.report or {}).get('status', '')}"
        for e in operator.executions
    ]
    return (*map(str, world.journal), "", *ends)


def _write(world: World, ticket: dict[str, Any]) -> None:
    values = {key: {"S": value} for key, value in ticket.items() if value is not None}
    world.put("tickets", {**values, "classification_status": {"S": "pending"}})


# Almost as late as the protocol allows, and modes that would come on top of it.
LAG, LATE = 800.0, ("done 14 minutes late",)
NEVER = ("lost",) * 20
EVERYTHING = ("retrieve", "results", "cancel", "delete", "list")
LOST = Trouble(EVERYTHING, 404)
A_NIGHT, OVER_A_DAY, REST = 30_000.0, 110_000.0, 40_000.0
UNKNOWN, UNREADABLE = Trouble(EVERYTHING, 404, A_NIGHT), Trouble(("results",), 503, A_NIGHT)
NEW, BROKEN = Prompt(passed=False), Prompt(passed=False, broken=True)
BREAKS_LATER = Prompt(broken=True)
STATES_THAT_TELL = ("_record", "_tell", "_mark_as_told")
PLAIN = Scenario("plain", _all)
IMPATIENT = Scenario("an impatient operator", _intents, impatient=range(2, 12))
SCENARIOS = (
    PLAIN,
    Scenario("trigger delivered twice", _first_steps, starts=(Start(0),)),
    Scenario("a ticket asks in vain", _deaths_in_submit, asks_in_vain=True, starts=(Start(0),)),
    Scenario("right answers are known", _kills_in_collect, knows=True),
    Scenario("right answers are known, little time in collect", _deaths_in_collect, knows=True,
             collect_seconds=50.0),
    Scenario("canceled meanwhile", _deaths, starts=(Start(6, {"action": "cancel"}),)),
    Scenario("little time in collect", _deaths_in_collect, collect_seconds=50.0),
    Scenario("the list lags", _creates, list_lag=LAG, unfair=LATE),
    Scenario("a stranger before us", _creates, stranger=Stranger(True, 100.0)),
    Scenario("a stranger after us", _creates, stranger=Stranger(False, 100.0)),
    Scenario("a slow stranger", _creates, stranger=Stranger(False, 2000.0)),
    Scenario("a stranger, and the list lags", _creates, list_lag=LAG, unfair=LATE,
             stranger=Stranger(False, 100.0)),
    Scenario("no answers", _deaths_in_submit, unanswered=NEVER),
    Scenario("no answers, a stranger before us", _creates, unanswered=NEVER,
             stranger=Stranger(True, 100.0)),
    Scenario("no answers, a stranger after us", _creates, unanswered=NEVER,
             stranger=Stranger(False, 100.0)),
    Scenario("no answers, a slow stranger", _creates, unanswered=NEVER,
             stranger=Stranger(False, 2000.0)),
    Scenario("no answers, the list lags", _creates, unanswered=NEVER, list_lag=LAG, unfair=LATE),
    Scenario("no answers, a stranger, and the list lags", _creates, unanswered=NEVER,
             list_lag=LAG, unfair=LATE, stranger=Stranger(False, 100.0)),
    Scenario("no answers, a slow stranger, and the list lags", _creates, unanswered=NEVER,
             list_lag=LAG, unfair=LATE, stranger=Stranger(False, 2000.0)),
    Scenario("no answers, a stranger who tidies up", _creates, unanswered=NEVER,
             stranger=Stranger(False, 260.0, deletes=True)),
    # Ours may be held for another of ours while we look for it.
    Scenario("two creates in doubt, one stranger, a little lag", _creates,
             unanswered=("lost", "timeout before"), list_lag=250.0, unfair=LATE,
             stranger=Stranger(True, 100.0, times=1), seconds=4000.0),
    Scenario(
        "two creates in doubt, one slow stranger, a little lag", _creates,
             unanswered=("lost", "timeout before"), list_lag=250.0, unfair=LATE,
             stranger=Stranger(True, 700.0, times=1), seconds=4000.0),
    Scenario("three creates in doubt, one stranger, a little lag", _creates,
             unanswered=("lost", "lost", "timeout before"), list_lag=250.0, unfair=LATE,
             stranger=Stranger(False, 100.0, times=1), seconds=4000.0),
    # Room for two batches at their bounds, or for all that is paid in the end.
    Scenario("a tight run", _intents, budgets=("0.0045", "1000"), starts=(Start(0),)),
    Scenario("a tight month", _intents, budgets=("25", "0.0045"), starts=(Start(0),)),
    IMPATIENT,
    # A task version that has not passed yet, and one whose answers are prose.
    Scenario("a new task", _deaths, prompt=NEW),
    Scenario("a new task, an impatient operator", _intents, prompt=NEW, impatient=range(2, 12)),
    Scenario("a new task, and the first batch is lost", _deaths_but_in_creates,
             prompt=NEW, trouble=LOST, rest=REST),
    Scenario("a broken prompt", _dies_or_ends, prompt=BROKEN, attempts=9),
    Scenario("a broken prompt, the next date finishes it", _deaths, prompt=BROKEN, attempts=9,
             next_run=True),
    Scenario("a broken prompt, little time in collect", _deaths_in_collect, prompt=BROKEN,
             attempts=9, collect_seconds=50.0),
    Scenario("a prompt that breaks later", _deaths, prompt=BREAKS_LATER, attempts=9),
    *(
        Scenario(f"a broken prompt, stopped before{state.replace("_", " ")}", _deaths,
                 prompt=BROKEN, attempts=9, interrupt=state)
        for state in STATES_THAT_TELL
    ),
    # A batch that cannot be read, and what becomes of it in the nights after.
    Scenario("a batch is lost", _deaths_but_in_creates, trouble=LOST, rest=REST),
    Scenario("a batch is lost, the next date finishes it", _deaths_but_in_creates,
             trouble=LOST, rest=REST, next_run=True),
    Scenario("a batch is unknown for a night", _deaths_but_in_creates, trouble=UNKNOWN, rest=REST),
    Scenario("results cannot be read for a night", _deaths_but_in_readings,
             trouble=UNREADABLE, rest=REST),
    Scenario("results cannot be read for over a day", _deaths_but_in_readings, rest=REST,
             trouble=Trouble(("results",), 503, OVER_A_DAY)),
    Scenario("canceled while one is unknown", _deaths_but_in_creates,
             trouble=LOST, rest=REST, starts=(Start(6, {"action": "cancel"}),)),
    Scenario("canceled while one is unknown for a night", _deaths_but_in_creates,
             trouble=UNKNOWN, rest=REST, starts=(Start(6, {"action": "cancel"}),)),
    Scenario("canceled after one was set aside", _deaths_but_in_readings,
             trouble=UNREADABLE, rest=REST,
             starts=(Start(160, {"action": "cancel"}),)),
    *(
        Scenario(f"a red night, stopped before{state.replace("_", " ")}",
                 _deaths_but_in_creates, trouble=UNKNOWN, rest=REST, interrupt=state, next_run=True)
        for state in STATES_THAT_TELL
    ),
)  # fmt: skip


def clean(scenario: Scenario) -> Case:
    """The night without a fault: its calls are the places where one can strike."""
    return Case(scenario, ())


@cache
def our_workshop() -> Workshop:
    """This process's own, open until it ends."""
    return _until_exit.enter_context(workshop())


def play_here(case: Case) -> Played:
    return play(case, our_workshop())


def singles(scenario: Scenario, calls: Sequence[Noted]) -> list[Case]:
    """Every fault that this scenario tries, at every call."""
    return [
        Case(scenario, (Fault(noted.number, mode),))
        for noted in calls
        for mode in modes_of(noted.service, noted.operation)
        if scenario.tries(noted, mode) and mode not in scenario.unfair
    ]


def sampled(cases: Sequence[Case], calls: Sequence[Noted]) -> list[Case]:
    """One case for each mode, service and function: that in the middle of the night."""
    alike: dict[tuple[str, ...], list[Case]] = {}
    for case in cases:
        fault = case.faults[0]
        call = calls[fault.number]
        alike.setdefault((fault.mode, call.service, call.function), []).append(case)
    return [group[len(group) // 2] for group in alike.values()]


def random_pair(chance: random.Random, scenario: Scenario, calls: Sequence[Noted]) -> Case:
    """Two faults, the second soon after the first, whatever call it then meets."""
    first = chance.randrange(len(calls))
    second = first + chance.randint(1, 40)
    faults = [Fault(n, draw=chance.random(), unfair=scenario.unfair) for n in (first, second)]
    return Case(scenario, tuple(faults))
