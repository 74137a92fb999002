"""When a wake-up is sent, and what happens when it can't be."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from django.core.cache import cache
from django.db import transaction
from kombu.exceptions import OperationalError
from redis import Redis

from aftercommit.outbox import turns, wake, wake_message
from aftercommit.outbox.turns import begin_turn
from aftercommit.outbox.wake import flush_wake_ups, send_wake_up
from aftercommit.outbox.wake_message import (
    SENT,
    TURN,
)
from aftercommit.redis import options
from aftercommit.worker.sweep import sweep
from core.stack.waiting import wait_until
from tests.celery_engine.broker import Broker
from tests.connections import redis_url
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.hanging import finish

TASK = effects.make_group.name

Message = tuple[str, str, dict[str, Any]]


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Message]]:
    """The messages that would have been published: task, database, headers."""
    assert flush_wake_ups(10)
    cache.clear()
    messages: list[Message] = []
    monkeypatch.setattr(wake, "publish", lambda *message: messages.append(message))
    yield messages
    assert flush_wake_ups(10)
    cache.clear()


class TestSendWakeUp:
    """``send_wake_up``."""

    def test_carries_no_data(self, sent: list[Any]) -> None:
        """A wake-up names the task and the database, nothing else."""
        assert send_wake_up("default", TASK)
        [(name, using, headers)] = sent
        assert (name, using) == (TASK, "default")
        assert headers.keys() == {TURN, SENT}

    def test_one_at_a_time(self, sent: list[Any]) -> None:
        """While one is under way no other is sent, until a drain starts."""
        assert send_wake_up("default", TASK)
        assert not send_wake_up("default", TASK)
        assert send_wake_up("default", effects.make_groups.name)
        begin_turn("default", TASK)
        assert send_wake_up("default", TASK)
        assert len(sent) == 3

    def test_flag_expires(self, settings: Any, sent: list[Any]) -> None:
        """A wake-up that was lost doesn't hold back the next for ever."""
        settings.OUTBOX_WAKE_TTL = 1
        assert send_wake_up("default", TASK)
        wait_until(lambda: send_wake_up("default", TASK), 10, "the flag to expire")

    def test_fail_publish(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that can't be published raises, and holds nothing back."""

        def fail(*message: Any) -> None:
            raise ConnectionError("no broker")

        monkeypatch.setattr(wake, "publish", fail)
        with pytest.raises(ConnectionError):
            send_wake_up("default", TASK)
        monkeypatch.undo()
        assert cache.get(f"outbox:flag:default:{TASK}") is None

    def test_without_cache(self, settings: Any, sent: list[Any]) -> None:
        """Without the cache a wake-up is sent all the same."""
        settings.CACHES = {
            "default": {
                "BACKEND": "aftercommit.redis.cache.RedisCache",
                "LOCATION": "redis://127.0.0.1:1",
            }
        }
        begin_turn("default", TASK)
        assert send_wake_up("default", TASK)
        assert len(sent) == 1


@pytest.mark.slow  # redis-py tries again, later each time
def test_frozen_redis(broker: Broker, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that hangs, as the broker and as the cache, holds a send for limited times."""
    app = Celery(broker=broker.url, set_as_current=False)
    app.finalized = True  # without the shared tasks of other tests
    monkeypatch.undo()
    monkeypatch.setattr(wake_message, "current_app", app)
    monkeypatch.setattr("aftercommit.redis.cache.SOCKET_SECONDS", 0.1)
    monkeypatch.setattr(options, "OPTIONS", {**options.OPTIONS, "socket_timeout": 0.1})
    cached = "aftercommit.redis.cache.RedisCache"
    settings.CACHES = {"default": {"BACKEND": cached, "LOCATION": broker.url}}
    assert send_wake_up("default", "tests.open")
    with broker.pause():
        error = finish(lambda: send_wake_up("default", "tests.frozen"))
    assert isinstance(error, OperationalError)
    app.pool.force_close_all()


@pytest.mark.django_db(transaction=True)
class TestNobodyListens:
    """A queue that no worker reads."""

    def test_grows_slowly(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """It grows by ever fewer messages, however often workers sweep.

        All times are a hundred times as long, so that what a sweep takes is nothing beside them.
        """
        monkeypatch.undo()
        settings.OUTBOX_WAKE_TTL = 500
        monkeypatch.setattr(turns, "MAX_HOLD_SECONDS", 100 * turns.MAX_HOLD_SECONDS)
        monkeypatch.setattr(effects.make_group, "queue", "nobody", raising=False)
        with Redis.from_url(redis_url()) as redis:
            # Also what an earlier test's wake-ups left: the first one would be taken for answered.
            redis.delete("nobody", *redis.scan_iter(f"*:outbox:*:{effects.make_group.name}"))
            effects.make_group.delay_on_commit("a")
            assert flush_wake_ups(10)
            lengths = [self.after_a_minute(redis) for _ in range(20)]
            redis.delete("nobody")
        # Five within half a minute, then ever fewer: one in two minutes. It was one each 6 s: 200.
        # One more if the thread that sends has kept a turn of an earlier test.
        assert 5 <= lengths[0] <= 8
        assert lengths[-1] <= 20

    def after_a_minute(self, redis: Any) -> int:
        """How long the queue is after a minute of sweeps, in which keys expire."""
        for _ in range(30):
            sweep("default")
            for key in redis.scan_iter("*:outbox:*"):
                if (left := redis.pttl(key)) > 0:
                    redis.pexpire(key, left - 200_000)
        return int(redis.llen("nobody"))


@pytest.mark.django_db(transaction=True)
class TestCommit:
    """What a commit wakes."""

    def test_each_task_once(self, sent: list[Any]) -> None:
        """Each task of the transaction is woken once."""
        with transaction.atomic():
            for name in "abc":
                effects.make_group.delay_on_commit(name)
                effects.make_groups.delay_on_commit(name=name)
            assert flush_wake_ups(10)
            assert sent == []
        assert flush_wake_ups(10)
        assert sorted(name for name, *_ in sent) == sorted([TASK, effects.make_groups.name])

    def test_rolled_back(self, sent: list[Any]) -> None:
        """A transaction that rolls back wakes nobody."""
        with transaction.atomic():
            effects.make_group.delay_on_commit("a")
            transaction.set_rollback(True)
        assert flush_wake_ups(10)
        assert sent == []

    def test_not_due(self, sent: list[Any]) -> None:
        """A call for later wakes nobody now: the sweep will."""
        effects.make_group.apply_async_on_commit(["a"], countdown=60)
        assert flush_wake_ups(10)
        assert sent == []
