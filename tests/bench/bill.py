"""What AWS charges for a night, from the calls that it makes, beside what Claude charges."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from tests.bench import REPOSITORY, prices
from tests.bench.history import played
from tests.bench.runtime import FUNCTIONS
from tests.bench.stage import stage, template_defaults
from tests.bench.story import Story
from tests.bench.subject import Subject, Target
from tests.definitions import TEMPLATE

# START, END, REPORT, two lines of our own and the metrics: 2 KB a call, rounded up.
LOG_GB_PER_CALL = 2e-6
# docs.aws.amazon.com, DynamoDB partition limits, 2026-11; MaxConcurrency in workflow.asl.yaml.
INDEX_WRITES_PER_SECOND = 1_000
AT_ONCE = {"submit": 1, "status": 1, "collect": 4}
# AWS promises nothing; a function that was idle for some minutes usually is still there.
IDLE_SECONDS = 300.0
METRIC_HOURS_PER_NIGHT, NIGHTS_PER_MONTH = 2, 30
SMALL, SMALL_HOURS = 3_000, 1
LARGE_HOURS = 6


@dataclass(frozen=True)
class Bill:
    """USD of one night by service, and of Claude."""

    tickets: int
    hours: int
    services: dict[str, float]
    claude: float

    @property
    def aws(self) -> float:
        return sum(self.services.values())

    @property
    def share(self) -> float:
        return self.aws / self.claude


def measure(
    tickets: Path, large: int, start: dict[str, float], tell: Callable[[str], None]
) -> list[Subject]:
    """`start` is how many seconds each function takes to start on a whole processor."""
    bills = []
    for size, hours in ((SMALL, SMALL_HOURS), (large, LARGE_HOURS)):
        tell(f"a night of {size:,} tickets")
        story = played(ceil(size / template_defaults()["max_requests_per_batch"]), hours)
        with stage(tickets, size) as place:
            night = place.run("ours.night", status_calls=len(story.called["status"]))
        bills.append(_bill(size, hours, night, story, start))
    return [_nights(bills), _month()]


def _bill(size: int, hours: int, night: Any, story: Story, start: dict[str, float]) -> Bill:
    units = night["units"]
    calls = {name: len(times) for name, times in story.called.items()}
    services = {
        "Lambda: work": sum(_work(name, night, calls[name]) for name in calls)
        + _throttled(size, night) * prices.LAMBDA_GB_SECOND,
        "Lambda: cold starts": sum(
            _cold(times, AT_ONCE[name]) * _gb_seconds(name, start[name], start[name])
            for name, times in story.called.items()
        )
        * prices.LAMBDA_GB_SECOND,
        "DynamoDB: writes": units["write"] * prices.DYNAMODB_WRITE,
        "DynamoDB: reads": units["read"] * prices.DYNAMODB_READ,
        "Step Functions": story.transitions * prices.STATE_TRANSITION,
        "Data to Claude": night["sent_bytes"] / 1e9 * prices.TRANSFER_OUT_GB,
        "Logs, X-Ray, secret, report, event": sum(calls.values())
        * (LOG_GB_PER_CALL * prices.LOGS_GB + prices.XRAY_TRACE + prices.SECRET_CALL)
        + prices.SNS_PUBLISH
        + prices.SNS_EMAIL
        + prices.EVENT,
    }
    return Bill(size, hours, services, night["report"]["cost_usd"])


def _cold(called: list[float], at_once: int) -> int:
    """Calls that find no function waiting: of those at one time, so many as run at once."""
    times = Counter(called)
    last = -IDLE_SECONDS
    cold = 0
    for moment, calls in sorted(times.items()):
        cold += min(calls, at_once) if moment - last >= IDLE_SECONDS else 0
        last = moment
    return cold


def _work(name: str, night: Any, calls: int) -> float:
    """USD of a function's calls; those that were not made here are as short as a look at status."""
    clocks = night["functions"]
    own, short = clocks[name], clocks["status"]
    further = max(0, calls - own["times"]) / short["times"]
    seconds = own["seconds"] + further * short["seconds"]
    cpu_seconds = own["cpu_seconds"] + further * short["cpu_seconds"]
    used = _gb_seconds(name, seconds, cpu_seconds)
    return used * prices.LAMBDA_GB_SECOND + max(calls, own["times"]) * prices.LAMBDA_REQUEST


