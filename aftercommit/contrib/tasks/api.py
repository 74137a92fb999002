"""Django's tasks as this project has them: ``django.tasks``, or the package ``django_tasks``.

The two have the same names. Where both are installed, ``django_tasks`` in INSTALLED_APPS says that
the project's tasks are those of the package.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from django.tasks import DEFAULT_TASK_QUEUE_NAME as DEFAULT_TASK_QUEUE_NAME
    from django.tasks import Task as Task
    from django.tasks import TaskContext as TaskContext
    from django.tasks import TaskResult as TaskResult
    from django.tasks import TaskResultStatus as TaskResultStatus
    from django.tasks import task_backends as task_backends
    from django.tasks.backends.base import BaseTaskBackend as BaseTaskBackend
    from django.tasks.base import TaskError as TaskError
    from django.tasks.exceptions import InvalidTask as InvalidTask
    from django.tasks.exceptions import InvalidTaskBackend as InvalidTaskBackend
    from django.tasks.exceptions import TaskResultDoesNotExist as TaskResultDoesNotExist
    from django.tasks.exceptions import TaskResultMismatch as TaskResultMismatch
    from django.tasks.signals import task_enqueued as task_enqueued
    from django.tasks.signals import task_finished as task_finished
    from django.tasks.signals import task_started as task_started
    from django.utils.json import normalize_json as normalize_json

    AnyTask: TypeAlias = Task[..., Any]
    AnyResult: TypeAlias = TaskResult[..., Any]
else:
    _is_built_in = find_spec("django.tasks") and "django_tasks" not in settings.INSTALLED_APPS
    ROOT = "django.tasks" if _is_built_in else "django_tasks"

    if not find_spec(ROOT):
        raise ImproperlyConfigured(
            "aftercommit.contrib.tasks needs Django's tasks. Use Django 6.0 or newer, or run "
            "pip install 'aftercommit[tasks]' for the package django-tasks."
        )

    base = import_module(f"{ROOT}.base")
    exceptions = import_module(f"{ROOT}.exceptions")
    signals = import_module(f"{ROOT}.signals")
    json = import_module("django.utils.json" if _is_built_in else "django_tasks.utils")

    BaseTaskBackend = import_module(f"{ROOT}.backends.base").BaseTaskBackend
    DEFAULT_TASK_QUEUE_NAME = base.DEFAULT_TASK_QUEUE_NAME
    Task, TaskContext, TaskError = base.Task, base.TaskContext, base.TaskError
    AnyTask, AnyResult = base.Task, base.TaskResult
    TaskResult, TaskResultStatus = base.TaskResult, base.TaskResultStatus
    # django_tasks up to 0.12 has two names of its own.
    InvalidTask = getattr(exceptions, "InvalidTask", None) or exceptions.InvalidTaskError
    InvalidTaskBackend = (
        getattr(exceptions, "InvalidTaskBackend", None) or exceptions.InvalidTaskBackendError
    )
    TaskResultDoesNotExist = exceptions.TaskResultDoesNotExist
    TaskResultMismatch = exceptions.TaskResultMismatch
    task_enqueued, task_started = signals.task_enqueued, signals.task_started
    task_finished = signals.task_finished
    task_backends = import_module(ROOT).task_backends
    normalize_json = json.normalize_json
