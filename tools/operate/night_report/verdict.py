"""The verdict: what happened, and what to do, in the words of whoever must act. Pure."""

from dataclasses import replace

from tools.operate.night_report import ends, reds
from tools.operate.night_report.advice import Action, Verdict
from tools.operate.night_report.facts import Facts
from tools.operate.night_report.unusual import unusual
from tools.operate.night_report.words import count, number


def verdict(facts: Facts) -> Verdict:
    """The gravest thing decides the tone; everything unusual is told."""
    judged = _needing_somebody(facts) or _noticed(facts, _ended(facts))
    trouble = facts.outages or facts.expired or facts.canceled or facts.late
    if trouble and judged.label == ends.ALL_WELL:
        story = (*judged.story, "Nothing is lost or paid twice.")
        judged = replace(judged, label="All well in the end", story=story)
    return replace(judged, story=(*judged.story, *unusual(facts)))


def _needing_somebody(facts: Facts) -> Verdict | None:
    record = facts.record
    if record.running:
        return ends.running(facts)
    if record.standing_failures:
        return reds.failed(facts, record.standing_failures[-1])
    if facts.set_aside:
        return reds.set_aside(facts)
    if facts.disputed:
        return reds.disputed(facts)
    if record.report is not None and not facts.balanced:
        return _off_balance(facts)
    return None


def _noticed(facts: Facts, judged: Verdict) -> Verdict:
    """A good night may still have found something that a person must see to."""
    notices = facts.record.report.notices if facts.record.report else ()
    if judged.tone != "good" or not notices:
        return judged
    actions = (*judged.actions, *map(Action, notices))
    return replace(judged, tone="attention", label=ends.NOTICED, actions=actions)


def _ended(facts: Facts) -> Verdict:
    report = facts.record.report
    if report is None:
        return ends.unfinished(facts)
    if report.status == "canceled":
        return ends.canceled(facts)
    if report.status == "partial":
        return ends.partial(facts, report.reason)
    return ends.complete(facts)


def _off_balance(facts: Facts) -> Verdict:
    ended = number(facts.tally.accounted)
    return Verdict(
        "bad",
        "Books do not balance",
        f"{count(facts.submitted, 'request')} went out, {ended} ends are written down.",
        actions=(Action("Keep the tables as they are and report this: it is a defect."),),
    )
