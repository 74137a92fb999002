"""A pooler in front of PostgreSQL is noticed, and what it does not keep is named."""

from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection

from aftercommit.db.postgresql import outbox
from aftercommit.db.postgresql.pooler import is_pooled

postgres_only = pytest.mark.only_on("postgres", reason="the pooler is PostgreSQL's")
KEPT: dict[str, Any] = {"DISABLE_SERVER_SIDE_CURSORS": True, "OPTIONS": {}}


def told(monkeypatch: pytest.MonkeyPatch, pooled: bool, **settings: Any) -> list[str]:
    """Return what the check says of the database with these settings."""
    monkeypatch.setattr(outbox, "is_pooled", lambda connection: pooled, raising=False)
    for name, value in settings.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    found = run_checks(tags=["aftercommit"], databases=["default"])
    return [each.msg for each in found if each.id == "aftercommit.W006"]


@postgres_only
@pytest.mark.django_db
def test_no_pooler() -> None:
    """The process that answers is the one that the client connected to."""
    assert not is_pooled(connection)


@postgres_only
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (KEPT, []),
        ({**KEPT, "OPTIONS": {"prepare_threshold": None, "pool": True}}, []),
        ({**KEPT, "DISABLE_SERVER_SIDE_CURSORS": False}, ["DISABLE_SERVER_SIDE_CURSORS"]),
        ({**KEPT, "OPTIONS": {"assume_role": "owner"}}, ["OPTIONS['assume_role']"]),
        ({**KEPT, "OPTIONS": {"prepare_threshold": 0}}, ["OPTIONS['prepare_threshold']"]),
    ],
)
def test_through_a_pooler(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], said: list[str]
) -> None:
    """Each setting that means a session is named, and nothing else."""
    found = told(monkeypatch, True, **settings)
    assert [any(word in each for each in found) for word in said] == [True] * len(found)
    assert len(found) == len(said)


@pytest.mark.django_db
def test_straight_to_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pooler any setting is kept."""
    assert told(monkeypatch, False, DISABLE_SERVER_SIDE_CURSORS=False) == []
