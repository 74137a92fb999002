"""Tests of the report: what it always says, and what it says of the run's own calls."""

from tests.tools.chaos.checks import Kind, Problem
from tests.tools.chaos.evidence import Evidence, Traces
from tests.tools.chaos.fates import WRITE, Fate, OwnCall
from tests.tools.chaos.report import Result, lines

OWN = [
    OwnCall(1, WRITE, "writer1-00001", Fate.WORKS),
    OwnCall(2, WRITE, "writer1-00002", Fate.HANGS),
]


def report(*problems: Problem) -> list[str]:
    """The lines of a report with these problems, each with single spaces."""
    evidence = Evidence(own=OWN, traces=Traces(statuses={2: "dead"}))
    result = Result(1, "sqlite", 60, 0, evidence, [], [], problems=[*problems])
    return [" ".join(line.split()) for line in lines(result)]


def test_nothing_wrong() -> None:
    """That nothing is lost, doubled or stuck is said."""
    assert {"lost 0", "doubled 0", "stuck 0"} <= {*report()}


def test_each_kind_by_itself() -> None:
    """What is stuck is not counted as lost."""
    told = report(Problem(Kind.STUCK, "a call"), Problem(Kind.FAILED, "a request"))
    assert {"lost 0", "doubled 0", "stuck 1", "failed 1", "stuck: a call"} <= {*told}


def test_calls() -> None:
    """How the run's own calls ended is told, and what happened to them."""
    assert {"calls checked 2 (1 dead, 1 done)", "1 hangs until it is killed"} <= {*report()}
