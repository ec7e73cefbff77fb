"""What must be true after every night, whatever happened in it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from math import isclose
from typing import Any

import msgspec

from nightshift.aws import from_item
from nightshift.claude.money import NOTHING, Usage
from nightshift.claude.prices import published
from nightshift.ending import report
from nightshift.ending.report import Ending
from nightshift.runs import probe
from nightshift.runs.held import LONGEST_LIFE
from nightshift.runs.ledger import Ledger
from nightshift.runs.records import Run
from tests.crash_proof.world import DAWN, SETTINGS, World
from tests.tasks import CATEGORIES


def violations(world: World, tickets: Sequence[dict[str, Any]]) -> list[str]:
    """Every promise that the night broke."""
    checks = (
        world.alarms,
        _payments(world),
        _unusable_answers(world, len(tickets)),
        _tickets(world, tickets),
        _books(world),
        _unchanged(world, tickets),
        _known(world, tickets),
        _money(world),
        _provider(world),
        _told(world),
    )
    return [problem for problems in checks for problem in problems]


def _unread(world: World) -> set[str]:
    """Batches that were closed without having been read to their end."""
    return {item["batch_id"] for item in items(world, "runs") if "unread" in item}


def _read(world: World) -> list[dict[str, Any]]:
    """Every request of ours with a result, in a batch that was not closed unread."""
    unread = _unread(world)
    return [row for row in _ours(world) if row["result"] and row["batch_id"] not in unread]


def _ours(world: World) -> Iterator[dict[str, Any]]:
    """Every request of ours that the provider accepted in a batch."""
    rows = world.claude.journal(with_params=False)
    return (row for row in rows if row["batch_id"] not in {None, *world.strangers})


def paid(world: World) -> Counter[str]:
    """How often each text was accepted and not refunded: answered, or still running."""
    rows = _ours(world)
    return Counter(
        row["text"] for row in rows if not row["result"] or row["result"]["type"] == "succeeded"
    )


def _payments(world: World) -> Iterator[str]:
    """A ticket is paid for once, and once more for each answer that had to be thrown away."""
    thrown_away = Counter(row["text"] for row in _answered(world) if not _is_usable(row))
    rows = _ours(world)
    again = {row["text"] for row in rows if row["batch_id"] in {world.asked_again, *_unread(world)}}
    for text, times in paid(world).items():
        allowed = 1 + thrown_away[text] + (text in again)
        if times > allowed:
            yield f"paid {times} times instead of {allowed}: {text.split()[2]}"


def _answered(world: World) -> list[dict[str, Any]]:
    return [r for r in _ours(world) if r["result"] and r["result"]["type"] == "succeeded"]


def _said(row: dict[str, Any]) -> str:
    text: str = row["result"]["message"]["content"][0]["text"]
    return text


def _is_usable(row: dict[str, Any]) -> bool:
    return _said(row) in CATEGORIES


def _unusable_answers(world: World, tickets: int) -> Iterator[str]:
    """One answer is odd in every night. A prompt that is broken from the start is stopped after a
    probe in each execution; one that breaks later after what was open."""
    most = 1
    if world.prompt.broken:
        most += probe.PROBE_REQUESTS * len(world.executions) + tickets * world.prompt.passed
        if not any(said.startswith("AnswersUnusable") for said in world.told):
            yield "nobody was told that the prompt is broken"
    unusable = sum(not _is_usable(row) for row in _answered(world))
    if unusable > most:
        yield f"{unusable} answers could not be used, more than {most}"


def _tickets(world: World, tickets: Iterable[dict[str, Any]]) -> Iterator[str]:
    answers = {}
    for row in filter(_is_usable, _answered(world)):
        answers[row["text"].split()[2]] = _said(row)
    now = {item["ticket_id"]: item for item in items(world, "tickets")}
    for before in tickets:
        ticket = now.pop(before["ticket_id"], {})
        name = str(before["subject"] or "the empty ticket")
        kept = {key: ticket.get(key) for key in ("subject", "body")}
        if kept != {key: before[key] for key in kept}:
            yield f"{name}: its text was changed"
        if "classification_attempts" in ticket:
            yield f"{name}: an attempt was burnt"
        said = ticket.get("classification_status"), ticket.get("category")
        expected = (None, answers.get(name)) if before["subject"] else ("failed", None)
        if "category" in before:  # the answer of an earlier night
            expected = (None, before["category"])
        if said != expected:
            yield f"{name}: status and category are {said}, not {expected}"
        if ticket.get("classified_as") != ticket.get("category"):
            yield f"{name}: classified_as is {ticket.get('classified_as')}, not the category"
        if ("classified_with" in ticket) != ("category" in ticket):
            yield f"{name}: a category goes with the version that gave it"
    if now:
        yield f"tickets out of nowhere: {sorted(now)}"


def _books(world: World) -> Iterator[str]:
    records = items(world, "runs")
    runs = _runs(world, records)
    batches = [batch for run in runs for batch in run.batches]
    lock = next(record for record in records if record["run_id"] == "lock")
    yield from (f"unfinished run: {run}" for run in lock.get("unfinished", ()))
    yield from (f"{b.record} is {b.state}" for b in batches if b.state not in _ENDED)
    reported = {record["run_id"] for record in records if record["record"] == "run"}
    worked = {run.run_id for run in runs if run.batches}
    yield from (f"no report of {run}" for run in worked - reported)
    total = Counter[str]()
    for run in runs:
        flat = report.flat(run, Ending("complete"), 0, _START)
        total.update({key: value for key, value in flat.items() if type(value) is int})
        if flat["submitted"] != sum(flat[k] for k in _ENDS) - flat["empty"]:
            yield f"the books of {run.run_id} do not balance: {flat}"
    read = _read(world)
    unread = sum(batch.requests for batch in batches if batch.unread)
    if total["submitted"] != len(read) + unread:
        yield f"the books know of {total['submitted']} requests, the provider of {len(read)}"
    answers = Counter(
        _said(row) for row in read if row["result"]["type"] == "succeeded" and _is_usable(row)
    )
    late = total["superseded"] if world.asked_again else 0
    if (total["classified"], total["superseded"], total["empty"]) != (len(paid(world)), late, 1):
        yield f"{len(paid(world))} texts were answered, but the books say {dict(total)}"
    if not late and total["classified"] != answers.total():
        yield f"{answers.total()} paid answers, but the books say {dict(total)}"
    told = sum((batch.tally.categories for batch in batches), Counter[str]())
    if told != answers and not late:
        yield f"the books say {dict(told)}, the provider {dict(answers)}"


def _unchanged(world: World, tickets: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A ticket whose last answer still stands is counted once, and never sent."""
    expected = sum("category" in ticket for ticket in tickets)
    counted = sum(run.unchanged for run in _runs(world, items(world, "runs")))
    if counted != expected:
        yield f"the books say {counted} unchanged, not {expected}"


