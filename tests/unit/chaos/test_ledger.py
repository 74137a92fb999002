"""Tests of the ledger: what is known of an operation, also of one whose process died."""

from pathlib import Path

import pytest

from tests.tools.chaos.ledger import Ledger, Outcome, read_ledgers, tokens_in


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty one."""
    return Ledger(tmp_path / "user1.ledger", "user1")


def test_outcomes(ledger: Ledger, tmp_path: Path) -> None:
    """The last that was said of an operation counts; one that only began is unknown."""
    first, second, third = ledger.begin(), ledger.begin(), ledger.begin()
    ledger.end(first, Outcome.COMMITTED)
    ledger.end(second, Outcome.ROLLED_BACK)
    assert read_ledgers(tmp_path) == {
        first: Outcome.COMMITTED,
        second: Outcome.ROLLED_BACK,
        third: Outcome.UNKNOWN,
    }
    ledger.close()


def test_torn_line(ledger: Ledger, tmp_path: Path) -> None:
    """A line that its writer's death cut off leaves the operation unknown."""
    token = ledger.begin()
    with (tmp_path / "user1.ledger").open("a") as file:
        file.write(f'["{token}", "comm')
    assert read_ledgers(tmp_path) == {token: Outcome.UNKNOWN}
    ledger.close()


def test_several_writers(ledger: Ledger, tmp_path: Path) -> None:
    """All ledgers of the folder are read, and their tokens differ."""
    other = Ledger(tmp_path / "writer2.ledger", "writer2")
    tokens = {ledger.begin(), other.begin()}
    assert read_ledgers(tmp_path).keys() == tokens
    ledger.close()
    other.close()


def test_tokens(ledger: Ledger) -> None:
    """A token is found in whatever it was written into, and nothing else is."""
    first, second = ledger.begin(), ledger.begin()
    texts = [f"0 {first}", f"{second} step 2", "user1", "2026-01-01", None]
    assert tokens_in(texts) == {first, second}
    ledger.close()
