"""The functions' own handlers, called from their files as Lambda does, and what they count."""

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.definitions import ROOT

type Item = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What a handler may ask of Lambda."""

    seconds_left: float
    function_name: str = "function"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> float:
        return self.seconds_left * 1000


def entry_point(function: str) -> Any:
    """The module of a function, as new as after a cold start."""
    path = ROOT / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"{function}_app", path)
    assert spec
    assert spec.loader
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    return app


def invoke(function: str, event: Mapping[str, Any], seconds: float = 900) -> Item:
    """One call of a function, in and out as JSON."""
    answer = entry_point(function).lambda_handler(json.loads(json.dumps(event)), Context(seconds))
    return dict(json.loads(json.dumps(answer)))


def documents_in(stdout: str) -> list[Item]:
    """What functions have counted, one document a call, in CloudWatch's embedded format."""
    documents = [json.loads(line) for line in stdout.splitlines() if '"_aws"' in line]
    assert documents, "nothing was counted"
    return documents


def counted(document: Item) -> dict[str, float]:
    """The metrics of one document, each summed up."""
    [sent] = document["_aws"]["CloudWatchMetrics"]
    names = [metric["Name"] for metric in sent["Metrics"]]
    return {name: sum(_values(document[name])) for name in names}


def _values(value: Any) -> list[float]:
    return value if isinstance(value, list) else [value]