def _throttled(size: int, night: Any) -> float:
    """GB-seconds of waiting that only AWS makes: one index key takes 1,000 writes a second."""
    at_once = min(night["functions"]["collect"]["times"], AT_ONCE["collect"])
    seconds = at_once * size / INDEX_WRITES_PER_SECOND
    return _gb_seconds("collect", max(0.0, seconds - night["functions"]["collect"]["seconds"]), 0)


def _gb_seconds(name: str, seconds: float, cpu_seconds: float) -> float:
    """With less memory than one processor's share, the same work takes longer."""
    memory = TEMPLATE["Resources"][FUNCTIONS[name]]["Properties"]["MemorySize"]
    slower = max(1.0, prices.LAMBDA_MB_PER_CPU / memory)
    return (seconds + cpu_seconds * (slower - 1)) * memory / 1024


def _nights(bills: list[Bill]) -> Subject:
    small, *_ = bills
    rows = [
        [service, *(f"${bill.services[service]:.5f}" for bill in bills)]
        for service in small.services
    ]
    rows += [
        ["AWS", *(f"${bill.aws:.5f}" for bill in bills)],
        [f"Claude ({template_defaults()['model']}, batch)", *(f"${b.claude:.4f}" for b in bills)],
        ["AWS beside Claude", *(f"{bill.share:.2%}" for bill in bills)],
    ]
    target = Target(
        f"AWS bill of {small.tickets:,} tickets in {small.hours} hour",
        "<= 2 % of Claude's",
        f"{small.share:.2%} (${small.aws:.4f} beside ${small.claude:.2f})",
        small.share <= 0.02,
    )
    columns = ["one night", *(f"{b.tickets:,} in {b.hours} h" for b in bills)]
    notes = [
        "us-east-1, list prices, no free tier, from counted calls, request units and durations. A "
        "function with less than a whole processor is counted as that much slower, and starts cold "
        "after five idle minutes.",
    ]
    numbers = {bill.tickets: vars(bill) | {"aws": bill.aws} for bill in bills}
    return Subject("AWS bill of a night", columns, rows, notes, [target], {"bill": numbers})


def _month() -> Subject:
    """What is paid whether or not a night runs."""
    kinds = [resource["Type"] for resource in TEMPLATE["Resources"].values()]
    source = (REPOSITORY / "layers/nightshift/nightshift/observability.py").read_text()
    metrics = len(re.findall(r"\.add_metric\(", source))
    alarms = [r for r in TEMPLATE["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    watched = sum(map(_metrics_watched, alarms))
    hours = METRIC_HOURS_PER_NIGHT * NIGHTS_PER_MONTH
    each = metrics * prices.METRIC_MONTH
    costs = {
        "secret": kinds.count("AWS::SecretsManager::Secret") * prices.SECRET_MONTH,
        f"alarms on {watched} metrics": watched * prices.ALARM_METRIC_MONTH,
        "dashboard": kinds.count("AWS::CloudWatch::Dashboard") * prices.DASHBOARD_MONTH,
        f"{metrics} custom metrics, {hours} hours": each * hours / prices.HOURS_PER_MONTH,
        "100,000 tickets kept (0.1 GB)": 0.1 * prices.TABLE_GB_MONTH,
    }
    total = sum(costs.values())
    rows = [[name, f"${usd:.2f}"] for name, usd in costs.items()] + [["together", f"${total:.2f}"]]
    target = Target("fixed monthly costs", "<= $5", f"${total:.2f}", total <= 5)
    notes = [
        f"Metrics are billed for the hours in which they get data; in every hour, ${each:.2f}. "
        "The dashboard is free as one of an account's first three.",
    ]
    return Subject("AWS bill of a month", ["fixed", "USD"], rows, notes, [target], {"month": costs})


def _metrics_watched(alarm: Any) -> int:
    """An alarm on an expression is billed for each metric in it."""
    queries = alarm["Properties"].get("Metrics", [])
    return sum("MetricStat" in query for query in queries) or 1
