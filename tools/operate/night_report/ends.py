"""Nights that ended by themselves, well or early, and those that have not ended."""

from collections.abc import Callable
from math import ceil, floor, log10

from tools.operate.failed_tickets.table import EMPTY
from tools.operate.night_report.advice import Action, Verdict, pending, start, start_again
from tools.operate.night_report.facts import Budget, Facts
from tools.operate.night_report.words import count, dollars, number, usd

ALL_WELL, NOTICED = "All well", "Done, but look at this"
# From this share of a run's tickets on, those that were given up deserve a look.
MANY_FAILED = 0.05
LEAST_FAILED = 3


def complete(facts: Facts) -> Verdict:
    classified, failed = facts.tally.classified, facts.failed
    if not classified and not failed and not facts.tally.superseded:
        return Verdict("good", "Nothing to do", "No ticket asked for a category.")
    have = f"{count(classified, 'ticket has', 'tickets have')} a category"
    enough = failed >= LEAST_FAILED or not classified
    many = enough and failed > MANY_FAILED * (classified + failed)
    if not failed:
        return Verdict("good", ALL_WELL, f"{have}; none was given up.")
    title = f"{have}, {number(failed)} {'was' if failed == 1 else 'were'} given up."
    label = "Done, with failures" if many else ALL_WELL
    return Verdict("attention" if many else "good", label, title, actions=_given_up(facts, many))


def _given_up(facts: Facts, many: bool) -> tuple[Action, ...]:
    """What is to be done for tickets that are still failed."""
    tickets = facts.record.failed
    if not tickets:
        return ()
    still = count(len(tickets), "ticket stays", "tickets stay")
    still = still if facts.record.all_read else f"At least {still}"
    nothing = "Look at the reasons below." if many else "Nothing for the night."
    sort = "sort it by hand" if len(tickets) == 1 else "sort them by hand"
    again = "" if all(ticket.reason == EMPTY for ticket in tickets) else ", or ask again"
    where = " (the command is below)" if again else ""
    return (Action(f"{nothing} {still} without a category: {sort}{again}{where}."),)


def partial(facts: Facts, reason: str) -> Verdict:
    have = f"{count(facts.tally.classified, 'ticket has', 'tickets have')} a category"
    waiting = count(pending(facts), "is still pending", "are still pending")
    title = f"{have}, {waiting}."
    make = _PARTIAL.get(reason)
    if make:
        return make(facts, title)
    label = f"Stopped early: {reason.replace('_', ' ')}"
    return Verdict("attention", label, title, actions=(start_again(facts),))


def _budget(facts: Facts, title: str) -> Verdict:
    bound = facts.budget
    spent = usd(facts.cost)
    if bound and bound.of_month:
        return _month(facts, bound, title)
    said = spent
    if bound:
        whose = "this start (max_cost_usd)" if bound.asked else "a run (MaxCostUsd)"
        said = f"{spent} of {dollars(bound.usd)}, the budget of {whose},"
    enough = _enough(facts)
    asked = {"run_id": facts.record.night.run_id, "max_cost_usd": enough}
    nightly = Action("If it happens every night, deploy with a larger MaxCostUsd.")
    return Verdict(
        "attention",
        "Budget used up",
        title,
        (
            f"{said} is spent; another batch might have cost more than the rest. "
            "Nothing is lost: the next night takes what is pending, with a budget of its own.",
        ),
        (
            Action("Nothing, if they can wait for the next night."),
            Action(f"To have them now, go on with this run and a larger budget, such as "
                   f"{dollars(enough)} in all, of which {spent} is spent:", start(facts, asked)),
            *(() if bound and bound.asked else (nightly,)),
        ),
    )  # fmt: skip


def _month(facts: Facts, bound: Budget, title: str) -> Verdict:
    """A larger budget for this run would not help."""
    return Verdict(
        "attention",
        "Month's budget used up",
        title,
        (
            f"The budget of {bound.month}, {dollars(bound.usd)}, leaves no room for another batch; "
            f"this run spent {usd(facts.cost)} of it. Nothing is lost: what is pending stays so.",
        ),
        (
            Action("Nothing, if they can wait for the next month: its first night takes them."),
            Action("To have them sooner, deploy with a larger MaxMonthlyCostUsd; the night after "
                   "takes them."),
        ),
    )  # fmt: skip


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
        (f"{count(pending(facts), 'ticket is', 'tickets are')} pending now.",),
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
