"""Submit and collect from a thousand tickets to a hundred thousand, beside the plain way."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from nightshift.task.task import DEFAULT, load
from tests.bench.dynamodb import ANSWER_SECONDS
from tests.bench.stage import Stage, stage, template_defaults
from tests.bench.subject import Subject, Target

ONE_BATCH = 100_000
# At 5 ms a call the plain way would write 100,000 tickets in ten minutes.
PLAIN_WRITES = 2_000
COLLECT_SIZE = 20_000
SEND_ROUNDS = 5

type Numbers = dict[str, dict[int, dict[str, Any]]]
"""What was measured, by way and number of tickets."""

SUBMIT_WAYS = {
    "plain": "plain way",
    "nightshift": "Nightshift",
    "nightshift_batches": "  in batches",
}
COLLECT_WAYS = {
    "plain": "plain way",
    "nightshift": "Nightshift",
}


def measure(tickets: Path, sizes: Sequence[int], tell: Callable[[str], None]) -> list[Subject]:
    submit: Numbers = {way: {} for way in SUBMIT_WAYS}
    collect: Numbers = {way: {} for way in COLLECT_WAYS}
    batch_size = template_defaults()["max_requests_per_batch"]
    answers = []
    for size in sizes:
        tell(f"{size:,} tickets: Nightshift")
        with stage(tickets, size) as place:
            answers.append(place.answer_seconds())
            submit["nightshift"][size] = place.run("ours.submit", requests_per_batch=ONE_BATCH)
            collect["nightshift"][size] = place.run("ours.collect", writes_per_second=None)
        tell(f"{size:,} tickets: the plain way")
        with stage(tickets, size) as place:
            submit["plain"][size] = _plainly("plain.submit", place)
            collect["plain"][size] = place.run("plain.collect", most_writes=PLAIN_WRITES)
        if size > batch_size:
            with stage(tickets, size) as place:
                submit["nightshift_batches"][size] = place.run(
                    "ours.submit", requests_per_batch=batch_size
                )
    answer = sum(answers) / len(answers)
    tell(f"{sizes[-1]:,} ready messages into one batch")
    with stage(tickets, sizes[-1]) as place:
        sent = _send_in_turn(place)
    return [
        _submitted(submit, sent, answer),
        _collected(collect, answer),
    ]


def _send_in_turn(place: Stage) -> dict[str, list[float]]:
    """Processor seconds of either way, several times in turn: a machine's mood moves a single
    run by half."""
    runs = [(place.run("ours.send"), _plainly("plain.send", place)) for _ in range(SEND_ROUNDS)]
    ours, plain = zip(*runs, strict=True)
    return {
        "nightshift": [run["cpu_seconds"] for run in ours],
        "plain": [run["cpu_seconds"] for run in plain],
    }


def _plainly(job: str, place: Stage) -> dict[str, Any]:
    return place.run(
        job,
        max_tokens=load(DEFAULT).max_tokens,
        system=load(DEFAULT).system_prompt,
    )


def _submitted(numbers: Numbers, sent: dict[str, list[float]], answer: float) -> Subject:
    largest = max(numbers["plain"])
    ours, plain = numbers["nightshift"][largest], numbers["plain"][largest]
    peak = max(way[largest]["peak_mb"] for name, way in numbers.items() if name != "plain" and way)
    whole = numbers["nightshift_batches"].get(largest, ours)
    share = whole["cpu_seconds"] / plain["cpu_seconds"]
    alone = mean(sent["nightshift"]) / mean(sent["plain"])
    targets = [
        Target(
            f"submit {largest:,} tickets: peak memory",
            "<= 130 MB",
            f"{peak:.0f} MB (plain {plain['peak_mb']:.0f} MB)",
            peak <= 130,
        ),
        Target(
            f"{largest:,} ready messages into a batch: processor time",
            "<= 1/3 of plain",
            f"{alone:.2f} of plain",
            alone <= 1 / 3,
        ),
        Target(
            f"submit {largest:,} tickets: processor time of the whole call",
            "<= 0.6 of plain",
            f"{share:.2f} of plain",
            share <= 0.6,
        ),
    ]
    notes = [
        "Nightshift sends one batch, or batches of "
        f"{template_defaults()['max_requests_per_batch']:,} as it is shipped.",
        _served(answer),
        f"From {largest:,} ready messages to an accepted batch, processor time a ticket: plain "
        f"{_each(sent['plain'], largest)}, Nightshift {_each(sent['nightshift'], largest)}, names, "
        f"digests and bounds included. In a whole call both read through boto3, which is most of "
        "it, and Nightshift cleans HTML where the plain way cuts.",
    ]
    subject = _table("Submit", numbers, SUBMIT_WAYS, notes, targets)
    return replace(subject, numbers=subject.numbers | {"send": sent})


def _each(seconds: Sequence[float], tickets: int) -> str:
    """Mean and extremes of some runs, for a ticket."""
    least, middle, most = (f(seconds) / tickets * 1e6 for f in (min, mean, max))
    return f"{middle:.1f} us ({least:.1f} to {most:.1f})"


def _collected(numbers: Numbers, answer: float) -> Subject:
    sizes = sorted(numbers["plain"])
    size = COLLECT_SIZE if COLLECT_SIZE in sizes else sizes[-1]
    plain = numbers["plain"][size]["seconds"]
    speedup = plain / numbers["nightshift"][size]["seconds"]
    apart = numbers["nightshift"][sizes[-1]]["peak_mb"] - numbers["nightshift"][sizes[0]]["peak_mb"]
    targets = [
        Target(
            f"collect {size:,} results at 5 ms a call",
            ">= 40x plain",
            f"{speedup:.0f}x",
            speedup >= 40,
        ),
        Target(
            f"collect: memory from {sizes[0]:,} to {sizes[-1]:,} results",
            "<= 10 MB apart",
            f"{apart:+.1f} MB",
            abs(apart) <= 10,
        ),
    ]
    notes = [
        _served(answer),
        f"The plain way downloads all results and writes {PLAIN_WRITES:,}: their time per ticket "
        "stands for the others.",
    ]
    return _table("Collect", numbers, COLLECT_WAYS, notes, targets)


def _table(
    verb: str,
    numbers: Numbers,
    ways: dict[str, str],
    notes: list[str],
    targets: list[Target],
) -> Subject:
    columns = ["", "tickets", "seconds", "tickets/s", "peak MB", "CPU us", "calls", "DB busy"]
    rows = [
        _row(name, size, numbers[way][size])
        for way, name in ways.items()
        for size in sorted(numbers[way])
    ]
    notes = ["Processor time and calls to AWS are for one ticket.", *notes]
    return Subject(verb, columns, rows, notes, targets, {verb.lower(): numbers})


def _row(name: str, size: int, measured: dict[str, Any]) -> list[str]:
    calls = sum(measured["calls"].values()) * size / measured.get("written", size)
    busy = measured["server_cpu_seconds"] / measured["seconds"]
    return [
        name,
        f"{size:,}",
        f"{measured['seconds']:,.2f}",
        f"{size / measured['seconds']:,.0f}",
        f"{measured['peak_mb']:,.0f}",
        f"{measured['cpu_seconds'] / size * 1e6:,.0f}",
        f"{calls / size:.3f}",
        f"{busy:.0%}" if "written" not in measured else "",
    ]


def _served(answer: float) -> str:
    return (
        f"DynamoDB here is a server of the benchmark's own that answers each call after "
        f"{ANSWER_SECONDS * 1e3:.0f} ms ({answer * 1e3:.1f} ms as a client sees it), in another "
        "process: the local cloud itself would be the bottleneck."
    )
