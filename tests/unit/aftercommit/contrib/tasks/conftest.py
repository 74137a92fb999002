"""The backends of this folder's tests, and functions that start anew."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from django.test import override_settings

from tests.unit.aftercommit.contrib.tasks import defined
from tests.unit.aftercommit.contrib.tasks.installed import BACKEND, installed

LATER = {"retry_backoff": False, "default_retry_delay": 600}

TASKS: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": BACKEND, "QUEUES": ["default", "slow"]},
    "once": {"BACKEND": BACKEND, "OPTIONS": {"max_retries": 0}},
    "twice": {"BACKEND": BACKEND, "OPTIONS": {"max_retries": 1, **LATER}},
    "outside": {"BACKEND": BACKEND, "OPTIONS": {"atomic": False, "max_retries": 1, **LATER}},
    "forgetful": {"BACKEND": BACKEND, "OPTIONS": {"results": False, "max_retries": 1, **LATER}},
}


@pytest.fixture(scope="package", autouse=True)
def _installed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The app, its table and its backends, for this folder's tests."""
    with django_db_blocker.unblock(), installed(TASKS):
        yield


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Each test starts with functions that did nothing, and in a process that knows no task."""
    defined.reset()
    yield
    for name in [each for each in current_app.tasks if each.startswith(defined.__name__)]:
        current_app.tasks.pop(name)


@pytest.fixture
def eager() -> Iterator[None]:
    """Celery's eager mode."""
    conf: Any = current_app.conf
    conf.update(task_always_eager=True)
    with override_settings():
        yield
    conf.update(task_always_eager=False)
