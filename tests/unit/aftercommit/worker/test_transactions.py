"""The transactions that settle calls, and the callbacks in them."""

from typing import Any

import pytest
from django.db import connection, transaction

from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker.drain import drain_all, drain_task
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

KINDS = {"single": effects.make_group, "batch": effects.make_groups}

called: list[str] = []


def call_back(name: str) -> None:
    """Have something done once the call has committed. For "bad" that fails."""

    def callback() -> None:
        called.append(name)
        if name == "bad":
            raise ValueError("no cache")

    transaction.on_commit(callback)


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    called.clear()


@pytest.mark.parametrize("kind", KINDS)
def test_callback_that_raises(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its task. The callbacks of the calls behind it are called, and what was
    called on commit is called."""
    names = ["a", "bad", "b"]
    for name in names:
        effects.act(name, call_back)

    def call_more(name: str) -> None:
        call_back(name)
        effects.take_values.delay_on_commit()

    effects.act("b", call_more)
    with transaction.atomic():
        for name in names:
            KINDS[kind].delay_on_commit(name=name)
    assert drain_all().settled == 4
    assert called == names
    assert effects.names() == names
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.getMessage().startswith(f"{KINDS[kind].name}: an on_commit callback failed")


def test_callback_of_a_call_that_was_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The call is done, and the log says what failed after it."""
    effects.act("bad", call_back)
    effects.make_group.delay_on_commit("bad")
    assert drain_all().settled == 1
    assert called == ["bad"]
    assert "no cache" in caplog.text


def test_callback_of_a_hook(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A hook's callback that raises keeps no outside call behind it from its turn."""
    task: Any = find_task(effects.send_outside.name)
    monkeypatch.setattr(type(task), "on_failure", lambda *_: call_back("bad"), raising=False)
    effects.act("bad", lambda _: 1 / 0)
    with transaction.atomic():
        for name in ("bad", "b"):
            task.delay_on_commit(name)
    OutboxCall.objects.filter(payload__contains="bad").update(attempts=2)
    drain_task(task, "default")
    assert (called, effects.received) == (["bad"], ["bad", "b"])
    assert OutboxCall.objects.get().status == OutboxCall.Status.DEAD
    assert "no cache" in caplog.text


def test_transaction_of_a_test() -> None:
    """In a transaction of somebody else's the callbacks are left as they are."""
    effects.act("bad", call_back)
    effects.make_group.delay_on_commit("bad")
    with transaction.atomic():
        drain_all()
        entries = list(connection.run_on_commit)
        assert any(entry[1].__qualname__.startswith("call_back") for entry in entries)
        transaction.set_rollback(True)
