"""The report: tables for the terminal and in Markdown, and all of it as JSON."""

import json
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from benchmarks.contender import load
from benchmarks.marks import BARE, FLOOR, Figure, Outcome, find_walls
from benchmarks.results import NotMeasured, Result, Results, percentile

Table = list[list[str]]
"""Rows of cells, the first row the headings."""

TAIL = 100
"""How many values a p99 needs."""

CONTROL = "control"
"""The measure of the machine's own noise."""


def build(results: Results, outcomes: Sequence[Outcome], run: dict[str, Any]) -> str:
    """The whole report in Markdown, which a terminal shows well too."""
    parts = ["# Benchmark", lines_of(run), noise(results)]
    for measure in dict.fromkeys(each.measure for each in results.all):
        if measure != CONTROL:
            parts += [f"## {measure}", *tables_of(results, measure)]
    parts += ["## How the work differs", differences(results), *walls(results)]
    parts += ["## Marks", marks_table(outcomes)]
    return "\n\n".join(filter(None, parts)) + "\n"


def lines_of(run: dict[str, Any]) -> str:
    """What was run, where."""
    return "\n".join(f"- {name}: {value}" for name, value in run.items())


def noise(results: Results) -> str:
    """How far the machine itself was from steady, as the control saw it."""
    lines = [
        f"- {each.condition}: {number(each.median)} {each.unit}, p99 {number(each.p99)}; "
        f"a round's median within {spread(each):+.0%} of that in 8 of 10 rounds"
        for each in results.all
        if each.measure == CONTROL
    ]
    return "\n".join(["Noise of the machine:", "", *lines]) if lines else ""


def spread(result: Result) -> float:
    """How far the medians of eight rounds in ten are from the middle at most, as a part of it."""
    low, high = percentile(result.rounds, 0.1), percentile(result.rounds, 0.9)
    return max(high - result.median, result.median - low) / result.median


def tables_of(results: Results, measure: str) -> list[str]:
    """A table for each unit: contenders by conditions."""
    tables = []
    for unit in dict.fromkeys(each.unit for each in results.all if each.measure == measure):
        found = results.of(measure, unit)
        tables.append(f"{unit}, median (95% interval):\n\n{grid(found, middle)}")
        if measure == "request" and any(each.contender == BARE for each in found):
            others = [each for each in found if each.contender != BARE]
            shown = grid(others, lambda each: added(results, each))
            tables.append(f"{unit}, added to the bare save (as a part of it):\n\n{shown}")
        if any(len(each.values) >= TAIL for each in found):
            tables.append(f"{unit}, p99 (95% interval):\n\n{grid(found, tail)}")
    return tables


def grid(results: Sequence[Result], cell: Callable[[Result], str]) -> str:
    """The results of one unit as a table: a row for each contender or, if more, each condition."""
    conditions = list(dict.fromkeys(each.condition for each in results))
    rows = [["", *conditions]]
    for contender in dict.fromkeys(each.contender for each in results):
        cells = {each.condition: cell(each) for each in results if each.contender == contender}
        rows.append([label(contender), *(cells.get(each, "-") for each in conditions)])
    return markdown(rows if len(rows) >= len(rows[0]) else list(map(list, zip(*rows, strict=True))))


def middle(result: Result) -> str:
    """The median with its interval, if there is more than one value."""
    return with_interval(result.median, result.interval)


def tail(result: Result) -> str:
    """The p99 with its interval, if there are values enough."""
    return with_interval(result.p99, result.p99_interval) if len(result.values) >= TAIL else "-"


def added(results: Results, result: Result) -> str:
    """What a contender's median adds to the bare one."""
    try:
        bare = results.find(result.measure, BARE, result.condition, result.unit).median
    except NotMeasured:
        return "-"
    part = f" ({(result.median - bare) / bare:.2f})" if bare else ""
    return number(result.median - bare) + part


def with_interval(value: float, interval: tuple[float, float]) -> str:
    """A figure, and where it lies, unless that is a single point."""
    low, high = interval
    return number(value) if low == high else f"{number(value)} ({number(low)} - {number(high)})"


def number(value: float) -> str:
    """Three digits that count, and no exponent."""
    if value and abs(value) < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}"


def differences(results: Results) -> str:
    """Whose work isn't that of the others, and how."""
    names = dict.fromkeys(each.contender for each in results.all)
    lines = [f"- {label(name)}: {differs}" for name in names if (differs := _differs(name))]
    return "\n".join(lines) or "It doesn't."


def label(contender: str) -> str:
    """What tables call it."""
    try:
        return load(contender).label
    except ModuleNotFoundError:  # the machine
        return contender


def _differs(contender: str) -> str:
    try:
        return load(contender).differs
    except ModuleNotFoundError:
        return ""


def walls(results: Results) -> list[str]:
    """What an outbox costs at least, and how near to it ours is; nothing where it isn't known."""
    found = [(each.mark.name, each.figure) for each in find_walls(results) if each.figure]
    if not found:
        return []
    rows = [["", "figure"], *([name, figure_cell(figure)] for name, figure in found)]
    return ["## Walls", f"{label(FLOOR)}: {_differs(FLOOR)}.", markdown(rows)]


def figure_cell(figure: Figure, unit: str = "") -> str:
    """A figure with its interval, if it has one."""
    return with_interval(figure.value, figure.interval or (figure.value, figure.value)) + unit


def marks_table(outcomes: Iterable[Outcome]) -> str:
    """Each mark, its figure, and whether it is met."""
    rows = [["mark", "limit", "figure", "", ""]]
    for outcome in outcomes:
        mark, figure = outcome.mark, outcome.figure
        if figure is None:
            shown, note = "-", outcome.missing
        else:
            shown, note = figure_cell(figure, mark.unit), figure.note
        rows.append([mark.name, mark.limit, shown, outcome.verdict, note])
    return markdown(rows)


def markdown(rows: Table) -> str:
    """A table in Markdown, its columns as wide as their cells."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    ruler = "| " + " | ".join("-" * max(width, 1) for width in widths) + " |"
    return "\n".join([lines[0], ruler, *lines[1:]])


def write_json(
    path: Path, results: Results, outcomes: Iterable[Outcome], run: dict[str, Any]
) -> None:
    """All figures and values, for programs."""
    marks = [
        {
            "mark": each.mark.name,
            "limit": each.mark.limit,
            "figure": each.figure and finite(each.figure.value),
            "interval": each.figure and [finite(end) for end in each.figure.interval or ()],
            "note": each.figure.note if each.figure else each.missing,
            "met": each.met,
        }
        for each in outcomes
    ]
    whole = {"run": run, "marks": marks, "results": [each.as_json() for each in results.all]}
    path.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n")


def finite(value: float) -> float | None:
    """The value, or what JSON has for one that is infinite."""
    return value if isfinite(value) else None
