"""Find the Celery task of a call by its name, in a process that has not imported the task yet."""

import logging
from functools import cache
from typing import Any

from aftercommit.contrib.tasks.api import InvalidTask
from aftercommit.contrib.tasks.backend import OutboxBackend
from aftercommit.contrib.tasks.celery_task import celery_task_of
from aftercommit.contrib.tasks.names import declared, find_declared

logger = logging.getLogger(__name__)


def find_by_name(name: str) -> Any:
    """Return the Celery task for a task of Django's. Return None if this code has no such task.

    The name says which module is imported, so that it has to be one from the project's database.
    """
    try:
        task = find_declared(name)
        backend = task.get_backend()
        if isinstance(backend, OutboxBackend):
            return celery_task_of(task, backend.outbox_options)
    except InvalidTask as error:
        logger.debug("%s is no task of Django's here: %s", name, error)
    except Exception:  # noqa: BLE001  # a module of the project's is imported
        _log_once(name)
    return None


def register_declared() -> None:
    """Register the Celery tasks of the tasks that modules have declared so far."""
    for task in list(declared.values()):
        find_by_name(task.module_path)


@cache
def _log_once(name: str) -> None:
    """Log the error that is handled, once for each name: a worker looks every two seconds."""
    logger.exception("%s: the module of this task can't be imported", name)
