"""The plots: time and memory against tickets, beside the plain way and up to a million."""

from collections.abc import Callable, Sequence
from math import log10
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

COLORS = {"plain": "#b4543a", "nightshift": "#2f5d8a"}
NAMES = {"plain": "plain way", "nightshift": "Nightshift"}
MEASURES = {"seconds": "seconds", "peak_mb": "peak memory, MB"}
GRID, TEXT = "#e3e3e3", "#444444"
MOST_TICKS = 8
type Measure = Callable[[dict[str, Any], dict[str, Any]], float]
"""A number of one function in one night: of what the function spent, and of the night."""

STYLE = {"font.size": 10, "text.color": TEXT, "axes.labelcolor": TEXT}
FUNCTIONS = {"submit": "#2f5d8a", "status": "#8a8a8a", "collect": "#3d7a57"}


def draw(numbers: dict[str, Any], path: Path) -> None:
    """`numbers` holds `submit` and `collect`, each by way and size, as JSON has them."""
    pyplot.rcParams |= STYLE
    figure, axes = pyplot.subplots(2, 2, figsize=(10, 7), sharex=True, layout="constrained")
    for row, verb in zip(axes, ("submit", "collect"), strict=True):
        for axis, (measure, label) in zip(row, MEASURES.items(), strict=True):
            _lines(axis, numbers[verb], measure)
            axis.set_title(f"{verb}: {label}", loc="left", fontweight="bold", fontsize=11)
    for axis in axes[-1]:
        axis.set_xlabel("tickets")
    figure.savefig(path, dpi=160, facecolor="white")
    pyplot.close(figure)


def _lines(axis: Axes, ways: dict[str, Any], measure: str) -> None:
    axis.set(xscale="log", yscale="log")
    sizes = sorted(map(int, ways["plain"]))
    found = {way: [ways[way][str(size)][measure] for size in sizes] for way in COLORS}
    upper = max(found, key=lambda way: found[way][-1])
    for way, values in found.items():
        axis.plot(sizes, values, color=COLORS[way], linewidth=2, marker="o", markersize=5)
        axis.annotate(
            f"{NAMES[way]}  {_short(values[-1])}",
            (sizes[-1], values[-1]),
            xytext=(9, 5 if way == upper else -5),
            textcoords="offset points",
            color=COLORS[way],
            va="center",
        )
    _scale(axis, sizes, [value for values in found.values() for value in values])
    _plainly(axis)


def draw_million(nights: Sequence[dict[str, Any]], path: Path) -> None:
    """Time and memory of nights whose batches are as large, and what a call reads of the run
    table in the night of most batches."""
    pyplot.rcParams |= STYLE
    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    usual = nights[:3]
    _by_function(axes[0], usual, lambda spent, night: spent["seconds"] / night["tickets"] * 1e6)
    axes[0].set_title("time a ticket, µs", loc="left", fontweight="bold", fontsize=11)
    _by_function(axes[1], usual, lambda spent, night: spent["peak_mb"])
    axes[1].set_title("peak memory, MB", loc="left", fontweight="bold", fontsize=11)
    most = max(nights, key=lambda night: int(night["batches"]))
    reads = [read / 1e3 for read in most["read_of_runs"]]
    axes[2].plot(range(1, len(reads) + 1), reads, color=FUNCTIONS["submit"], linewidth=2)
    axes[2].set_title(
        "records that a call of submit reads, KB", loc="left", fontweight="bold", fontsize=11
    )
    axes[2].set(xlabel=f"calls of submit in a night of {most['batches']:,} batches", ylim=(0, None))
    _plainly(axes[2])
    figure.savefig(path, dpi=160, facecolor="white")
    pyplot.close(figure)


def _by_function(axis: Axes, nights: Sequence[dict[str, Any]], measure: Measure) -> None:
    """A line for each function from the smallest night to the largest."""
    tickets = [night["tickets"] for night in nights]
    found = {n: [measure(night["functions"][n], night) for night in nights] for n in FUNCTIONS}
    # A name stands beside the end of its line, and at least a line of text above the one below.
    apart = max(max(values) for values in found.values()) / 13
    lowest = 0.0
    for name, values in sorted(found.items(), key=lambda pair: pair[1][-1]):
        color = FUNCTIONS[name]
        axis.plot(tickets, values, color=color, linewidth=2, marker="o", markersize=5)
        height = max(values[-1], lowest)
        lowest = height + apart
        place: dict[str, Any] = {"xytext": (9, 0), "textcoords": "offset points", "va": "center"}
        axis.annotate(f"{name}  {_short(values[-1])}", (tickets[-1], height), color=color, **place)
    top = max(*axis.get_ylim(), lowest)
    axis.set(xscale="log", xlabel="tickets", ylim=(0, top), xlim=(tickets[0] * 0.8, 8e6))
    axis.set_xticks(tickets)
    axis.minorticks_off()
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    _plainly(axis)


def _plainly(axis: Axes) -> None:
    axis.grid(color=GRID, linewidth=0.8)
    axis.tick_params(colors=TEXT, length=0)
    for side in axis.spines.values():
        side.set_visible(False)


def _scale(axis: Axes, sizes: list[int], values: list[float]) -> None:
    """Ticks where something was measured, and at 1, 2 and 5 of each power of ten."""
    axis.set_xlim(sizes[0] * 0.8, sizes[-1] * 7)
    axis.set_xticks([10**power for power in range(3, 6) if 10**power <= sizes[-1]])
    ticks = [step * 10.0**power for power in range(-2, 5) for step in (1, 2, 5)]
    low = max(tick for tick in ticks if tick <= min(values))
    high = min(tick for tick in ticks if tick >= max(values))
    inside = [tick for tick in ticks if low <= tick <= high]
    axis.set_ylim(low * 0.9, high * 1.1)
    axis.set_yticks(inside if len(inside) <= MOST_TICKS else [t for t in inside if _is_power(t)])
    axis.minorticks_off()
    for ticks_of in (axis.xaxis, axis.yaxis):
        ticks_of.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _is_power(value: float) -> bool:
    return log10(value) == round(log10(value))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
