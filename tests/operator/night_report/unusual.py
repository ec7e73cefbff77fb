"""What else happened in a night, whatever its end: each in a sentence."""

from collections.abc import Iterator, Sequence

from nightshift.records import Batch
from tests.operator.night_report.facts import Facts
from tests.operator.night_report.words import clock_on, count, duration, usd


def unusual(facts: Facts) -> Iterator[str]:
    start = facts.start
    if start is None:
        return
    day = start.date()
    answered = [canary for canary in facts.record.night.canaries if canary.state == "answered"]
    if answered:
        yield (
            "The task or the model was new: a single request tried it first, for "
            f"{usd(float(sum(canary.cost for canary in answered)))}."
        )
    for outage in facts.outages:
        if outage.end is None:
            yield f"Claude took nothing from {clock_on(outage.start, day)} on."
            continue
        tries = count(outage.refusals, "request was", "requests were")
        yield (
            f"Claude was down or refused us for {duration(outage.end - outage.start)}, from "
            f"{clock_on(outage.start, day)} to {clock_on(outage.end, day)} ({tries} refused). "
            "The night waited and then went on by itself."
        )
    if facts.late and not facts.outages:
        longest = max(b.closed_at - b.ended_at for b in facts.late if b.closed_at and b.ended_at)
        yield (
            f"Results lay ready for up to {duration(longest)} before they were collected: Claude "
            "could not be asked, or the night had been stopped."
        )
    if facts.expired:
        lost = sum(batch.tally.expired for batch in facts.expired)
        yield (
            f"{count(len(facts.expired), 'batch', 'batches')} expired ({_names(facts.expired)}): "
            f"Claude did not answer {count(lost, 'request')} within its 24 hours. They cost "
            "nothing and were asked again."
        )
    strangers = [batch for batch in facts.canceled if not batch.cancel_asked]
    if strangers:
        yield (
            f"{count(len(strangers), 'batch was', 'batches were')} canceled by somebody else, such "
            "as in the Claude Console. What was cut off was asked again."
        )
    superseded = facts.tally.superseded
    if superseded:
        yield (
            f"{count(superseded, 'answer was', 'answers were')} not used: people had edited, "
            "sorted or deleted the tickets meanwhile."
        )
    made_good = len(facts.record.failures) - len(facts.record.standing_failures)
    if made_good:
        yield (f"{count(made_good, 'earlier start')} of this run failed; a later one finished it.")


def _names(batches: Sequence[Batch]) -> str:
    names = [str(int(batch.record.removeprefix("batch#"))) for batch in batches[:5]]
    more = len(batches) - len(names)
    return f"number {', '.join(names)}" + (f" and {more} more" if more else "")
