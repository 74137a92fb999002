"""The marks to reach: what each is of, its limit, and how its figure follows from the results."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contender import load
from benchmarks.results import Interval, NotMeasured, Result, Results, bootstrap, percentile

OURS, CELERY, BARE = "aftercommit", "celery_on_commit", "bare"

FLOOR = "one_insert"
"""The least that an outbox can do: no peer, but a wall."""

BACKEND = "backend_alone"
"""The bare operation through our database backend, which has a round trip less."""


@dataclass(frozen=True)
class Figure:
    """What was measured, with its 95% confidence interval if there is one."""

    value: float
    interval: Interval | None = None
    note: str = ""


@dataclass(frozen=True)
class Mark:
    """A limit that a figure is to keep."""

    name: str
    figure: Callable[[Results], Figure]
    at_most: float | None = None
    at_least: float | None = None
    below: float | None = None
    unit: str = ""

    @property
    def limit(self) -> str:
        """The limit as tables show it."""
        signs = {"≤": self.at_most, "≥": self.at_least, "<": self.below}
        return " ".join(
            f"{sign} {value:g}{self.unit}" for sign, value in signs.items() if value is not None
        )

    def is_kept_by(self, value: float) -> bool:
        """Whether the figure keeps the limit."""
        return (
            (self.at_most is None or value <= self.at_most)
            and (self.at_least is None or value >= self.at_least)
            and (self.below is None or value < self.below)
        )


@dataclass(frozen=True)
class Outcome:
    """A mark with its figure; ``met`` is None where it was not measured."""

    mark: Mark
    figure: Figure | None = None
    missing: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the mark is met."""
        return None if self.figure is None else self.mark.is_kept_by(self.figure.value)

    @property
    def verdict(self) -> str:
        """The same in words, with a warning where the noise could have decided it."""
        known = {True: "met", False: "NOT met", None: "not measured"}[self.met]
        ends = self.figure.interval or () if self.figure else ()
        sure = all(self.mark.is_kept_by(end) is self.met for end in ends)
        return known if sure else f"{known} (the interval holds the limit)"


def judge(results: Results) -> list[Outcome]:
    """The outcome of each mark."""
    return [_outcome(mark, results) for mark in MARKS]


def find_walls(results: Results) -> list[Outcome]:
    """What no outbox can do better, as far as it was measured."""
    return [found for wall in WALLS if (found := _outcome(wall, results)).figure]


def _outcome(mark: Mark, results: Results) -> Outcome:
    try:
        return Outcome(mark, mark.figure(results))
    except NotMeasured as missing:
        return Outcome(mark, missing=str(missing))


def ratio(part: float, whole: float) -> float:
    """``part`` of ``whole``; of nothing, or less, it is no part but too much."""
    return part / whole if whole > 0 else float("inf")


def figure_of(function: Callable[..., float], *results: Result, note: str = "") -> Figure:
    """A figure made from the medians of results, with its interval."""
    value = function(*(each.median for each in results))
    return Figure(value, bootstrap(function, *results), note)


# --- 1: the cost of a request ---------------------------------------------------------------
def added_of_bare(condition: str, name: str = OURS) -> Callable[[Results], Figure]:
    """The time that the effects add, of the save's without any."""

    def figure(results: Results) -> Figure:
        whole = results.find("request", name, condition, "ms")
        bare = results.find("request", BARE, condition, "ms")
        return figure_of(lambda whole, bare: ratio(whole - bare, bare), whole, bare)

    return figure


def added_of(peer: str) -> Callable[[Results], Figure]:
    """The time that the effects add, of what they add with another contender."""
    return lambda results: _added_of(results, results.find("request", peer, "3 effects", "ms"))


def added_of_best_durable(results: Results) -> Figure:
    """The time that the effects add, of what the fastest durable peer adds."""
    times = [
        each
        for each in results.of("request", "ms")
        if each.condition == "3 effects" and each.contender != OURS and load(each.contender).durable
    ]
    if not times:
        raise NotMeasured("request: no durable peer")
    best = min(times, key=lambda each: each.median)
    return _added_of(results, best, note=f"that is {load(best.contender).label}")


