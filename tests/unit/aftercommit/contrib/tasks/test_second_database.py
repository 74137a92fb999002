"""``database`` in OPTIONS: tasks and results are in the database whose transactions they follow."""

from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import override_settings

from aftercommit.contrib.tasks.api import TaskResultStatus
from aftercommit.contrib.tasks.records import records
from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit.contrib.tasks import defined
from tests.unit.aftercommit.contrib.tasks.installed import BACKEND
from tests.unit.aftercommit.db.test_databases import BOTH, SECOND, _second_database

__all__ = ["_second_database"]

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=BOTH),
    pytest.mark.usefixtures("_second_database"),
]


@pytest.fixture(autouse=True)
def _in_second() -> Iterator[None]:
    backend = {"BACKEND": BACKEND, "OPTIONS": {"database": SECOND}}
    with override_settings(TASKS={"default": backend}):
        yield


def test_commit() -> None:
    """A task commits with its database's transaction, and its result is there."""
    with transaction.atomic(SECOND):
        result = defined.name_actor.enqueue()
    assert OutboxCall.objects.using(SECOND).count() == 1
    assert not OutboxCall.objects.exists()
    drain_all()
    result.refresh()
    assert result.status == TaskResultStatus.SUCCESSFUL
    assert records(SECOND).filter(pk=result.id).exists()


def test_rollback() -> None:
    """It is dropped with that transaction, whatever the others do."""
    with transaction.atomic():
        with transaction.atomic(SECOND):
            defined.name_actor.enqueue()
            transaction.set_rollback(True, using=SECOND)
        defined.Group.objects.create(name="kept")
    assert not OutboxCall.objects.using(SECOND).exists()
    assert defined.names() == ["kept"]
