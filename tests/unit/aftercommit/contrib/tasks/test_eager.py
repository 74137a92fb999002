"""Celery's eager mode: a task runs at the commit, in this process."""

from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase

from aftercommit.contrib.tasks.api import (
    TaskResultStatus,
    task_enqueued,
    task_finished,
    task_started,
)
from aftercommit.models import OutboxCall
from tests.unit.aftercommit.contrib.tasks import defined
from tests.unit.aftercommit.contrib.tasks.defined import fail

pytestmark = pytest.mark.usefixtures("eager")


@pytest.mark.django_db(transaction=True)
class TestCommit:
    """With real transactions."""

    def test_runs_at_the_commit(self) -> None:
        """A task waits for the commit, and its result is there after it."""
        with transaction.atomic():
            result = defined.make_group.enqueue("a")
            assert defined.received == []
            result.refresh()
            assert result.status == TaskResultStatus.READY
        result.refresh()
        assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, "a")
        assert not OutboxCall.objects.exists()

    def test_rollback(self) -> None:
        """A transaction that rolls back drops the task."""
        with transaction.atomic():
            defined.make_group.enqueue("a")
            transaction.set_rollback(True)
        assert defined.received == []

    def test_failed(self) -> None:
        """The effect of a task that fails is undone, and its error is in its result."""
        defined.acts.append(fail())
        result = defined.make_group.enqueue("a")
        result.refresh()
        assert defined.names() == []
        assert result.status == TaskResultStatus.FAILED
        assert result.errors[0].exception_class is ValueError

    def test_signals(self) -> None:
        """They are sent in their order."""
        seen: list[Any] = []
        receivers = {
            signal: lambda task_result, **_: seen.append(task_result.status.value)
            for signal in (task_enqueued, task_started, task_finished)
        }
        for signal, receiver in receivers.items():
            signal.connect(receiver)
        try:
            defined.make_group_async.enqueue("a")
        finally:
            for signal, receiver in receivers.items():
                signal.disconnect(receiver)
        assert seen == ["READY", "RUNNING", "SUCCESSFUL"]


class TestInTestCase(TestCase):
    """In Django's TestCase, whose transaction never commits."""

    def test_captured(self) -> None:
        """The task runs when the test has its callbacks executed."""
        with self.captureOnCommitCallbacks(execute=True):
            result = defined.make_group.enqueue("a")
        result.refresh()
        assert result.return_value == "a"
        assert defined.names() == ["a"]
