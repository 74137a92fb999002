"""The outbox of a test, with Django's tasks."""

from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from aftercommit.contrib.tasks.api import Task
from aftercommit.contrib.testing import Outbox
from tests.unit.aftercommit.contrib.tasks import defined

pytestmark = pytest.mark.django_db

DUMMY = f"{Task.__module__.rpartition('.')[0]}.backends.dummy.DummyBackend"


def test_assertions(outbox: Outbox) -> None:
    """A task of Django's is named as it is enqueued."""
    outbox.assert_not_called(defined.make_group)
    result = defined.make_group.enqueue(name="a")
    defined.look_at_context.enqueue("b", "c")
    defined.make_group.using(queue_name="slow").enqueue("d")
    outbox.assert_called_once(defined.make_group, "a")
    outbox.assert_called(defined.look_at_context, "b", "c")
    outbox.assert_called(defined.make_group.using(queue_name="slow"), name="d")
    assert [call.id for call in outbox.calls.of(defined.make_group)] == [result.id]


def test_drain(outbox: Outbox) -> None:
    """It runs, at its time."""
    defined.make_group.using(run_after=timezone.now() + timedelta(hours=1)).enqueue("later")
    result = defined.make_group_async.enqueue("now")
    outbox.drain()
    assert defined.names() == ["now"]
    outbox.drain(later=True)
    assert defined.names() == ["now", "later"]
    result.refresh()
    assert result.is_finished


def test_error(outbox: Outbox) -> None:
    """An error of its function is raised as it is."""
    defined.acts.append(defined.fail())
    defined.make_group.enqueue("a")
    with pytest.raises(ValueError, match="no") as raised:
        outbox.drain()
    assert f"{defined.__name__}.make_group('a')" in raised.value.__notes__[0]


def test_of_another_backend(outbox: Outbox) -> None:
    """A task whose calls are elsewhere is refused."""
    refused = pytest.raises(TypeError, match="DummyBackend, whose calls are not in the outbox")
    with override_settings(TASKS={"default": {"BACKEND": DUMMY}}), refused:
        outbox.assert_not_called(defined.make_group)
