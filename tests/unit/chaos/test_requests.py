"""Tests of the requests' part of the verdict: what a fault excuses, and what it doesn't."""

import pytest

from tests.tools.chaos.checks import Kind
from tests.tools.chaos.faults import FAULTS
from tests.tools.chaos.requests import AFTER, LONGEST, check_requests, delays
from tests.tools.chaos.schedule import Injection
from tests.tools.chaos.traffic import Answer
from tests.unit.chaos.evidence import kinds

FAILED = Answer("GET /", 100, 100.1, 500, "GET / was answered with 500, not 200.")
SLOW = Answer("GET /", 100, 101 + LONGEST, 200, "")


def injection(part: str, begun: float, ended: float) -> Injection:
    """A fault of this part of the system, at this time."""
    fault = next(each for each in FAULTS if each.part == part)
    return Injection(0, 0, fault, 1, begun, ended)


@pytest.mark.parametrize("answer", [FAILED, SLOW])
@pytest.mark.parametrize("part", ["broker", "worker", "mail", "writer"])
def test_not_excused(answer: Answer, part: str) -> None:
    """A request doesn't fail or wait for what it doesn't run in."""
    assert kinds(check_requests([answer], [injection(part, 99, 102)])) == [Kind.FAILED]
    assert kinds(check_requests([answer], [])) == [Kind.FAILED]


@pytest.mark.parametrize("answer", [FAILED, SLOW])
@pytest.mark.parametrize("part", ["web", "database"])
def test_excused(answer: Answer, part: str) -> None:
    """It may when its own process or database was broken, or just had been."""
    assert not [*check_requests([answer], [injection(part, 99, 102)])]
    assert not [*check_requests([answer], [injection(part, 99 - AFTER, 101 - AFTER)])]
    assert kinds(check_requests([answer], [injection(part, 90, 99 - AFTER)])) == [Kind.FAILED]


def test_locked_by_a_frozen_host() -> None:
    """A request may wait for a row that a frozen host has locked; it may not fail."""
    assert not [*check_requests([SLOW], [injection("host", 99, 102)])]
    assert kinds(check_requests([FAILED], [injection("host", 99, 102)])) == [Kind.FAILED]
    assert kinds(check_requests([SLOW], [injection("host", 90, 99)])) == [Kind.FAILED]


def test_delays() -> None:
    """The delays are of the requests during a fault of this part, or of none."""
    quick, slow = Answer("GET /a", 1, 2, 200, ""), Answer("GET /b", 10, 13, 200, "")
    broken = [injection("broker", 9, 14)]
    assert delays([quick, slow], broken, "broker") == (1, 3, 3, "GET /b")
    assert delays([quick, slow], broken) == (1, 1, 1, "GET /a")
    assert delays([quick, slow], broken, "mail") is None
