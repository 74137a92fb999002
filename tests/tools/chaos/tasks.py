"""Tasks whose calls fail, hang or are slow, as their ``fate`` says; the run's workers have them.

An effect in the database is a row. It is written before the call fails, and a rollback takes it
back. An effect outside is a line in a file. It is written after all that can fail, so that a line
is there twice only if a call that had succeeded was run again.
"""

import os
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, connection

from aftercommit.call import Call
from tests.tools.chaos.fates import LINES, Fate

SOFT_LIMIT, LIMIT, LEASE = 1, 2, 6
HALF_A_SECOND: Any = timedelta(seconds=0.5)
SLOW = (0.1, 0.5)
"""Seconds that a slow call takes."""


class Refused(Exception):
    """Fails a call for good."""


PATIENT: dict[str, Any] = {"max_retries": 100, "dont_autoretry_for": (Refused,)}
"""A call may meet many a broken connection, and is not to be given up for that."""


class Unspeakable(Exception):
    """An error that can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError("this error has no text")


class Headstrong(Exception):
    """An error with an attribute that a task has too."""

    max_retries = "many"


TROUBLES: Sequence[Callable[[], Exception]] = (
    lambda: ValueError("an ordinary text"),
    lambda: ValueError("no file \udc80"),
    lambda: ValueError("nul \x00"),
    lambda: OSError("the disk is full, the database is locked"),
    lambda: ValueError("long " * 20_000),
    Unspeakable,
    Headstrong,
)
"""Errors, most of which are hard to record."""


@shared_task(bind=True, time_limit=LIMIT, **PATIENT)
def write(self: Task[Any, Any], name: str, fate: str) -> None:
    """Write a row."""
    write_row(name)
    meet(self, name, Fate(fate))


@shared_task(
    bind=True,
    ignore_result=False,
    soft_time_limit=SOFT_LIMIT,
    time_limit=LIMIT,
    **PATIENT,
)
def write_limited(self: Task[Any, Any], name: str, fate: str) -> str:
    """Write a row, within a soft time limit."""
    write_row(name)
    try:
        meet(self, name, Fate(fate))
    except SoftTimeLimitExceeded as error:
        if fate == Fate.HANGS_SOFTLY:
            raise self.retry(exc=error, countdown=0, max_retries=1) from error
        raise
    return name


@shared_task(
    bind=True,
    batch=True,
    time_limit=LIMIT,
    retry_backoff=False,
    **{**PATIENT, "default_retry_delay": timedelta(seconds=1)},
)
def write_together(self: Task[Any, Any], calls: Sequence[Call]) -> None:
    """Write a row for each call."""
    for call in calls:
        write_row(call.kwargs["name"])
    for call in calls:
        meet(self, call.kwargs["name"], Fate(call.kwargs["fate"]), call.attempts)


@shared_task(
    bind=True,
    atomic=False,
    lease=LEASE,
    time_limit=LEASE + 2,
    ignore_result=False,
    **PATIENT,
)
def send(self: Task[Any, Any], name: str, fate: str) -> str:
    """Write a line, which nobody can take back."""
    meet(self, name, Fate(fate))
    write_line(name)
    return name


@shared_task(
    bind=True,
    atomic=False,
    lease=LEASE,
    time_limit=LEASE + 2,
    reject_on_worker_lost=True,
    **PATIENT,
)
def send_again(self: Task[Any, Any], name: str, fate: str) -> None:
    """Write a line; write it twice rather than not at all."""
    meet(self, name, Fate(fate))
    write_line(name)


def meet(task: Task[Any, Any], name: str, fate: Fate, retries: int | None = None) -> None:
    """Fail, hang or be slow, as the call's fate says. ``retries`` is how often it failed before."""
    number = crc32(name.encode())
    first = not (task.request.retries if retries is None else retries)
    trouble = TROUBLES[number % len(TROUBLES)]
    match fate:
        case Fate.SLOW:
            time.sleep(SLOW[0] + (SLOW[1] - SLOW[0]) * (number % 100) / 100)
        case Fate.FAILS_ONCE if first:
            raise trouble()
        case Fate.ASKS_AGAIN if first:
            raise task.retry(exc=trouble(), countdown=HALF_A_SECOND)
        case Fate.REFUSED:
            raise Refused(name) from trouble()
        case Fate.EXHAUSTED:
            raise task.retry(exc=trouble(), countdown=0, max_retries=1)
        case Fate.BAD_SQL:
            send_bad_sql(task)
        case Fate.HANGS_ONCE if first:
            time.sleep(60)
        case Fate.HANGS | Fate.HANGS_SOFTLY:
            time.sleep(60)


def send_bad_sql(task: Task[Any, Any]) -> None:
    """Name a column that isn't there, and whose name sounds like a fault of the database."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT full_name_of_the_locked FROM chaos_effect")
    except DatabaseError as error:
        raise task.retry(exc=error, countdown=0, max_retries=1) from error


def write_row(name: str) -> None:
    """Have an effect in the database."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO chaos_effect (name) VALUES (%s)", [name])


def write_line(name: str) -> None:
    """Have an effect outside the database: a line, written as a whole."""
    descriptor = os.open(Path(settings.VAR_DIR) / LINES, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(descriptor, f"{name}\n".encode())
    finally:
        os.close(descriptor)