def _known(world: World, tickets: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Each answer is compared once with the right one, where that was known; else nothing is
    stored."""
    answers = {row["text"].split()[2]: _said(row) for row in _answered(world) if _is_usable(row)}
    pairs = Counter(
        (ticket["expected_category"], answers[ticket["subject"]])
        for ticket in tickets
        if "expected_category" in ticket and ticket["subject"] in answers
    )
    batches = [item for item in items(world, "runs") if item["record"].startswith("batch#")]
    stored = [batch["tally"]["gold"] for batch in batches if "gold" in batch.get("tally", {})]
    if not pairs and stored:
        yield f"nothing was known, but the books say {stored}"
    right = sum(count for (expected, answered), count in pairs.items() if expected == answered)
    found = [sum(int(gold[name]) for gold in stored) for name in ("tickets", "correct", "unsure")]
    if found != [pairs.total(), right, 0]:
        yield f"the books say {found} of what was known, not {pairs.total()} and {right}"
    confused = Counter[tuple[str, str]]()
    for output in (gold["outputs"]["category"] for gold in stored):
        for expected, counts in output["confused"].items():
            confused.update({(expected, answered): int(n) for answered, n in counts.items()})
    wrong = {
        (":unknown" if e not in CATEGORIES else e, a): n for (e, a), n in pairs.items() if e != a
    }
    if confused != wrong:
        yield f"the books say {dict(confused)} was confused, not {wrong}"


def _money(world: World) -> Iterator[str]:
    """What nights cost is what the provider bills, as far as its answers ever arrived."""
    runs = _runs(world, items(world, "runs"))
    price = published().of(SETTINGS.model)
    billed = price.batch_cost(sum(map(_usage, _read(world)), NOTHING))
    cost = sum(report.flat(run, Ending("complete"), 0, _START)["cost_usd"] for run in runs)
    if not isclose(cost, billed, rel_tol=1e-9):
        yield f"the books say {cost} USD, the provider {billed}"
    if billed > world.settings.max_monthly_cost_usd:
        yield "the provider bills more than the month's budget"


def _runs(world: World, records: Iterable[dict[str, Any]]) -> list[Run]:
    """All runs; the lock, the months and the tasks are none."""
    names = {record["run_id"] for record in records if "#" not in record["run_id"]} - {"lock"}
    ledger = Ledger(world.workshop.plain_client, SETTINGS.run_table)
    return [ledger.run(run_id) for run_id in sorted(names)]


def _provider(world: World) -> Iterator[str]:
    for batch in world.claude.everything():
        deletes = bool(world.stranger and world.stranger.deletes)
        touched = (batch.deleted and not deletes) or batch.canceled_at is not None
        if batch.id in world.strangers and touched:
            yield "a stranger's batch was touched"
        lost = batch.id in {world.asked_again, *_unread(world)}
        if batch.id not in world.strangers and not batch.deleted and not lost:
            yield f"{batch.id} was left at the provider"


def _told(world: World) -> Iterator[str]:
    """Whatever happened to whoever met a problem, somebody was told."""
    batches = [item for item in items(world, "runs") if item["record"].startswith("batch#")]
    for error in {batch["error"] for batch in batches if "error" in batch}:
        if not any(said.startswith(error) for said in world.told):
            yield f"nobody was told of {error}: {world.told}"


_ENDED = ("closed", "not_created")
_START = datetime.fromtimestamp(DAWN, UTC)
_ENDS = ("classified", "unsure", "superseded", "requeued", "failed")


def items(world: World, table: str) -> list[dict[str, Any]]:
    status, _, body = world.workshop.engine("Scan", msgspec.json.encode({"TableName": table}))
    assert status == 200, body
    return [from_item(item) for item in msgspec.json.decode(body)["Items"]]


def at_any_time(world: World) -> Iterator[str]:
    """What must be true between any two calls of functions."""
    records = items(world, "runs")
    yield from _over_budget(world, records)
    batches = [item for item in records if item["record"].startswith("batch#")]
    # A batch that turned out to be a stranger's goes back to `creating`, beside another one.
    if sum(batch["state"] == "creating" and "foreign" not in batch for batch in batches) > 1:
        yield "two items are creating"
    ranges = sorted(
        (batch["first"], batch["last"])
        for batch in batches
        if batch["state"] in ("creating", "open") and not _may_be_asked_again(batch, world.now)
    )
    if any(one[1] >= next_one[0] for one, next_one in pairwise(ranges)):
        yield f"open ranges overlap: {ranges}"


def _may_be_asked_again(batch: dict[str, Any], now: float) -> bool:
    """Nobody could read it for so long that nothing of it is live any more."""
    if "aside_by" not in batch:
        return False
    created = datetime.fromisoformat(batch.get("created_at", batch["intent_at"]))
    return now >= (created + LONGEST_LIFE).timestamp()


def _over_budget(world: World, records: Iterable[dict[str, Any]]) -> Iterator[str]:
    """What may have been paid at most, by the items alone."""
    counted = Counter[str]()
    for item in records:
        if item["record"].startswith("batch#"):
            most = item["cost"] if item["state"] == "closed" else item["bound"]
            free = item["state"] == "void"
            counted[item["run_id"]] += 0 if free else most
    if any(usd > world.settings.max_cost_usd for usd in counted.values()):
        yield f"a run's budget is exceeded: {dict(counted)}"
    if sum(counted.values()) > world.settings.max_monthly_cost_usd:
        yield f"the month's budget is exceeded: {dict(counted)}"


def _usage(row: dict[str, Any]) -> Usage:
    if not row["result"] or row["result"]["type"] != "succeeded":
        return NOTHING
    usage = row["result"]["message"]["usage"]
    return Usage(usage["input_tokens"], usage["output_tokens"])
