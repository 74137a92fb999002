"""What effects cost the request that asks for them: time, statements, CPU, bytes, Python's calls.

Conditions: ``1 effect``, ``3 effects``, ``10 effects`` on one save; ``1 row``, ``100 rows``,
``1000 rows`` saved in one transaction with an effect each. The time is the whole transaction's.
The machine changes within the time of a round. The contenders that marks compare have many more
turns by themselves, one right after the other: of three effects, and of a single transaction with a
thousand rows.

No workers run. Each turn begins with an empty queue: ours sends a wake-up for each task in each.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.marks import BACKEND, BARE, CELERY, FLOOR, OURS
from benchmarks.results import Result, Samples
from benchmarks.turns import Condition, take_turn

EFFECTS = [
    Condition("1 effect", "save", {"effects": 1}),
    Condition("3 effects", "save", {"effects": 3}),
    Condition("10 effects", "save", {"effects": 10}),
]
ROWS = [
    Condition("1 row", "save_many", {"rows": 1}, times=20),
    Condition("100 rows", "save_many", {"rows": 100}, times=5, seconds=0.3, least=1, warm_up=1),
    Condition("1000 rows", "save_many", {"rows": 1000}, times=3, seconds=1, least=1, warm_up=0),
]

FEW, MANY = EFFECTS[1], replace(ROWS[-1], times=1)
"""What marks and walls are of: three effects; a thousand rows, a transaction a turn."""

JUDGED_BY_FEW = (BARE, BACKEND, FLOOR, OURS, CELERY)
JUDGED_BY_MANY = (BARE, FLOOR, OURS)
"""The contenders that marks and walls compare by them."""

PACKAGES = ("aftercommit", "django", "psycopg", "celery", "kombu", "redis", "json")
"""Whose functions' calls are counted by themselves."""

LONGEST = 5
"""Seconds that one transaction may take, to be measured: the others wait for their turns."""


def measure(bench: Bench) -> Iterator[Result]:
    """Time, CPU and bytes of all contenders in turns; then their statements."""
    samples, control = Samples(), Samples()
    every, rows = bench.contenders, ROWS[:-1] if bench.quick else ROWS
    few = [each for each in every if each in JUDGED_BY_FEW]
    many = [each for each in every if each in JUDGED_BY_MANY]
    take_turns(bench, EFFECTS, every, 3 if bench.quick else 50, samples, control)
    take_turns(bench, [FEW], few, 3 if bench.quick else 25, samples, control)
    take_turns(bench, rows, every, 0 if bench.quick else 30, samples, control)
    take_turns(bench, [MANY], many, 6 if bench.quick else 40, samples, control)
    yield from samples.results("request")
    yield from control.results("control")
    yield from count_statements(bench, samples)
    yield from count_calls(bench)


def take_turns(
    bench: Bench,
    conditions: list[Condition],
    names: list[str],
    seconds: float,
    samples: Samples,
    control: Samples,
) -> None:
    """Rounds in which each of the contenders has its turn, until the time is up; one at least."""
    children = list(bench.start(names).values())
    bench.progress(f"request: {len(names)} contenders, up to {conditions[-1].name}")
    start, rounds = time.monotonic(), 0
    while children and (not rounds or time.monotonic() - start < seconds):
        rounds += 1
        for condition in conditions:
            for child in children:
                if not takes_too_long(child.name, condition, samples):
                    child.do("clear")
                    take_turn(bench.servers, child, condition, samples)
            for what, values in children[0].run("benchmarks.timing:time_control", times=20).items():
                control.add("machine", what, "ms", values)
        children.append(children.pop(0))  # none is always after the same one


def takes_too_long(name: str, condition: Condition, samples: Samples) -> bool:
    """Whether the contender would need longer for so many rows, by what it needs for fewer."""
    if condition not in ROWS[1:]:
        return False
    fewer = ROWS[ROWS.index(condition) - 1]
    times = condition.kwargs["rows"] / fewer.kwargs["rows"]
    return samples.least(name, fewer.name, "ms") * times > LONGEST * 1000


def count_statements(bench: Bench, samples: Samples) -> Iterator[Result]:
    """What the server is sent for one transaction, its BEGIN and COMMIT apart."""
    bench.progress("request: statements")
    conditions = EFFECTS + (ROWS[:-1] if bench.quick else ROWS)
    with bench.servers.log_statements():
        for name in bench.contenders:
            for condition in conditions:
                if takes_too_long(name, condition, samples):
                    continue
                with bench.servers.logged_statements(name) as statements:
                    bench.child(name).call(condition.method, **condition.kwargs)
                count = float(len(statements))
                yield Result("request", name, condition.name, "statements", [count])
            bench.child(name).do("clear")


def count_calls(bench: Bench) -> Iterator[Result]:
    """What Python does for one transaction; of the contenders that marks compare, by package."""
    bench.progress("request: Python's calls")
    for name in bench.contenders:
        for condition in EFFECTS:
            counts: dict[str, int] = bench.child(name).run(
                "benchmarks.timing:count_calls", method=condition.method, kwargs=condition.kwargs
            )
            yield Result("request", name, condition.name, "Python calls", [sum(counts.values())])
            if condition is FEW and name in JUDGED_BY_FEW:
                unit = f"Python calls for {FEW.name}"
                for package in PACKAGES:
                    yield Result("request", name, package, unit, [counts.pop(package, 0)])
                yield Result("request", name, "others", unit, [sum(counts.values())])
        bench.child(name).do("clear")
