"""The plots: a file a measure and unit, bars for figures and lines for what ran over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

from benchmarks.bench import available
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
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    if series:
        draw_lines(axes, series)
    else:
        draw_bars(axes, group)
    axes.set_title(f"{first.measure}: {first.unit}")
    axes.set_ylabel(first.unit)
    axes.legend(fontsize=8)
    axes.grid(axis="y", alpha=0.3)
    name = f"{first.measure}-{first.unit}".replace(" ", "-").replace("/", "-per-")
    path = folder / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path


def color(contender: str) -> Any:
    """The same in each plot."""
    names = available()
    return plt.get_cmap("tab20")(names.index(contender) % 20 if contender in names else 19)


def draw_lines(axes: plt.Axes, series: Sequence[Result]) -> None:
    """A line for each, its values in their order."""
    for each in series:
        axes.plot(each.values, label=f"{label(each.contender)}, {each.condition}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(series[0].note or "sample")


def draw_bars(axes: plt.Axes, group: Sequence[Result]) -> None:
    """A group of bars for each condition, a bar for each contender, with its interval."""
    conditions = list(dict.fromkeys(each.condition for each in group))
    contenders = list(dict.fromkeys(each.contender for each in group))
    width = 0.8 / len(contenders)
    for place, contender in enumerate(contenders):
        own = [each for each in group if each.contender == contender]
        middles = [conditions.index(each.condition) - 0.4 + width * (place + 0.5) for each in own]
        heights = [each.median for each in own]
        below = [each.median - each.interval[0] for each in own]
        above = [each.interval[1] - each.median for each in own]
        axes.bar(
            middles,
            heights,
            width,
            yerr=[below, above],
            label=label(contender),
            color=color(contender),
            error_kw={"linewidth": 0.8},
        )
    axes.set_xticks(range(len(conditions)), conditions, rotation=15, ha="right")
    heights = [each.median for each in group if each.median > 0]
    if heights and max(heights) / min(heights) > WIDE:
        axes.set_yscale("log")
