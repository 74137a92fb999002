"""Tests of the schedule: repeatable, and one fault of a part at a time."""

from itertools import pairwise

from tests.tools.chaos.fault import BROKER
from tests.tools.chaos.faults import FAULTS
from tests.tools.chaos.schedule import GAPS, plan


def test_repeatable() -> None:
    """The same seed makes the same schedule, another one another."""
    assert plan(1, 60, [*GAPS]) == plan(1, 60, [*GAPS])
    assert plan(1, 60, [*GAPS]) != plan(2, 60, [*GAPS])


def test_one_at_a_time() -> None:
    """A part's next fault begins after its last has ended."""
    planned = plan(3, 600, [BROKER])
    assert all(one.at + one.seconds < next_.at for one, next_ in pairwise(planned))


def test_all_of_them() -> None:
    """Each fault comes before any of its part comes again."""
    names = [each.fault.name for each in plan(4, 600, [BROKER])]
    expected = {fault.name for fault in FAULTS if fault.part == BROKER}
    assert {*names[: len(expected)]} == expected
