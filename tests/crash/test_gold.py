"""Nights with tickets whose right answer is known: the figures are those computed apart."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from nightshift.aws import to_item
from nightshift.ending import mail
from nightshift.quality.gold import UNKNOWN, Gold
from nightshift.quality.statistics import ByClass
from tests.crash.stack import Stack
from tests.crash_proof.checks import items
from tests.crash_proof.faults import Fault
from tests.crash_proof.world import Workshop, World, workshop
from tests.tasks import reviews
from tools.local.claude_standin.answers import RowRule
from tools.local.claude_standin.batches import Life

LIFE = Life(seconds=1000)
# One call after another, and a checkpoint after each group: a fault strikes where it is meant to.
ONE_THREAD = {"nightshift.collect": {"_THREADS": 1, "_UNDER_WAY": 1, "_SECONDS_PER_CHECKPOINT": -1}}
# What 300 tickets expect and what Claude is told to answer them, and how many of each there are.
ANSWERED = {
    ("billing", "billing"): 75, ("billing", "technical"): 6, ("billing", "other"): 4,
    ("technical", "technical"): 83, ("technical", "account"): 7, ("technical", "billing"): 2,
    ("account", "account"): 52, ("account", "technical"): 8,
    ("feedback", "feedback"): 27, ("feedback", "other"): 11, ("feedback", "billing"): 2,
    ("other", "other"): 17, ("other", "feedback"): 5, ("nonsense", "billing"): 1,
}  # fmt: skip
# scikit-learn 1.9.1, precision_recall_fscore_support(expected, answered, labels=[...]) of these.
FIGURES = {
    "billing": (0.9375, 0.882352941176, 0.909090909091),
    "technical": (0.855670103093, 0.902173913043, 0.878306878307),
    "account": (0.881355932203, 0.866666666667, 0.873949579832),
    "feedback": (0.84375, 0.675, 0.75),
    "other": (0.53125, 0.772727272727, 0.62962962963),
}
# statsmodels 0.15.0, proportion_confint(254, 300, method="wilson") is 0.8015 to 0.8830.
SAID = "Right: 254 of 300 known beforehand, 84.7 % (95 % interval 80.2 % to 88.3 %)"


@pytest.fixture(scope="module")
def ours() -> Iterator[Workshop]:
    with workshop(ONE_THREAD) as made:
        yield made


def known(stack: Stack, others: int) -> None:
    """The 300 tickets, spread among others of which nothing is known, and scripted answers."""
    pairs = [pair for pair, tickets in ANSWERED.items() for _ in range(tickets)]
    step = others // len(pairs)
    for number, (expected, said) in enumerate(pairs):
        name = f"gold-{number:03}"
        stack.put(name, expected_category={"S": expected})
        stack.put(*(f"{name}-{n}" for n in range(step)))
        rule = RowRule({"type": "succeeded", "text": said}, contains=f"Subject: {name}\n")
        stack.world.claude.rules.append(rule)


def check(stack: Stack, report: dict[str, Any]) -> None:
    """The output, the run's item and the mail say what was computed apart."""
    [run] = stack.records("run")
    found = Gold.read(run["quality"]).outputs["category"]
    assert (report["gold"], report["correct"]) == (300, 254)
    assert (found.compared, found.correct, found.unknown, found.other) == (300, 254, 1, 0)
    confused = {(e, a): n for e, counts in found.confused.items() for a, n in counts.items()}
    wrong = {pair: tickets for pair, tickets in ANSWERED.items() if len(set(pair)) == 2}
    assert confused == {(e.replace("nonsense", UNKNOWN), a): n for (e, a), n in wrong.items()}
    for name, figures in FIGURES.items():
        counts = found.classes[name]
        each = ByClass(name, counts["expected"], counts["answered"], counts["correct"])
        assert (each.precision, each.recall, each.f1) == pytest.approx(figures, abs=1e-9)
    assert SAID in mail.text(run, [], Decimal(0))


def kill(world: World, *calls: int) -> None:
    world.faults.update({call: Fault(call, "die after") for call in calls})


def writes_of_collect(stack: Stack) -> list[int]:
    """The numbers of the calls by which collect has changed anything, in a night that is over."""
    return [c.number for c in stack.world.journal if c.function == "collect" and c.changes_anything]


def test_the_figures_of_a_night_are_those_computed_apart(ours: Workshop) -> None:
    stack = Stack.on(ours, LIFE, max_requests_per_batch=250)
    known(stack, others=300)

    report = stack.night()

    assert (report["status"], report["classified"]) == ("complete", 600)
    check(stack, report)


