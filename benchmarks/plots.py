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

SERIES = "memory of the"
"""How the conditions begin whose values are a series over time."""


def draw_all(results: Results, folder: Path) -> list[Path]:
    """The files that were drawn."""
    mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9})
    found: dict[tuple[str, str], list[Result]] = {}
    for each in results.all:
        if each.measure != CONTROL:
            found.setdefault((each.measure, each.unit), []).append(each)
    return [draw(group, folder) for group in found.values()]


def draw(group: Sequence[Result], folder: Path) -> Path:
    """The plot of one measure's results in one unit."""
    first = group[0]
    series = [each for each in group if each.condition.startswith(SERIES)]
    height = 5 if series else 1 + 0.2 * len(group)
    figure, axes = plt.subplots(figsize=(9, max(3, height)), layout="constrained")
    if series:
        draw_lines(axes, series)
        axes.set_ylabel(first.unit)
    else:
        draw_bars(axes, group)
        axes.set_xlabel(first.unit)
    axes.set_title(f"{first.measure}: {first.unit}")
    axes.grid(axis="y" if series else "x", alpha=0.3)
    figure.legend(fontsize=8, loc="outside right upper")
    name = f"{first.measure}-{first.unit}".replace(" ", "-").replace("/", "-per-")
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
    """A line for each, its values in their order."""
    for each in series:
        axes.plot(each.values, label=f"{label(each.contender)}, {each.condition}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(series[0].note or "sample")


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
