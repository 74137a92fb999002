"""Tasks whose effects the outbox's tests look at."""

from collections.abc import Iterator

import pytest
from celery import current_app

from aftercommit.worker import deferred_writes
from tests.unit.aftercommit import effects


@pytest.fixture(autouse=True)
def _nothing_deferred(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts as a process that has nothing left to write, and ends as one."""
    deferred = deferred_writes.DeferredWrites()
    monkeypatch.setattr(deferred_writes, "_deferred", deferred)
    yield
    deferred.writes.clear()


@pytest.fixture(autouse=True)
def _fresh_effects() -> Iterator[None]:
    """Each test starts with tasks that succeed and have done nothing."""
    effects.reset()
    yield
    assert set(effects.TASKS) <= set(current_app.tasks)