def test_they_are_the_same_where_collect_dies_in_every_batch(ours: Workshop) -> None:
    """Between a write to the tickets and the one that accounts for them, among other places."""
    clean = Stack.on(ours, LIFE, max_requests_per_batch=250)
    known(clean, others=300)
    clean.night()
    writes = writes_of_collect(clean)
    for first in (2, 5, 9):
        stack = Stack.on(ours, LIFE, max_requests_per_batch=250)
        known(stack, others=300)
        kill(stack.world, *writes[first :: len(writes) // 5])

        report = stack.night()

        died = [call for call in stack.world.journal if call.fault]
        assert {call.function for call in died} >= {"collect"}
        assert len(died) >= 4
        check(stack, report)


def test_an_answer_that_becomes_known_or_another_between_death_and_account_is_compared_once(
    ours: Workshop,
) -> None:
    """The call that accounts for a ticket compares what it reads; no ticket counts twice."""
    clean = Stack.on(ours, LIFE)
    clean.put("A", "B", expected_category={"S": "billing"})
    clean.night()
    journal = clean.world.journal
    [written] = [call.number for call in journal if call.operation == "BatchExecuteStatement"]
    stack = Stack.on(ours, LIFE)
    stack.put("A", "B", expected_category={"S": "billing"})
    kill(stack.world, written)
    night = stack.start()
    night.run(until=lambda: len(stack.world.journal) > written)
    after_death = {item["ticket_id"]: item for item in items(stack.world, "tickets")}
    change(stack, "A", expected_category="technical")
    change(stack, "B", expected_category=None)

    night.run()

    assert {each["category"] for each in after_death.values()} == {"billing"}
    report = night.report or {}
    assert (report["classified"], report["gold"], report["correct"]) == (2, 1, 0)
    [run] = stack.records("run")
    assert run["quality"]["outputs"]["category"]["confused"] == {"technical": {"billing": 1}}


def change(stack: Stack, ticket_id: str, **changes: str | None) -> None:
    """As somebody else changes a ticket."""
    item = {**stack.tickets()[ticket_id], **changes}
    stack.world.put("tickets", to_item({k: v for k, v in item.items() if v is not None}))


def test_of_several_outputs_each_is_compared_and_doubt_has_a_count_of_its_own(
    ours: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, "task", reviews())
    stack = Stack.on(ours, LIFE, max_requests_per_batch=100)
    ids = [f"R-{number:03}" for number in range(80)]
    beforehand = {
        "expected_status": {"S": "good"}, "expected_kind": {"S": "long"},
        "expected_topics": {"SS": ["taste", "price"]}, "expected_spam": {"BOOL": True},
        "expected_size": {"N": "0"}, "expected_summary": {"S": "never compared"},
    }  # fmt: skip
    stack.put(*ids, **beforehand)

    report = stack.night()

    tickets = stack.tickets().values()
    decided = [each for each in tickets if "classification_status" not in each]
    right = [
        (each["status"], each["kind"], set(each["topics"]), each["spam"], each["size"])
        == ("good", "long", {"taste", "price"}, True, 0)
        for each in decided
    ]
    [run] = stack.records("run")
    quality = run["quality"]
    assert 0 < len(decided) < 80
    assert (report["gold"], report["correct"]) == (len(decided), sum(right))
    assert quality["unsure"] == report["unsure"] == 80 - len(decided)
    assert quality["outputs"]["status"]["unsure"] == sum("status" not in each for each in tickets)
    assert set(quality["outputs"]) == {"status", "kind", "topics", "size", "spam"}
    for name, answer in (("status", "good"), ("kind", "long"), ("spam", True), ("size", 0)):
        given = sum(each[name] == answer for each in decided)
        assert quality["outputs"][name]["correct"] == given
    topics = quality["outputs"]["topics"]
    assert topics["correct"] == sum(set(each["topics"]) == {"taste", "price"} for each in decided)
    priced = sum("price" in each["topics"] for each in decided)
    assert topics["classes"]["price"]["correct"] == priced
    assert topics["confused"] == {}


def test_what_is_known_is_never_sent_and_kept_only_as_counts(ours: Workshop) -> None:
    stack = Stack.on(ours, LIFE)
    stack.put("A", expected_category={"S": "Mrs Smith, 4111 1111"})

    report = stack.night()

    sent = [str(row) for row in stack.world.claude.journal(with_params=True)]
    assert (report["gold"], report["correct"]) == (1, 0)
    assert not [row for row in sent if "expected" in row or "Smith" in row]
    assert "Smith" not in str(stack.records())


def test_where_nothing_is_known_nothing_is_said_or_stored_of_it(ours: Workshop) -> None:
    stack = Stack.on(ours, LIFE)
    stack.put("A", "B")

    report = stack.night()

    [run], [batch] = stack.records("run"), stack.records("batch#")
    assert not {"gold", "correct"} & report.keys()
    assert not {"gold", "correct", "quality", "waiting"} & run.keys()
    assert "gold" not in batch["tally"]
