"""Results, and the statistics of them."""

import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from math import ceil, floor, inf, sqrt
from typing import Any

KEPT = 2000
"""How many values of a result are written down at most."""

Z = 1.96
"""Standard deviations about the middle that hold 95% of a normal distribution."""

DRAWS = 1000
"""How many resamples a bootstrap draws."""

BLOCKS = 200
"""How many values stand for all in a bootstrap, where there were no rounds."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Result:
    """What one contender's measurements under one condition were."""

    measure: str
    contender: str
    condition: str
    unit: str
    values: list[float]
    note: str = ""
    rounds: list[float] = field(default_factory=list)
    """The median of each round, where the contenders took turns: round by round comparable."""

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def p99(self) -> float:
        """The value that 99 of 100 don't exceed."""
        return percentile(self.values, 0.99)

    @property
    def interval(self) -> Interval:
        """The 95% confidence interval of the median."""
        if self.rounds:
            return bootstrap(lambda middle: middle, self)
        return percentile_interval(self.values, 0.5)

    @property
    def p99_interval(self) -> Interval:
        """The 95% confidence interval of the p99."""
        return percentile_interval(self.values, 0.99)

    def as_json(self) -> dict[str, Any]:
        """What is written down of it."""
        figures = {"median": self.median, "p99": self.p99, "n": len(self.values)}
        intervals = {"interval": self.interval, "p99_interval": self.p99_interval}
        return {**asdict(self), **figures, **intervals, "values": thin(self.values)}


class Samples:
    """What is measured in turns, each turn's values by themselves."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)

    def add(self, contender: str, condition: str, unit: str, values: list[float]) -> None:
        """A turn's values."""
        self._turns[contender, condition, unit].append(values)

    def least(self, contender: str, condition: str, unit: str) -> float:
        """The smallest value so far; infinite if there is none."""
        return min(chain(*self._turns.get((contender, condition, unit), [])), default=inf)

    def results(self, measure: str) -> Iterator[Result]:
        """A result for each contender, condition and unit."""
        for (contender, condition, unit), turns in self._turns.items():
            rounds = [statistics.median(turn) for turn in turns]
            yield Result(measure, contender, condition, unit, [*chain(*turns)], rounds=rounds)


class NotMeasured(Exception):
    """There is no such result."""


class Results:
    """All results of a run; each is found by what it is about."""

    def __init__(self, results: Iterable[Result] = ()) -> None:
        self.all = list(results)

    def find(self, measure: str, contender: str, condition: str, unit: str) -> Result:
        """The one; raises NotMeasured."""
        wanted = (measure, contender, condition, unit)
        for each in self.all:
            if (each.measure, each.contender, each.condition, each.unit) == wanted:
                return each
        raise NotMeasured(f"{measure}: {contender}, {condition}, {unit}")

    def of(self, measure: str, unit: str) -> list[Result]:
        """Those of a measure in a unit."""
        return [each for each in self.all if (each.measure, each.unit) == (measure, unit)]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values don't exceed."""
    return sorted(values)[max(ceil(len(values) * share) - 1, 0)]


def percentile_interval(values: Sequence[float], share: float) -> Interval:
    """The 95% confidence interval of a percentile, whatever the distribution.

    The bootstrap's without drawing: how many of a sample are below the true percentile is
    binomially distributed. Cut off at the ends of a sample that is too small for it.
    """
    ordered = sorted(values)
    middle, reach = len(ordered) * share, Z * sqrt(len(ordered) * share * (1 - share))
    low = max(floor(middle - reach), 0)
    high = min(ceil(middle + reach), len(ordered) - 1)
    return ordered[min(low, high)], ordered[high]


def bootstrap(figure: Callable[..., float], *results: Result) -> Interval:
    """The 95% confidence interval of a figure made from the medians of results.

    Whole rounds are drawn, the same of all results: the values of a round share its noise.
    """
    blocks = [each.rounds or thin(each.values, BLOCKS) for each in results]
    chance = random.Random(0)  # the same results give the same interval
    figures = [figure(*_draw_medians(blocks, chance)) for _ in range(DRAWS)]
    whole = figure(*(each.median for each in results))
    return min(percentile(figures, 0.025), whole), max(percentile(figures, 0.975), whole)


def _draw_medians(blocks: Sequence[Sequence[float]], chance: random.Random) -> Iterator[float]:
    """The medians of one resample; results of as many rounds took turns, and get the same draw."""
    draws: dict[int, list[int]] = {}
    for block in blocks:
        if len(block) not in draws:
            draws[len(block)] = chance.choices(range(len(block)), k=len(block))
        yield statistics.median(block[place] for place in draws[len(block)])


def thin(values: list[float], most: int = KEPT) -> list[float]:
    """At most so many of the values, in their order, evenly spread over it."""
    if len(values) <= most:
        return values
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]