def _added_of(results: Results, peer: Result, note: str = "") -> Figure:
    ours = results.find("request", OURS, "3 effects", "ms")
    bare = results.find("request", BARE, "3 effects", "ms")
    return figure_of(
        lambda ours, peer, bare: ratio(ours - bare, peer - bare), ours, peer, bare, note=note
    )


def added_statements(results: Results) -> Figure:
    """The most statements that any number of effects and of rows adds."""
    ours = [each for each in results.of("request", "statements") if each.contender == OURS]
    if not ours:
        raise NotMeasured("request: statements")
    added = {
        each.condition: each.median
        - results.find("request", BARE, each.condition, "statements").median
        for each in ours
    }
    return Figure(max(added.values()), note=f"of {', '.join(added)}")


# --- 1: whole HTTP requests -----------------------------------------------------------------
def requests_of(peer: str, view: str, name: str = OURS) -> Callable[[Results], Figure]:
    """The requests a second with three effects, of another contender's."""

    def figure(results: Results) -> Figure:
        found = [results.find("http", each, f"{view}, 8 clients", "1/s") for each in (name, peer)]
        return figure_of(ratio, *found)

    return figure


def requests_marks(shown: str, view: str) -> list[Mark]:
    """Those of a view."""
    name = f"HTTP requests/s of the {shown} with 3 effects, of"
    return [
        Mark(f"{name} no effects", requests_of(BARE, view), at_least=0.9),
        Mark(f"{name} Celery on_commit's", requests_of(CELERY, view), at_least=2),
    ]


# --- 1: a broker that fails -----------------------------------------------------------------
def outage_median(condition: str) -> Callable[[Results], Figure]:
    """The milliseconds that the broker's state adds to the median of a request."""

    def figure(results: Results) -> Figure:
        found = [results.find("outage", OURS, each, "ms") for each in (condition, "healthy")]
        return figure_of(lambda failing, healthy: failing - healthy, *found)

    return figure


def outage_p99(condition: str) -> Callable[[Results], Figure]:
    """The milliseconds that the broker's state adds to the p99 of a request."""

    def figure(results: Results) -> Figure:
        failing, healthy = (
            results.find("outage", OURS, each, "ms") for each in (condition, "healthy")
        )
        return Figure(failing.p99 - healthy.p99)

    return figure


# --- 2: from the commit to the effect -------------------------------------------------------
LIGHT = "1/s"
"""The light load."""

LIGHT_MANY = "20/s"
"""A load that is still light, with as many transactions as a p99 takes."""


def latency_median(results: Results) -> Figure:
    """The median time from commit to effect, of Celery's."""
    return figure_of(
        ratio, *(results.find("latency", each, LIGHT, "ms") for each in (OURS, CELERY))
    )


def latency_p99(results: Results) -> Figure:
    """The p99 of the time from commit to effect, over Celery's."""
    ours, celery = (results.find("latency", each, LIGHT_MANY, "ms") for each in (OURS, CELERY))
    return Figure(ours.p99 - celery.p99)


# --- 3: draining ----------------------------------------------------------------------------
DRAINED = [f"audit, 2 processes, {depth} deep" for depth in (1000000, 100000, 10000)]
"""The backlogs of audit rows, the deepest first."""


def drained_of_celery(results: Results) -> Figure:
    """The audit rows a second, of Celery's; from the deepest backlog that both were given."""
    depths = {each.condition for each in results.of("drain", "1/s") if each.contender == CELERY}
    condition = _first_drained(results, depths)
    found = [results.find("drain", each, condition, "1/s") for each in (OURS, CELERY)]
    return figure_of(ratio, *found, note=condition)


def drained_of_bare(how: str) -> Callable[[Results], Figure]:
    """The audit rows a second, of those that bare statements of a kind write."""

    def figure(results: Results) -> Figure:
        condition = _first_drained(results, set(DRAINED))
        ours = results.find("drain", OURS, condition, "1/s")
        bare = results.find("drain", BARE, f"audit rows by {how}", "1/s")
        return figure_of(ratio, ours, bare, note=condition)

    return figure


