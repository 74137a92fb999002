"""Keep a worker's database connections usable: replace those that broke, and leave none open."""

from collections.abc import Callable
from typing import Any, TypeVar

from celery.signals import task_postrun, task_prerun
from django.db import Error, close_old_connections, connections
from kombu.utils import compat

from aftercommit.worker.database_errors import is_transient

TRIES = 3
"""The number of tries of a step, one at once after the other, while the database fails."""

Value = TypeVar("Value")


def retry_transient(using: str, function: Callable[[], Value]) -> Value:
    """Return the function's value. While the database fails, call it again on a new connection."""
    for _ in range(1, TRIES):
        try:
            return function()
        except Error as error:
            if not is_transient(error):
                raise
            drop_broken_connection(using)
    return function()


def drop_broken_connection(using: str) -> None:
    """Close a connection that broke or is too old, as Django does between requests."""
    connection = connections[using]
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


@task_prerun.connect
def task_prerun_drop_broken_connections(task: Any, **kwargs: Any) -> None:
    """Do for a task what Django does for a request.

    Celery keeps connections for CELERY_DB_REUSE_MAX tasks, and checks none of them. The first thing
    that a task does is to record that it started: on a broken connection it would never start.
    """
    if not task.request.is_eager:
        close_old_connections()


@task_postrun.connect
def task_postrun_close_connections_of_greenlet(task: Any, **kwargs: Any) -> None:
    """Close the connections of a task that ran in a greenlet of gevent or eventlet.

    Each greenlet has connections of its own, and ends with its task. Kept for CELERY_DB_REUSE_MAX
    tasks they would stay open and unused: 99 of PostgreSQL's 100 connections did.
    """
    if not task.request.is_eager and compat.detect_environment() != "default":
        connections.close_all()
