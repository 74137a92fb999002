"""Tasks whose effects the outbox's tests look at."""

from collections.abc import Iterator

import pytest
from celery import current_app

from aftercommit.worker import known
from tests.unit.aftercommit import effects


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts as a process that has nothing to tell the database, and ends as one."""
    facts = known.Known()
    monkeypatch.setattr(known, "_known", facts)
    yield
    facts.facts.clear()


@pytest.fixture(autouse=True)
def _fresh_effects() -> Iterator[None]:
    """Each test starts with tasks that succeed and have done nothing."""
    effects.reset()
    yield
    assert set(effects.TASKS) <= set(current_app.tasks)
