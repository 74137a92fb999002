"""The plots: a file a measure and unit, bars for figures and lines for what ran over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

from benchmarks.bench import available
from benchmarks.marks import OURS
from benchmarks.report import CONTROL, label
from benchmarks.results import Result, Results

WIDE = 30
"""From which ratio of the largest figure to the smallest the axis is logarithmic."""

SERIES = ("memory of the", "under load: ")
"""How the conditions begin whose values are a series over time."""


def draw_all(results: Results, folder: Path) -> list[Path]:
    """The files that were drawn."""
    mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9})
    found: dict[tuple[str, str, bool], list[Result]] = {}
    for each in results.all:
        if each.measure != CONTROL:
            found.setdefault((each.measure, each.unit, is_series(each)), []).append(each)
    return [draw(group, folder) for group in found.values()]


def is_series(result: Result) -> bool:
    """Whether its values are a series over time."""
    return result.condition.startswith(SERIES)


def draw(group: Sequence[Result], folder: Path) -> Path:
    """The plot of one measure's results in one unit: all of them series, or none."""
    first = group[0]
    series = is_series(first)
    height = 5 if series else 1 + 0.2 * len(group)
    figure, axes = plt.subplots(figsize=(9, max(3, height)), layout="constrained")
    if series:
        draw_lines(axes, group)
        axes.set_ylabel(first.unit)
    else:
        draw_bars(axes, group)
        axes.set_xlabel(first.unit)
    axes.set_title(f"{first.measure}: {first.unit}")
    axes.grid(axis="y" if series else "x", alpha=0.3)
    figure.legend(fontsize=8, loc="outside right upper")
    name = f"{first.measure}-{first.unit}{' over time' if series else ''}"
    name = name.replace(" ", "-").replace("/", "-per-")
    path = folder / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path


def color(contender: str) -> Any:
    """The same in each plot; ours stands out."""
    names = [each for each in available() if each != OURS]
    if contender == OURS:
        return "black"
    return plt.get_cmap("tab20")(names.index(contender) % 20 if contender in names else 19)


def draw_lines(axes: plt.Axes, series: Sequence[Result]) -> None:
    """A line for each, its values in their order, evenly over the whole time."""
    for each in series:
        times = [(place + 0.5) / len(each.values) for place in range(len(each.values))]
        axes.plot(times, each.values, label=f"{label(each.contender)}, {each.condition}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(", ".join(filter(None, ["part of the time", series[0].note])))


def draw_bars(axes: plt.Axes, group: Sequence[Result]) -> None:
    """A group of bars for each condition, a bar for each contender in it, with its interval."""
    ticks, place = {}, 0.0
    named: set[str] = set()
    for condition in dict.fromkeys(each.condition for each in group):
        members = [each for each in group if each.condition == condition]
        ticks[condition] = place + (len(members) - 1) / 2
        for each in members:
            axes.barh(
                place,
                each.median,
                0.9,
                xerr=[[each.median - each.interval[0]], [each.interval[1] - each.median]],
                label=None if each.contender in named else label(each.contender),
                color=color(each.contender),
                error_kw={"linewidth": 0.8},
            )
            named.add(each.contender)
            place += 1
        place += 1
    axes.set_yticks(list(ticks.values()), list(ticks))
    axes.invert_yaxis()
    lengths = [each.median for each in group if each.median > 0]
    if lengths and max(lengths) / min(lengths) > WIDE:
        axes.set_xscale("log")
