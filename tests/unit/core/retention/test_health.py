"""Rows that should have ended long ago: nobody runs the task."""

from typing import Any

import pytest
from django.conf import settings as configured

from core.retention.health import check_retention
from tests.unit.core.retention.old import MAKERS, days, make_old

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def found() -> tuple[dict[str, Any], list[str]]:
    """The figures and the notes."""
    findings = check_retention("default")
    assert findings is not None
    assert not findings.problems
    return dict(findings.figures), list(findings.notes)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_overdue(name: str) -> None:
    """A row that should have ended days ago is noted, with what to look at."""
    make_old(name, days(name) + 5.1)
    figures, (note,) = found()
    assert figures == {"days_overdue": 5}
    assert note.startswith(f"Rows of '{name}' in 'default' should have ended 5 days ago")
    assert "See that beat and a worker run" in note


def test_in_time() -> None:
    """A row that is a little late, and one that is kept for ever, are no news."""
    make_old("audit", days("audit") + 1.9)
    assert found() == ({"days_overdue": 0}, [])


def test_for_ever(settings: Any) -> None:
    """What is kept for ever is never late."""
    settings.RETENTION_DAYS = {**configured.RETENTION_DAYS, "audit": None}
    make_old("audit", 10_000)
    assert found() == ({"days_overdue": 0}, [])


def test_other_database() -> None:
    """Of a database that has nothing that expires, it says nothing."""
    assert check_retention("elsewhere") is None
