"""Nights that ended by themselves, well or early, and those that have not ended."""

from collections.abc import Callable
from math import ceil, floor, log10

from tests.operator.night_report.advice import Action, Verdict, pending, start, start_again
from tests.operator.night_report.facts import Facts
from tests.operator.night_report.words import count, number, usd

ALL_WELL, NOTICED = "All well", "Done, but look at this"
# From this share of a run's tickets on, those that were given up deserve a look.
MANY_FAILED = 0.05
LEAST_FAILED = 3


def complete(facts: Facts) -> Verdict:
    classified, failed = facts.tally.classified, facts.failed
    if not classified and not failed and not facts.tally.superseded:
        return Verdict("good", "Nothing to do", "No ticket asked for a category.")
    have = f"{count(classified, 'ticket has', 'tickets have')} a category"
    many = failed >= LEAST_FAILED and failed > MANY_FAILED * (classified + failed)
    if not failed:
        return Verdict("good", ALL_WELL, f"{have}; none was given up.")
    title = f"{have}, {number(failed)} {'was' if failed == 1 else 'were'} given up."
    look = Action("Those given up are below, with their reasons. To ask again for them:",
                  f"make tickets-retry STACK={facts.record.stack.name}")  # fmt: skip
    if many:
        return Verdict("attention", "Done, with failures", title, actions=(look,))
    return Verdict("good", ALL_WELL, title)


def partial(facts: Facts, reason: str) -> Verdict:
    have = f"{count(facts.tally.classified, 'ticket has', 'tickets have')} a category"
    waiting = f"{count(pending(facts), 'ticket still asks', 'tickets still ask')} for one"
    title = f"{have}, {waiting}."
    make = _PARTIAL.get(reason)
    if make:
        return make(facts, title)
    label = f"Stopped early: {reason.replace('_', ' ')}"
    return Verdict("attention", label, title, actions=(start_again(facts),))


def _budget(facts: Facts, title: str) -> Verdict:
    notices = facts.record.report.notices if facts.record.report else ()
    if any("MaxMonthlyCostUsd" in notice for notice in notices):
        return _month(notices, title)
    enough = _enough(facts)
    more = f"To have the rest now, start with a larger budget for this run, such as {usd(enough)}:"
    asked = {"run_id": facts.record.night.run_id, "max_cost_usd": enough}
    return Verdict(
        "attention",
        "Budget used up",
        title,
        (
            f"This run spent {usd(facts.cost)} and stopped where another batch might have cost "
            "more than its budget allows. Nothing is wrong, and nothing is lost.",
        ),
        (
            Action("Nothing, if they can wait: the next night takes them, with its own budget."),
            Action(more, start(facts, asked)),
            Action("If it happens every night, deploy with a larger MaxCostUsd."),
        ),
    )


def _month(notices: tuple[str, ...], title: str) -> Verdict:
    """A larger budget for this run would not help."""
    return Verdict("attention", "Month's budget used up", title, actions=(*map(Action, notices),))


def _enough(facts: Facts) -> float:
    """A budget with which everything pending fits, rounded up to two digits."""
    sent = sum(batch.requests for batch in facts.record.night.batches)
    bound = float(sum(batch.bound for batch in facts.record.night.batches))
    needed = facts.cost + (bound / sent if sent else 0.001) * pending(facts) * 1.1
    digit = 10.0 ** (floor(log10(needed)) - 1) if needed else 0.01
    return round(ceil(needed / digit) * digit, 6)


def _rounds(facts: Facts, title: str) -> Verdict:
    return Verdict(
        "attention",
        "Some are left",
        title,
        (f"After {count(len(facts.record.night.rounds), 'round')} some requests were still "
         "without a usable answer.",),
        (Action("Nothing: the next night tries again."),),
    )  # fmt: skip


def _limit(facts: Facts, title: str) -> Verdict:
    return Verdict(
        "attention",
        "Limit reached",
        title,
        ("Whoever started it asked for at most so many requests.",),
        (start_again(facts),),
    )


def _interrupted(facts: Facts, title: str) -> Verdict:
    return Verdict(
        "attention",
        "Only collected",
        title,
        ("This run was finished by a start that sent nothing new for it.",),
        (Action("Nothing: the next night takes what is left."),),
    )


_PARTIAL: dict[str, Callable[[Facts, str], Verdict]] = {
    "budget": _budget,
    "rounds": _rounds,
    "limit": _limit,
    "interrupted": _interrupted,
    "collect": _interrupted,
}


def canceled(facts: Facts) -> Verdict:
    kept = count(facts.tally.classified, "ticket has a category", "tickets have a category")
    return Verdict(
        "attention",
        "Canceled",
        f"Somebody canceled this run. What had finished was kept: {kept}.",
        (f"{count(pending(facts), 'ticket asks', 'tickets ask')} for a category now.",),
        (Action("Nothing: the next night takes them. To have it now:", start(facts, {})),),
    )


def running(facts: Facts) -> Verdict:
    waiting = sum(batch.requests for batch in facts.open)
    return Verdict(
        "busy",
        "Running",
        f"The night is at work: {count(facts.tally.classified, 'ticket')} sorted so far, "
        f"{count(waiting, 'request is', 'requests are')} with Claude.",
        actions=(Action("Nothing: make this page again later."),),
    )


def unfinished(facts: Facts) -> Verdict:
    waiting = sum(batch.requests for batch in facts.open)
    return Verdict(
        "bad",
        "Interrupted",
        "This run was stopped before it could report.",
        (f"{count(waiting, 'request is', 'requests are')} still with Claude: the next start "
         "collects them first, and nothing is sent twice.",) if waiting else (),
        (Action("Start again:", start(facts, {})),),
    )  # fmt: skip
