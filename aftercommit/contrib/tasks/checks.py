"""System checks of one backend of TASKS. Django runs them with its own."""

from collections.abc import Collection, Iterator
from typing import Any

from celery import current_app
from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections

from aftercommit.contrib.tasks.api import DEFAULT_TASK_QUEUE_NAME
from aftercommit.contrib.tasks.options import BackendOptions
from aftercommit.contrib.tasks.outcomes import keeps_results
from aftercommit.contrib.tasks.records import is_table_installed
from aftercommit.db.hints import engine_hint


def check_backend(
    alias: str, queues: Collection[str], options: BackendOptions
) -> list[CheckMessage]:
    """Return a message for each thing that keeps the backend's tasks from being durable."""
    return [
        *_check_app(alias),
        *_check_database(alias, options.database),
        *_check_results(alias, options),
        *_check_queues(alias, queues),
    ]


def _check_app(alias: str) -> Iterator[CheckMessage]:
    if not apps.is_installed("aftercommit"):
        yield Error(
            f"TASKS[{alias!r}] stores tasks in the outbox, and INSTALLED_APPS has no "
            "'aftercommit'.",
            hint="Add 'aftercommit' to INSTALLED_APPS, and run manage.py migrate.",
            id="aftercommit.E040",
        )


def _check_database(alias: str, database: str) -> Iterator[CheckMessage]:
    if database not in connections.settings:
        yield Error(
            f"TASKS[{alias!r}]['OPTIONS']['database'] is {database!r}, and DATABASES has "
            f"{', '.join(connections.settings)}.",
            hint="Name the database whose transactions enqueue the tasks.",
            id="aftercommit.E041",
        )
    elif not getattr(connections[database], "has_outbox", False):
        engine = connections[database].settings_dict["ENGINE"]
        yield Error(
            f"TASKS[{alias!r}] enqueues in database {database!r}, whose ENGINE {engine!r} stores "
            "no calls before COMMIT. A task is lost if the process dies just after the commit.",
            hint=engine_hint(connections[database]),
            id="aftercommit.E042",
        )


def _check_results(alias: str, options: BackendOptions) -> Iterator[CheckMessage]:
    if keeps_results(options) and not is_table_installed():
        yield Error(
            f"TASKS[{alias!r}]['OPTIONS']['results'] is True, and the table of results is not "
            "there.",
            hint="Add 'aftercommit.contrib.tasks' to INSTALLED_APPS, and run manage.py migrate.",
            id="aftercommit.E043",
        )


def _check_queues(alias: str, queues: Collection[str]) -> Iterator[CheckMessage]:
    conf: Any = current_app.conf
    named = {each.name for each in conf.task_queues or ()}
    unknown = sorted({*queues} - named - {DEFAULT_TASK_QUEUE_NAME})
    if unknown and not conf.task_create_missing_queues:
        yield Warning(
            f"TASKS[{alias!r}]['QUEUES'] has {', '.join(unknown)}, which CELERY_TASK_QUEUES has "
            "not, and CELERY_TASK_CREATE_MISSING_QUEUES is off. No worker is woken for "
            "these.",
            hint="Add the queues to CELERY_TASK_QUEUES.",
            id="aftercommit.W044",
        )
