"""A call that waits for the commit, and one that is called before it."""

from typing import Any

import pytest
from django.db import connection, transaction

from aftercommit.models import OutboxCall
from aftercommit.outbox.pending import pending_calls
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)


def test_pending_calls() -> None:
    """Only calls count among the callbacks."""
    with transaction.atomic():
        transaction.on_commit(lambda: None)
        effects.make_group.delay_on_commit("a")
        assert [call.task for call in pending_calls(connection)] == [effects.make_group.name]


def test_callbacks_run_without_a_commit(django_capture_on_commit_callbacks: Any) -> None:
    """A call whose callback a test runs by hand is stored once."""
    with transaction.atomic():
        with django_capture_on_commit_callbacks(execute=True):
            effects.make_group.delay_on_commit("a")
        assert OutboxCall.objects.count() == 1
    assert OutboxCall.objects.count() == 1


def test_names_itself() -> None:
    """A call says its id, which is that of its row, and its task."""
    call = effects.make_group.delay_on_commit("a")
    assert str(call) == call.id == str(OutboxCall.objects.get().pk)
    assert repr(call) == f"<PendingCall {call.id} of {effects.make_group.name}>"
