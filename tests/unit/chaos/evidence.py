"""Small pieces of evidence for the tests of the checks."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.tools.chaos.changes import CREATE, DELETE, UPDATE, Change, Key, audited
from tests.tools.chaos.checks import Kind, Problem
from tests.tools.chaos.witness import Record

POT: Key = ("content.product", "7")
EARLY = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 12, 5, tzinfo=UTC)


def created(name: str = "Pot") -> Change:
    """The creation of a product."""
    values = {"id": "7", "name": name, "price": "9.99", "stock": "0", "is_active": "True"}
    return audited(CREATE, {"values": values})


def restocked(old: int, new: int) -> Change:
    """A change of its stock."""
    return audited(UPDATE, {"stock": {"old": str(old), "new": str(new)}})


def deleted(stock: int) -> Change:
    """Its deletion."""
    return audited(DELETE, {"deleted_values": {"id": "7", "stock": str(stock)}})


def kinds(problems: Iterable[Problem]) -> list[Kind]:
    """What sort of problems they are."""
    return [problem.kind for problem in problems]


def record(
    model: str,
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    at: datetime = LATER,
    number: int = 1,
) -> Record:
    """What the witness took down of a row."""
    action = CREATE if old is None else DELETE if new is None else UPDATE
    return Record(number, at, model, action, old, new)
