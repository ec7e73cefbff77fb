"""What else happened in a night, whatever its end: each in a sentence."""

from collections.abc import Iterator, Sequence

from nightshift.runs.records import Batch
from tools.operate.night_report.facts import Facts, Outage
from tools.operate.night_report.words import clock_on, count, duration, usd


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
        yield (
            f"Claude was down or refused us for {duration(outage.end - outage.start)}, from "
            f"{clock_on(outage.start, day)} to {clock_on(outage.end, day)}. "
            f"{_refused(outage, facts)}The night waited and then went on by itself."
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
            f"nothing and were asked again. {_alarms(facts)}"
        )
    yield from _starts_meanwhile(facts)
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


def _refused(outage: Outage, facts: Facts) -> str:
    """Which batches were refused, and as which one their tickets went out."""
    if not outage.refused:
        return ""
    first, last = outage.refused[0], outage.refused[-1]
    later = [b for b in facts.batches if b.round == last.round and b.record > last.record]
    again = f" and sent again as batch {_number(later[0])}" if later else ""
    if first == last:
        what = count(first.requests, "request")
        return f"Batch {_number(first)}, of {what}, was refused{again}. "
    return f"Batches {_number(first)} to {_number(last)}, each a new try, were refused{again}. "


def _alarms(facts: Facts) -> str:
    if facts.starts_meanwhile:
        return (
            "The alarms RequestsExpired and, after so long a night, NoFinishedNight have told you "
            "so; they turn OK by themselves."
        )
    return "The alarm RequestsExpired has told you so; it turns OK by itself."


def _starts_meanwhile(facts: Facts) -> Iterator[str]:
    """The schedule goes on although a night takes longer than a day."""
    starts = facts.starts_meanwhile
    if not starts or facts.start is None:
        return
    day = facts.start.date()
    when = " and ".join(clock_on(start, day) for start in starts)
    found = f"The scheduled start of {when} found this night at work and ended as already_running."
    last = facts.batches[-1] if facts.batches else None
    begun = min(b.intent_at for b in facts.batches if b.round == last.round) if last else None
    if begun and begun > starts[-1]:
        yield (
            f"{found} It was not needed: round {last.round if last else 0} took along what had "
            f"come in until {clock_on(begun, day)}; the next night takes what came later."
        )
    else:
        yield f"{found} What came in meanwhile is pending: the next night takes it, or start now."


def _number(batch: Batch) -> int:
    return int(batch.record.removeprefix("batch#"))


def _names(batches: Sequence[Batch]) -> str:
    names = [str(_number(batch)) for batch in batches[:5]]
    more = len(batches) - len(names)
    return f"number {', '.join(names)}" + (f" and {more} more" if more else "")
