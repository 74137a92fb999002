"""Which options hold for a task's durable calls: what its author names, else the defaults."""

import math
from typing import Any

import pytest
from celery import Task, current_app
from celery.contrib.django.task import DjangoTask

from aftercommit.outbox.task import OutboxTask
from aftercommit.outbox.task_options import Options

BASES = pytest.mark.parametrize("base", [Task, DjangoTask, OutboxTask])


class Base(OutboxTask):
    """A base class of a project's own."""

    abstract = True
    max_retries = 5
    retry_backoff_max = 60


def make(base: Any, name: str, **options: Any) -> Any:
    """Return a task of the class, of this test alone."""
    app: Any = current_app
    app.tasks.pop(name, None)
    return app.task(nothing, base=base, name=name, shared=False, **options)


def nothing() -> None:
    """Do nothing."""


@BASES
def test_defaults(base: Any) -> None:
    """A task of any class that names none is tried nine times, with a growing delay."""
    options = Options.of(make(base, f"tests.options.{base.__name__}"))
    assert (options.max_retries, options.retry_backoff) == (8, True)
    assert (options.retry_backoff_max, options.retry_jitter) == (600, True)
    assert (options.batch, options.atomic, options.lease) == (False, True, 120)
    assert options.default_retry_delay == 180


@BASES
@pytest.mark.parametrize("retries", [0, 3, None])
def test_named(base: Any, retries: int | None) -> None:
    """What the task itself names holds, Celery's own default and "for ever" included."""
    task = make(base, f"tests.options.named.{base.__name__}", max_retries=retries, atomic=False)
    options = Options.of(task)
    assert (options.max_retries, options.atomic) == (retries, False)


@pytest.mark.parametrize(("retries", "limit"), [(math.inf, None), (2.5, 3), (2.0, 2)])
def test_retries_that_are_no_integer(retries: float, limit: int | None) -> None:
    """``math.inf`` is "for ever", and so many are there as a comparison would allow."""
    name = f"tests.options.retries.{retries}"
    assert Options.of(make(OutboxTask, name, max_retries=retries)).max_retries == limit


def test_named_by_a_base_class() -> None:
    """What a base class of the project names holds for its tasks."""
    options = Options.of(make(Base, "tests.options.base"))
    assert (options.max_retries, options.retry_backoff_max, options.retry_backoff) == (5, 60, True)


def test_named_by_annotations() -> None:
    """So does what ``CELERY_TASK_ANNOTATIONS`` say."""
    task = make(OutboxTask, "tests.options.annotated")
    type(task).max_retries = 7  # as Celery writes annotations
    assert Options.of(task).max_retries == 7
