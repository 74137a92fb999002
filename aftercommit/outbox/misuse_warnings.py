"""Warnings about work that a durable call can't keep together, each once for a task.

An atomic call can run again. Whatever it does outside its own database then happens twice.
"""

import logging
from typing import Any

from celery import current_task
from celery.signals import before_task_publish
from django.db import connections

from aftercommit.db.hints import engine_hint

logger = logging.getLogger(__name__)

_warned: set[tuple[str, str]] = set()


def warn_of_other_transaction(task: str, connection: Any) -> None:
    """Warn of a call that is stored at once while another database has a transaction open.

    That transaction may roll back; the call stays.
    """
    others = [
        each.alias
        for each in connections.all(initialized_only=True)
        if each.in_atomic_block and each.alias != connection.alias
    ]
    if others and connection.get_autocommit() and _is_new(task, "transaction"):
        logger.warning(
            "%s: called for database %r, which has no transaction open, within a transaction of "
            "%s. The call is stored at once, and stays if that transaction rolls back. Give "
            "using=%r if the call belongs to it.",
            task, connection.alias, ", ".join(map(repr, others)), others[0],
        )  # fmt: skip


def warn_of_missing_hook(task: str, connection: Any) -> None:
    """Warn of a call that was stored after the COMMIT, once for a database and a task."""
    if _is_new(task, f"hook of {connection.alias}"):
        logger.warning(
            "%s: the call was stored after the COMMIT. A process that dies in between loses it. "
            "The workers' sweep doesn't look into database %r, whose ENGINE %r has no commit "
            "hook. %s",
            task, connection.alias, connection.settings_dict["ENGINE"], engine_hint(connection),
        )  # fmt: skip


@before_task_publish.connect
def before_task_publish_warn(sender: Any = None, **kwargs: Any) -> None:
    """Warn of a message that an atomic call sends: each run of the call sends another."""
    task: Any = current_task
    if not task or not getattr(task.request, "outbox_atomic", False):
        return
    if _is_new(task.name, "publish"):
        logger.warning(
            "%s: sends a message of %s while its call can still roll back or run again. Write "
            "delay_on_commit() or start_on_commit(); or say atomic=False.",
            task.name, sender,
        )  # fmt: skip


def _is_new(task: str, kind: str) -> bool:
    is_new = (task, kind) not in _warned
    _warned.add((task, kind))
    return is_new
