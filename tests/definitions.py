"""What is deployed, as its two files say: the stack's template and the workflow's states."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[1]
# CloudFormation's short forms are spelled out: `!Ref A` is {"Ref": "A"}.
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
WORKFLOW = yaml.safe_load((ROOT / "workflow.asl.yaml").read_text())
_MAP = WORKFLOW["States"]["Collect results"]["ItemProcessor"]
# All states by name, those within the map too.
STATES: dict[str, Any] = WORKFLOW["States"] | _MAP["States"]
MOST_EVENTS = 25_000
# Events that a state leaves in the history (docs.aws.amazon.com, HistoryEvent, 2026-11); a map's
# own are entered, started, succeeded, exited, and two for each iteration.
EVENTS = {"Task": 5, "Wait": 2, "Choice": 2, "Pass": 2, "Succeed": 2, "Map": 4}
ITERATION = 2


def events(*path: str) -> int:
    """How many events a walk through these states leaves, each following on the one before."""
    for here, there in pairwise(path):
        state = STATES[here]
        ways = {state.get("Next"), state.get("Default")}
        ways |= {choice["Next"] for choice in state.get("Choices", [])}
        assert there in ways, f"{here} does not lead to {there}"
    return sum(EVENTS[STATES[name]["Type"]] for name in path)


def tables(tickets: str, runs: str) -> dict[str, dict[str, Any]]:
    """What makes both tables, under these names, as arguments of CreateTable."""
    made = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
    found = {}
    for name, resource in ((tickets, "OwnTicketTable"), (runs, "RunTable")):
        properties = TEMPLATE["Resources"][resource]["Properties"]
        known = {key: properties[key] for key in made if key in properties}
        found[name] = {"TableName": name, **known}
    return found