def _first_drained(results: Results, conditions: set[str]) -> str:
    """The deepest of these backlogs that we were given."""
    ours = {each.condition for each in results.of("drain", "1/s") if each.contender == OURS}
    for condition in DRAINED:
        if condition in ours & conditions:
            return condition
    raise NotMeasured("drain: audit rows, 2 processes")


# --- 4: growth ------------------------------------------------------------------------------
def deep_of_shallow(results: Results) -> Figure:
    """The rate a million rows deep, of that ten thousand deep."""
    depths = ("1000000 deep", "10000 deep")
    return figure_of(ratio, *(results.find("growth", OURS, each, "1/s") for each in depths))


def memory_growth(process: str) -> Callable[[Results], Figure]:
    """By which part the memory at the end differs from that after the warm-up."""

    def figure(results: Results) -> Figure:
        series = results.find("growth", OURS, f"memory of the {process}", "MB")
        fifth = max(len(series.values) // 5, 1)
        early, late = (
            percentile(part, 0.5)
            for part in (series.values[fifth : 2 * fifth], series.values[-fifth:])
        )
        return Figure(late / early - 1, note=series.note)

    return figure


MARKS = [
    Mark("3 effects on a save: added time, of the bare save", added_of_bare("3 effects"), 0.30),
    Mark("3 effects on a save: added time, of Celery on_commit's", added_of(CELERY), 0.10),
    Mark(
        "3 effects on a save: added time, of the best durable peer's", added_of_best_durable, 0.20
    ),
    Mark("statements added, any number of effects and rows", added_statements, 1),
    Mark("1,000 saves in a transaction: added time, of the bare", added_of_bare("1000 rows"), 0.10),
    *requests_marks("bare view", "3 effects"),
    *requests_marks("page", "3 effects, page"),
    Mark("broker dead: added to the median", outage_median("dead"), below=1, unit=" ms"),
    Mark("broker dead: added to the p99", outage_p99("dead"), below=5, unit=" ms"),
    Mark(
        "broker black-holed: added to the median", outage_median("black-holed"), below=1, unit=" ms"
    ),
    Mark("broker black-holed: added to the p99", outage_p99("black-holed"), below=5, unit=" ms"),
    Mark("commit to effect, light load: median, of Celery's", latency_median, 1.2),
    Mark("commit to effect, light load: p99 over Celery's", latency_p99, 20, unit=" ms"),
    Mark("audit rows/s, 2 processes, of plain Celery's", drained_of_celery, at_least=50),
    Mark(
        "audit rows/s, 2 processes, of a bare multi-row INSERT's",
        drained_of_bare("INSERT"),
        at_least=0.5,
    ),
    Mark("audit rows/s, 2 processes, of a bare COPY's", drained_of_bare("COPY"), at_least=0.5),
    Mark("rate a million deep, of ten thousand deep", deep_of_shallow, at_least=0.8),
    Mark("memory of the web process, growth", memory_growth("web process"), 0.05),
    Mark("memory of the worker, growth", memory_growth("worker"), 0.05),
]

WALLS = [
    Mark(
        "no effects, our backend: added time, of the bare save", added_of_bare("3 effects", BACKEND)
    ),
    Mark("one INSERT of 3 rows: added time, of the bare save", added_of_bare("3 effects", FLOOR)),
    Mark(
        "one INSERT of 1,000 rows: added time, of 1,000 bare saves",
        added_of_bare("1000 rows", FLOOR),
    ),
    Mark(
        "one INSERT of 3 rows: HTTP requests/s of the bare view, of no effects",
        requests_of(BARE, "3 effects", FLOOR),
    ),
    Mark(
        "one INSERT of 3 rows: HTTP requests/s of the page, of no effects",
        requests_of(BARE, "3 effects, page", FLOOR),
    ),
]
"""Figures without a limit: what an outbox costs at least, and how near to it ours is."""
