"""Django's tasks in a real worker, which is started as any worker of Celery's."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone
from pytest_celery import CeleryTestSetup

from aftercommit.contrib.tasks.api import TaskResultStatus
from aftercommit.models import OutboxCall
from core.stack.waiting import wait_until
from tests.celery_engine.worker import ProjectWorker
from tests.integration.tasks import work
from tests.unit.aftercommit.contrib.tasks.installed import installed, table_of_results

SETTINGS = "tests.integration.tasks.settings"
TIMEOUT = 30

Start = Callable[..., ProjectWorker]


@pytest.fixture(autouse=True)
def _installed(transactional_db: None) -> Iterator[None]:
    """The table of results and the backends, in this process."""
    from tests.integration.tasks import settings

    with installed(settings.TASKS), table_of_results():
        yield


@pytest.fixture
def start(_installed: None, celery_setup: CeleryTestSetup) -> Start:
    """Start a worker of a project with the backend: ``start("-Q", "slow")``."""

    def start(*args: str) -> ProjectWorker:
        env = {"DJANGO_SETTINGS_MODULE": SETTINGS, "OUTBOX_SWEEP_INTERVAL": "0.3"}
        return celery_setup.worker_cluster.start(env=env, args=args)

    return start


def wait_finished(*results: Any) -> None:
    """Wait until all these tasks have ended."""

    def are_finished() -> bool:
        for result in results:
            result.refresh()
        return all(result.is_finished for result in results)

    wait_until(are_finished, TIMEOUT, lambda: f"the end of {results}; {calls()}")


def calls() -> list[Any]:
    """Return what is in the outbox, for a message."""
    return list(OutboxCall.objects.values_list("task", "status", "error"))


def test_commit(start: Start) -> None:
    """A worker runs what was committed, once, and what rolled back never.

    It has not imported the module of the tasks before.
    """
    worker = start()
    with transaction.atomic():
        with transaction.atomic():
            work.make_group.enqueue("dropped")
            transaction.set_rollback(True)
        inside = work.make_group.enqueue("inside")
        outside = work.make_group.using(backend="outside").enqueue("outside")
        coroutine = work.make_group_async.enqueue("coroutine")
    wait_finished(inside, outside, coroutine)
    assert inside.return_value == [1, True]
    assert outside.return_value == [1, False]
    assert coroutine.return_value == "coroutine"
    assert inside.worker_ids == [worker.hostname()]
    names = Group.objects.order_by("name").values_list("name", flat=True)
    assert list(names) == ["coroutine", "inside", "outside"]
    assert calls() == []


@pytest.mark.slow
def test_tried_again(start: Start) -> None:
    """A task that fails waits for its next attempt. Its effect is undone."""
    start()
    result = work.fail_once.enqueue("a")

    def is_tried() -> bool:
        result.refresh()
        return bool(result.attempts and result.status == TaskResultStatus.READY)

    wait_until(is_tried, TIMEOUT, "the first attempt")
    assert result.errors[0].exception_class is ValueError
    assert not Group.objects.exists()


@pytest.mark.slow
def test_queue(start: Start) -> None:
    """A task of a queue is run by a worker of that queue alone."""
    first = start()
    slow = work.make_group.using(queue_name="slow").enqueue("slow")
    quick = work.make_group.enqueue("quick")
    wait_finished(quick)
    slow.refresh()
    assert slow.status == TaskResultStatus.READY
    second = start("-Q", "slow")
    wait_finished(slow)
    assert (quick.worker_ids, slow.worker_ids) == ([first.hostname()], [second.hostname()])


@pytest.mark.slow
def test_revoked(start: Start) -> None:
    """``app.control.revoke()`` takes a task back that is due later."""
    start()
    later = timezone.now() + timedelta(hours=1)
    result = work.make_group.using(run_after=later).enqueue("later")
    current_app.control.revoke(result.id)
    wait_finished(result)
    assert result.status == TaskResultStatus.FAILED
    assert calls() == []


@pytest.mark.slow
def test_known_at_the_start(start: Start) -> None:
    """A worker that imports a task's module shows the task, and limits its rate."""
    worker = start("--include", work.__name__)
    registered: Any = current_app.control.inspect([worker.hostname()]).registered()
    assert f"{work.__name__}.make_group" in registered[worker.hostname()]
