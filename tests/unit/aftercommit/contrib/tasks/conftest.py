"""The backends of this folder's tests, and functions that start anew."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from celery import current_app
from django.test import TestCase, override_settings

from tests.unit.aftercommit.contrib.tasks import defined
from tests.unit.aftercommit.contrib.tasks.installed import BACKEND, installed, table_of_results

LATER = {"retry_backoff": False, "default_retry_delay": 600}

TASKS: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": BACKEND, "QUEUES": ["default", "slow"]},
    "once": {"BACKEND": BACKEND, "OPTIONS": {"max_retries": 0}},
    "twice": {"BACKEND": BACKEND, "OPTIONS": {"max_retries": 1, **LATER}},
    "outside": {"BACKEND": BACKEND, "OPTIONS": {"atomic": False, "max_retries": 1, **LATER}},
    "forgetful": {"BACKEND": BACKEND, "OPTIONS": {"results": False, "max_retries": 1, **LATER}},
}


@pytest.fixture(scope="package", autouse=True)
def _installed(request: pytest.FixtureRequest) -> Iterator[None]:
    """The app, its backends and its table, for this folder's tests.

    The table comes before the first test's transaction. Without a test that asks for a database
    there is none to have it.
    """
    needs_table = any(map(has_database, request.session.items))
    if needs_table:
        request.getfixturevalue("django_db_setup")
    with ExitStack() as stack:
        stack.enter_context(installed(TASKS))
        if needs_table:
            stack.enter_context(request.getfixturevalue("django_db_blocker").unblock())
            stack.enter_context(table_of_results())
        yield


def has_database(item: pytest.Item) -> bool:
    """Return whether the test asks for a database."""
    case = getattr(item, "cls", None)
    return bool(item.get_closest_marker("django_db") or (case and issubclass(case, TestCase)))


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
