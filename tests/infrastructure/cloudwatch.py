"""When CloudWatch turns an alarm red, as its user guide has it.

docs.aws.amazon.com, CloudWatch: alarm-evaluation.html, alarms-and-missing-data.html and
using-metric-math.html, 2026-11. Times are in seconds.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

HOUR, DAY = 3_600, 86_400
# "CloudWatch retrieves the 5 most recent data points" for three evaluation periods: the guide's one
# example.
FURTHER_BACK = 2
STATISTICS = {"Sum": sum, "Maximum": max}


@dataclass(frozen=True)
class Point:
    """A value of a metric, its time stamp, and how much later CloudWatch has it."""

    metric: str
    at: float
    value: float = 1
    late: float = 0


@dataclass(frozen=True)
class Alarm:
    """An alarm of the template. Whether FILL makes points where none is at all, no page says."""

    described: Mapping[str, Any]
    periods: int = 1
    fills_a_void: bool = True

    def state(self, points: list[Point], now: float) -> str:
        """What the alarm is when it is evaluated now."""
        known = [each for each in points if each.at + each.late <= now]
        # Of a multi-day alarm it "takes into account only the metrics up to the current hour".
        end = now // HOUR * HOUR if self._period * self.periods > DAY else now
        real = [value for value in self._series(known, end) if value is not None]
        # The newest real points, older ones among them; only what is still missing is treated.
        breaching = [self._breaches(value) for value in real[: self.periods]]
        missing = self.periods - len(breaching)
        treated = [self.described["TreatMissingData"] == "breaching"] * missing
        return "ALARM" if all(breaching + treated) else "OK"

    @property
    def _metrics(self) -> dict[str, tuple[str, str]]:
        """Name and statistic of each metric, by its id."""
        if "MetricName" in self.described:
            return {"only": (self.described["MetricName"], self.described["Statistic"])}
        stats = {q["Id"]: q["MetricStat"] for q in self.described["Metrics"] if "MetricStat" in q}
        return {name: (each["Metric"]["MetricName"], each["Stat"]) for name, each in stats.items()}

    @property
    def _period(self) -> int:
        queries = self.described.get("Metrics", [{"MetricStat": self.described}])
        [period] = {each["MetricStat"]["Period"] for each in queries if "MetricStat" in each}
        return int(period)

    @property
    def _expression(self) -> str:
        queries = self.described.get("Metrics", [{"Expression": "only"}])
        [expression] = [each["Expression"] for each in queries if "Expression" in each]
        return str(expression)

    def _series(self, known: list[Point], end: float) -> list[float | None]:
        """The value of each period looked at, the newest first; None where one is missing."""
        names = {name for name, _ in self._metrics.values()}
        ends = [end - self._period * back for back in range(self.periods + FURTHER_BACK)]
        windows = [
            [p for p in known if p.metric in names and last - self._period < p.at <= last]
            for last in ends
        ]
        filled = "FILL(" in self._expression and (self.fills_a_void or any(windows))
        return [self._value(window) if window or filled else None for window in windows]

    def _value(self, window: list[Point]) -> float:
        values = {}
        for identifier, (name, statistic) in self._metrics.items():
            found = [point.value for point in window if point.metric == name]
            values[identifier] = STATISTICS[statistic](found or [0])
        return metric_math(self._expression, values)

    def _breaches(self, value: float) -> bool:
        threshold = self.described["Threshold"]
        return bool(
            {
                "LessThanThreshold": value < threshold,
                "GreaterThanThreshold": value > threshold,
                "GreaterThanOrEqualToThreshold": value >= threshold,
            }[self.described["ComparisonOperator"]]
        )


class _Ifs(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return ast.IfExp(*node.args) if ast.unparse(node.func) == "IF" else node


def metric_math(expression: str, values: Mapping[str, float]) -> float:
    """What an expression comes to at one time, of values that are 0 where the metric has none.

    For "missing values in a time series are treated as 0". FILL with another value is not known.
    """
    known = {"FILL": lambda value, gap: value if gap == 0 else float("nan")}
    return float(eval(_compiled(expression), known, dict(values)))  # noqa: S307


@cache
def _compiled(expression: str) -> Any:
    """Metric math is Python's own arithmetic, once IF is what Python calls one."""
    tree = ast.fix_missing_locations(_Ifs().visit(ast.parse(expression, mode="eval")))
    return compile(tree, expression, "eval")
