"""A call that commits long after a later one is found at once."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from aftercommit.db import hook
from aftercommit.models import OutboxCall
from core.stack.waiting import wait_until
from tests.reliability import tasks
from tests.reliability.conftest import StartWorker
from tests.reliability.state import TIMEOUT, left, wait_settled, written

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on(
        "postgres", "mysql", reason="with one writer at a time nothing commits meanwhile"
    ),
]

LATE = "late commit"


@pytest.fixture
def commit_late(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A transaction that has stored its call and not committed; called, it commits."""
    stored, go_on = threading.Event(), threading.Event()
    original = hook.store_calls

    def store_and_wait(*args: Any) -> None:
        original(*args)
        if threading.current_thread().name == LATE:
            stored.set()
            go_on.wait(TIMEOUT)

    monkeypatch.setattr(hook, "store_calls", store_and_wait)

    def make_call() -> None:
        connection.several_in = ()  # there is to be a time between the two
        try:
            with transaction.atomic():
                tasks.write_one.delay_on_commit(name="early")
        finally:
            connection.close()

    thread = threading.Thread(target=make_call, name=LATE)

    def commit() -> None:
        go_on.set()
        thread.join(TIMEOUT)

    thread.start()
    assert stored.wait(TIMEOUT)
    yield commit
    commit()


@pytest.mark.parametrize("way", ["wake-up", "sweep"])
def test_found_at_once(
    monkeypatch: pytest.MonkeyPatch,
    commit_late: Callable[[], None],
    start_worker: StartWorker,
    way: str,
) -> None:
    """By its own wake-up, and by the sweep where that is lost."""
    start_worker(env={"OUTBOX_SWEEP_INTERVAL": "600" if way == "wake-up" else "0.3"})
    for number in range(3):
        tasks.write_one.delay_on_commit(name=f"later {number}")
    wait_until(lambda: len(written()) == 3, TIMEOUT, left)
    wait_until(lambda: not OutboxCall.objects.exists(), TIMEOUT, left)
    if way == "sweep":
        monkeypatch.setattr(hook, "wake_tasks", lambda calls: None)
    commit_late()
    wait_settled()
    assert written() == ["early", "later 0", "later 1", "later 2"]


def test_kept_open(commit_late: Callable[[], None], start_worker: StartWorker) -> None:
    """A transaction that stays open holds up no other, and its call is had once it commits."""
    start_worker()
    with transaction.atomic():
        for number in range(1000):
            tasks.write_batch.delay_on_commit(name=str(number))
    tasks.write_one.delay_on_commit(name="later")
    wait_until(lambda: len(written()) == 1001, TIMEOUT, left)
    assert "early" not in written()
    commit_late()
    wait_settled()
    assert written().count("early") == 1
