"""A worker's database connections: none that broke is used, and greenlets leave none open."""

from typing import Any

from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections, connections
from kombu.utils import compat


@task_prerun.connect
def task_prerun_drop_broken_connections(task: Any, **kwargs: Any) -> None:
    """Do for a task what Django does for a request.

    Celery keeps connections for CELERY_DB_REUSE_MAX tasks and looks at none of them. The first
    thing that a task does is to record that it started: on a broken one it would never start.
    """
    if not task.request.is_eager:
        close_old_connections()


@task_postrun.connect
def task_postrun_close_connections_of_greenlet(task: Any, **kwargs: Any) -> None:
    """Close the connections of a task that ran in a greenlet of gevent or eventlet.

    They are the greenlet's own, and it ends with the task. Kept for CELERY_DB_REUSE_MAX tasks they
    would stay open, used by nobody: 99 of PostgreSQL's 100 were.
    """
    if not task.request.is_eager and compat.detect_environment() != "default":
        connections.close_all()
