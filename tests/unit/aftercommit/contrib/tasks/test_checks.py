"""The system checks of a backend."""

from typing import Any
from unittest import mock

from celery import current_app
from django.db import connections
from django.test import override_settings

from aftercommit.contrib.tasks.backend import OutboxBackend
from tests.unit.aftercommit.contrib.tasks.installed import BACKEND


def check(**params: Any) -> list[str]:
    """Return the ids of the messages about a backend with these parameters."""
    messages = OutboxBackend("mails", {"BACKEND": BACKEND, **params}).check()
    assert all("TASKS['mails']" in each.msg and each.hint for each in messages)
    return [str(each.id) for each in messages]


def test_clean() -> None:
    """There is nothing to say about a project that is set up."""
    assert check() == []
    assert check(OPTIONS={"results": True}, QUEUES=["a", "b"]) == []


def test_no_outbox() -> None:
    """The outbox's app is missing."""
    with override_settings(INSTALLED_APPS=["django.contrib.contenttypes"]):
        assert check() == ["aftercommit.E040"]


def test_no_database() -> None:
    """The database is none of DATABASES."""
    assert check(OPTIONS={"database": "missing"}) == ["aftercommit.E041"]


def test_no_hook() -> None:
    """The database's ENGINE would lose tasks."""
    with mock.patch.object(connections["default"], "has_outbox", False):
        assert check() == ["aftercommit.E042"]


def test_hint_combined() -> None:
    """For an ENGINE of somebody else's the hint is the line to write."""
    connection: Any = connections["default"]
    engine = {"ENGINE": "shop.db"}
    with (
        mock.patch.object(connection, "has_outbox", False),
        mock.patch.dict(connection.settings_dict, engine),
    ):
        (message,) = OutboxBackend("mails", {"BACKEND": BACKEND}).check()
    assert 'Write "ENGINE": combine("shop.db")' in str(message.hint)


def test_no_table() -> None:
    """Results are asked for, and their app is missing."""
    with override_settings(INSTALLED_APPS=["aftercommit", "django.contrib.contenttypes"]):
        assert check(OPTIONS={"results": True}) == ["aftercommit.E043"]
        assert check(OPTIONS={"results": False}) == check() == []


def test_no_queue() -> None:
    """Celery may make no queue, and doesn't have this one."""
    conf: Any = current_app.conf
    conf.update(task_create_missing_queues=False)
    try:
        assert check(QUEUES=["default", "slow"]) == ["aftercommit.W044"]
        assert check() == []
    finally:
        conf.update(task_create_missing_queues=True)
