"""Tasks whose effects the outbox's tests look at."""

from collections.abc import Iterator

import pytest
from celery import current_app

from tests.unit.core import effects


@pytest.fixture(autouse=True)
def _fresh_effects() -> Iterator[None]:
    """Each test starts with tasks that succeed and have done nothing."""
    effects.reset()
    yield
    assert set(effects.TASKS) <= set(current_app.tasks)
