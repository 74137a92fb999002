"""Tests of the verdict: each sort of loss and of excess is seen, and what is right is not."""

from collections import Counter

import pytest

from tests.tools.chaos.changes import Change
from tests.tools.chaos.checks import (
    Kind,
    check_audit,
    check_counters,
    check_mails,
    check_outbox,
    check_tokens,
)
from tests.tools.chaos.evidence import Counted, Delivery
from tests.tools.chaos.ledger import Outcome
from tests.unit.chaos.evidence import POT, created, deleted, kinds, restocked

DUE = [created(), restocked(0, 5), restocked(5, 7), deleted(7)]


def audit_problems(found: list[Change]) -> list[Kind]:
    """What is wrong with the log when ``DUE`` committed."""
    return kinds(check_audit({POT: DUE}, {POT: found}))


def delivery(status: str) -> Delivery:
    """A mail's record."""
    return Delivery("key", status, "<id>", 1, "")


class TestAudit:
    """Each change has one entry."""

    def test_as_it_should_be(self) -> None:
        """The same changes in the same order are no problem."""
        assert audit_problems(DUE) == []

    @pytest.mark.parametrize("position", range(len(DUE)))
    def test_lost(self, position: int) -> None:
        """An entry that is missing, wherever it belongs, is lost."""
        assert audit_problems(DUE[:position] + DUE[position + 1 :]) == [Kind.LOST]

    @pytest.mark.parametrize("position", range(len(DUE)))
    def test_doubled(self, position: int) -> None:
        """An entry that is there twice is doubled."""
        assert audit_problems([*DUE[: position + 1], *DUE[position:]]) == [Kind.DOUBLED]

    def test_wrong_value(self) -> None:
        """An entry with another old or new value is wrong."""
        assert audit_problems([DUE[0], restocked(0, 6), *DUE[2:]]) == [Kind.WRONG]
        assert audit_problems([*DUE[:2], restocked(4, 7), DUE[3]]) == [Kind.WRONG]
        assert audit_problems([created("Pan"), *DUE[1:]]) == [Kind.WRONG]

    def test_out_of_order(self) -> None:
        """Entries that changed places are out of order."""
        assert audit_problems([DUE[0], DUE[2], DUE[1], DUE[3]]) == [Kind.ORDER]

    def test_of_nothing_that_committed(self) -> None:
        """An entry of an object that never committed is not due."""
        assert kinds(check_audit({}, {POT: [created()]})) == [Kind.UNDUE]

    def test_none_at_all(self) -> None:
        """An object without entries has lost all of them."""
        assert kinds(check_audit({POT: DUE}, {})) == [Kind.LOST] * 4


class TestTokens:
    """What was said to the one who did it is true."""

    def test_true(self) -> None:
        """What is unknown may be there or not."""
        outcomes = {
            "a1-00001": Outcome.COMMITTED,
            "a1-00002": Outcome.ROLLED_BACK,
            "a1-00003": Outcome.UNKNOWN,
            "a1-00004": Outcome.UNKNOWN,
        }
        assert not [*check_tokens(outcomes, {"a1-00001", "a1-00003"})]

    def test_confirmed_and_gone(self) -> None:
        """A confirmed operation that didn't commit is lost."""
        assert kinds(check_tokens({"a1-00001": Outcome.COMMITTED}, set())) == [Kind.LOST]

    def test_rolled_back_and_there(self) -> None:
        """One that was rolled back and committed is not due."""
        problems = check_tokens({"a1-00001": Outcome.ROLLED_BACK}, {"a1-00001"})
        assert kinds(problems) == [Kind.UNDUE]


class TestCounters:
    """A counter equals what it counts."""

    @pytest.mark.parametrize(
        ("value", "expected"), [(4, [Kind.LOST]), (5, []), (6, [Kind.DOUBLED])]
    )
    def test_compared(self, value: int, expected: list[Kind]) -> None:
        """Too low is lost, too high is doubled."""
        assert kinds(check_counters([Counted("views", value, 5)])) == expected


class TestMails:
    """A mail is sent once."""

    @pytest.mark.parametrize(
        ("status", "times", "expected"),
        [
            ("sent", 1, []),
            ("sent", 0, [Kind.LOST]),
            ("sent", 2, [Kind.DOUBLED]),
            ("unconfirmed", 0, []),
            ("unconfirmed", 1, []),
            ("pending", 0, [Kind.STUCK]),
            ("sending", 1, [Kind.STUCK]),
            ("skipped", 0, [Kind.LOST]),
            ("failed", 0, [Kind.LOST]),
            ("skipped", 1, [Kind.LOST, Kind.UNDUE]),
        ],
    )
    def test_due(self, status: str, times: int, expected: list[Kind]) -> None:
        """One that was due is sent, or said to be unconfirmed."""
        accepted = Counter({"<id>": times} if times else {})
        assert kinds(check_mails([delivery(status)], accepted, ["key"])) == expected

    def test_not_recorded(self) -> None:
        """One that was due and isn't even recorded is lost."""
        assert kinds(check_mails([], {}, ["key"])) == [Kind.LOST]

    def test_optional(self) -> None:
        """One that isn't due any more may be skipped."""
        assert not [*check_mails([delivery("skipped")], {}, [])]

    def test_of_what_rolled_back(self) -> None:
        """One that arrived and that no record knows is not due."""
        assert kinds(check_mails([], {"<id>": 1}, [])) == [Kind.UNDUE]


class TestOutbox:
    """Nothing waits at the end."""

    def test_empty(self) -> None:
        """An empty outbox is as it should be."""
        assert not [*check_outbox([], [])]

    def test_dead_letter(self) -> None:
        """A call that failed is named with its error."""
        (problem,) = check_outbox([("task", "dead", 3, 9, 0, "Traceback\nValueError: 1")], [])
        assert problem.kind is Kind.STUCK
        assert "task #3 is dead" in problem.text
        assert "ValueError: 1" in problem.text

    def test_journal(self) -> None:
        """A batch that nobody runs any more is stuck."""
        assert kinds(check_outbox([], [("task", "host:1", "[1]")])) == [Kind.STUCK]

    def test_waiting(self) -> None:
        """Calls that still wait are counted by their task."""
        calls = [("task", status, 3, 0, 0, "") for status in ("pending", "pending", "running")]
        texts = [problem.text for problem in check_outbox(calls, [])]
        assert texts == ["2 calls of task are pending", "1 calls of task are running"]
