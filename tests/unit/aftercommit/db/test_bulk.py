"""``insert_rows``: the same rows as bulk_create's."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from aftercommit.db.bulk import insert_rows
from audit.models import AuditLog
from tests.factories import UserFactory

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True, params=[True, False], ids=["copy", "no copy"])
def _can_copy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With COPY, where the database has it, and without, as with psycopg 2."""
    monkeypatch.setattr(connection, "can_copy", request.param and connection.can_copy)


def test_as_bulk_create() -> None:
    """Text that COPY has a meaning for, quotes and letters of any kind arrive as they are."""
    names = ["a\tb", "line\nline", "back\\slash", "\\N", "'quoted'", '"', "été 漢字", ""]
    insert_rows(Group, ["name"], [(name,) for name in names], "default")
    assert set(Group.objects.values_list("name", flat=True)) == set(names)


def test_each_field() -> None:
    """Values of every type are written as ``save()`` writes them: dates, keys, JSON, none."""
    saved = AuditLog.objects.create(
        changes={"a": [1, None, "é"]}, user=UserFactory.create(), call_id=1
    )
    names = [field.attname for field in AuditLog._meta.concrete_fields if not field.primary_key]
    written = {**AuditLog.objects.values(*names).get(), "call_id": 2}
    insert_rows(AuditLog, names, [[written[name] for name in names]], "default")
    assert AuditLog.objects.values(*names).get(call_id=2) == written
    assert AuditLog.objects.get(call_id=2).changes == saved.changes


def test_nothing() -> None:
    """No rows, no statement."""
    with CaptureQueriesContext(connection) as captured:
        insert_rows(Group, ["name"], [], "default")
    assert not captured.captured_queries


def test_error() -> None:
    """A broken constraint is Django's IntegrityError, and nothing is written."""
    with pytest.raises(IntegrityError):
        insert_rows(Group, ["name"], [("a",), ("a",)], "default")
    assert not Group.objects.exists()
