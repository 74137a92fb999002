"""Connections that broke while a worker's process was idle are dropped before its next task."""

from typing import Any

from celery.signals import task_prerun
from django.db import close_old_connections


@task_prerun.connect
def task_prerun_drop_broken_connections(task: Any, **kwargs: Any) -> None:
    """Do for a task what Django does for a request.

    Celery keeps connections for CELERY_DB_REUSE_MAX tasks and looks at none of them. The first
    thing that a task does is to record that it started: on a broken one it would never start.
    """
    if not task.request.is_eager:
        close_old_connections()
