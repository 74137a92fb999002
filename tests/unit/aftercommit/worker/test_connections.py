"""The connections of a worker, before and after a task."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.signals import task_postrun
from django.db import connection
from kombu.utils import compat

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


def end_task(is_eager: bool = False) -> None:
    """Have a task end, as Celery tells of it."""
    task: Any = SimpleNamespace(request=SimpleNamespace(is_eager=is_eager))
    task_postrun.send(sender=object(), task=task)


@pytest.mark.parametrize("environment", ["gevent", "eventlet"])
def test_greenlet(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A greenlet ends with its task, and leaves no connection open."""
    monkeypatch.setattr(compat, "_environment", environment)
    connection.ensure_connection()
    end_task()
    assert connection.connection is None


def test_process() -> None:
    """A process of the pool keeps its connection for the next task."""
    connection.ensure_connection()
    end_task()
    assert connection.connection is not None


def test_called_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that somebody runs in place closes nothing of theirs."""
    monkeypatch.setattr(compat, "_environment", "gevent")
    connection.ensure_connection()
    end_task(is_eager=True)
    assert connection.connection is not None
