"""Calls that are taken back before anybody has begun them."""

from typing import Any

import pytest
from celery import signals
from celery.result import AsyncResult
from celery.worker import state

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from aftercommit.worker.revoke import revoke_as_told, revoke_calls
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.observe import statements

pytestmark = pytest.mark.django_db(transaction=True)


def test_pending() -> None:
    """A call that is pending is deleted, and never runs; others stay."""
    call = effects.make_group.apply_async_on_commit(["later"], countdown=60)
    effects.make_group.delay_on_commit("kept")
    assert revoke_calls([call.id]) == 1
    assert drain_all().settled == 1
    assert effects.names() == ["kept"]
    assert not OutboxCall.objects.exists()


def test_is_told() -> None:
    """Celery's signal tells of it, and the call's result is that it was revoked."""
    told: list[Any] = []

    def receive(request: Any, expired: bool, **kwargs: Any) -> None:
        told.append((request.id, request.args, expired))

    call = effects.make_group.apply_async_on_commit(["a"], countdown=60, ignore_result=False)
    signals.task_revoked.connect(receive)
    revoke_calls([call.pk])
    signals.task_revoked.disconnect(receive)
    assert told == [(call.id, ["a"], False)]
    assert AsyncResult(call.id).status == "REVOKED"


@pytest.mark.parametrize("status", ["dead", "running", "uncertain"])
def test_not_pending(status: str) -> None:
    """What has begun, or has failed for good, is left alone."""
    call = effects.make_group.delay_on_commit("a")
    OutboxCall.objects.update(status=status)
    assert revoke_calls([call.id]) == 0
    assert OutboxCall.objects.exists()


def test_as_a_worker_is_told() -> None:
    """A worker's sweep revokes what it was told to; ids that are no call's are none of its own."""
    call = effects.make_group.delay_on_commit("a")
    state.revoked.update([call.id, "77fe6f4b-9b3c-4f0b-8d65-1c5ad2ed5c3f"])
    try:
        assert revoke_as_told("default") == 1
        with statements() as seen:
            assert revoke_as_told("default") == 0
        # A transaction would wait for a writer on SQLite, and the worker's heartbeat with it.
        assert seen == ["SELECT aftercommit_outboxcall"]
    finally:
        state.revoked.clear()


@pytest.mark.every_database
def test_odd_ids() -> None:
    """Ids that no call can have, which anybody can send, keep no other from being revoked."""
    call, other = (effects.make_group.delay_on_commit(name) for name in "ab")
    OutboxCall.objects.filter(pk=other.pk).update(id=3)
    state.revoked.update([call.id, "9" * 19, "9" * 40, "9" * 5000, "٣", "²", "-1", "1.0", ""])
    try:
        assert revoke_as_told("default") == 1
    finally:
        state.revoked.clear()
    assert OutboxCall.objects.get().pk == 3


def test_no_id_of_a_row() -> None:
    """A number that is too large for a key is nobody's id."""
    assert revoke_calls([2**63, -(2**70)]) == 0


def test_fail_no_id() -> None:
    """What is no call's id is refused."""
    with pytest.raises(ValueError, match="abc"):
        revoke_calls(["abc"])
