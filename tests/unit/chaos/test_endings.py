"""Tests of the verdict on the run's own calls: each ends as its fate says, with its effect."""

from collections import Counter

import pytest

from tests.tools.chaos.checks import Kind, check_outbox
from tests.tools.chaos.endings import check_endings
from tests.tools.chaos.evidence import Traces
from tests.tools.chaos.fates import (
    DEADLY,
    FATES,
    MODULE,
    SEND,
    SEND_AGAIN,
    WRITE,
    WRITE_LIMITED,
    Fate,
    OwnCall,
    own_calls,
)
from tests.unit.chaos.evidence import kinds, record

NAME = "writer1-00001"


def call(task: str = WRITE, fate: Fate = Fate.WORKS) -> OwnCall:
    """A call that committed."""
    return OwnCall(7, task, NAME, fate)


def problems(of: OwnCall, status: str = "", effects: int = 0, results: str = "") -> list[Kind]:
    """What is wrong with a call that left this; "" is the status of one that is gone."""
    written = Counter({NAME: effects} if effects else {})
    traces = Traces(
        statuses={7: status} if status else {},
        rows=Counter() if of.task in (SEND, SEND_AGAIN) else written,
        lines=written if of.task in (SEND, SEND_AGAIN) else Counter(),
        results={"7": results.split()},
    )
    return kinds(check_endings([of], traces))


@pytest.mark.parametrize(("effects", "expected"), [(0, [Kind.LOST]), (1, []), (2, [Kind.DOUBLED])])
def test_done(effects: int, expected: list[Kind]) -> None:
    """A call that is done had its effect once."""
    assert problems(call(), effects=effects) == expected


@pytest.mark.parametrize("fate", sorted(DEADLY))
def test_dead_letter(fate: Fate) -> None:
    """A call that has to fail is a dead letter, and its effect is not there."""
    assert problems(call(fate=fate), "dead") == []
    assert problems(call(fate=fate), "dead", effects=1) == [Kind.UNDUE]
    assert problems(call(fate=fate)) == [Kind.LOST]


def test_given_up() -> None:
    """A call that had to succeed and is a dead letter waits for a person: it is stuck."""
    assert problems(call(fate=Fate.FAILS_ONCE), "dead") == [Kind.STUCK]


@pytest.mark.parametrize("status", ["pending", "running"])
def test_waiting(status: str) -> None:
    """A call that still waits is the outbox's problem, and no second one."""
    assert problems(call(), status) == []
    rows = [(f"{MODULE}.{WRITE}", status, 7, 0, 0, "")]
    assert kinds(check_outbox(rows, [])) == [Kind.STUCK]


@pytest.mark.parametrize("status", ["dead", "uncertain"])
def test_held(status: str) -> None:
    """A call of these that waits for a person is not the outbox's problem."""
    assert not [*check_outbox([(f"{MODULE}.{WRITE}", status, 7, 0, 0, "")], [])]


@pytest.mark.parametrize(
    ("task", "effects", "expected"),
    [
        (SEND, 0, []),
        (SEND, 1, []),
        (SEND, 2, [Kind.DOUBLED]),
        (SEND_AGAIN, 1, [Kind.STUCK]),
        (WRITE, 1, [Kind.STUCK]),
    ],
)
def test_uncertain(task: str, effects: int, expected: list[Kind]) -> None:
    """Only an effect outside the database may be uncertain, and only without a second run."""
    assert problems(call(task), "uncertain", effects) == expected


def test_again() -> None:
    """A call that may run again for its lost process may have its effect twice."""
    assert problems(call(SEND_AGAIN), effects=2) == []
    assert problems(call(SEND_AGAIN)) == [Kind.LOST]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ("SUCCESS", []),
        ("", [Kind.LOST]),
        ("RETRY", [Kind.WRONG]),
        ("SUCCESS SUCCESS", [Kind.DOUBLED]),
    ],
)
def test_result(results: str, expected: list[Kind]) -> None:
    """A call of a task that keeps results has one, and it says how the call ended."""
    assert problems(call(WRITE_LIMITED), effects=1, results=results) == expected
    assert problems(call(WRITE_LIMITED, Fate.REFUSED), "dead", results="FAILURE") == []


def test_of_nothing_that_committed() -> None:
    """An effect of a call that never committed is not due."""
    assert kinds(check_endings([], Traces(rows=Counter({NAME: 1})))) == [Kind.UNDUE]
    assert kinds(check_endings([], Traces(lines=Counter({NAME: 1})))) == [Kind.UNDUE]


def test_result_of_what_keeps_none() -> None:
    """A result of a wake-up, or of a call of a task without results, is not due."""
    assert kinds(check_endings([], Traces(results={"8": ["SUCCESS"]}))) == [Kind.UNDUE]
    assert problems(call(WRITE), effects=1, results="SUCCESS") == [Kind.UNDUE]


def test_read_from_the_witness() -> None:
    """The calls of the chaos run's own tasks are known by what committed; others are left out."""
    payload = f'[[], {{"name": "{NAME}", "fate": "works"}}]'
    rows = [
        record("call", new={"id": 7, "task": f"{MODULE}.{WRITE}", "payload": payload}),
        record("call", new={"id": 8, "task": "content.tasks.count_views", "payload": "[[], {}]"}),
    ]
    assert own_calls(rows) == [call()]


def test_all_fates() -> None:
    """Each fate is met by some task."""
    assert {fate for fates in FATES.values() for fate in fates} == {*Fate}
