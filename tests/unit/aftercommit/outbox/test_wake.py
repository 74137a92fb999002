"""When a wake-up is sent, and what happens when it can't be."""

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.app.routes import prepare
from django.core.cache import cache
from django.db import transaction
from kombu import Producer
from kombu.exceptions import OperationalError
from redis import Redis

from aftercommit.outbox import turns, wake
from aftercommit.outbox.turns import SENT, TURN, begin_turn, is_overtaken
from aftercommit.outbox.wake import (
    DRAIN,
    drain_limits,
    flush_wake_ups,
    publish,
    send_wake_up,
)
from aftercommit.worker.sweep import sweep
from core.stack.waiting import wait_until
from tests.unit.aftercommit import effects

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


class TestPublish:
    """``publish``: the message, as a worker takes it from a real broker."""

    def published(self, name: str, queue: str = "celery") -> Any:
        """The message that was put in the queue."""
        with current_app.connection_for_write() as connection:
            waiting = connection.SimpleQueue(queue)
            waiting.clear()
            publish(name, "second", {TURN: 7})
            message = waiting.get(timeout=10)
            message.ack()
            waiting.close()
        return message

    def route(self, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any]) -> None:
        """Have the project route the task's messages."""
        monkeypatch.setattr(current_app.amqp.router, "routes", prepare([{name: options}]))

    def test_message(self) -> None:
        """It calls the drain with the task and the database, and wants no result."""
        message = self.published(TASK)
        headers = message.headers
        assert message.payload[:2] == [[TASK, "second"], {}]
        assert (headers["task"], headers[TURN]) == (DRAIN, 7)
        assert headers["argsrepr"] == f"('{TASK}', 'second')"
        assert headers["ignore_result"]
        assert message.content_type == "application/json"

    def test_task_of_another_process(self) -> None:
        """A task that this process hasn't got is drained by those that have it."""
        assert self.published("other.task").payload[0] == ["other.task", "second"]

    def test_connection_that_broke(self, settings: Any) -> None:
        """It is sent on a new connection where the pooled one is to a server that has restarted."""
        self.published(TASK)
        with Redis.from_url(settings.REDIS_URL) as redis:
            for each in redis.client_list():
                if int(each["id"]) != redis.client_id():
                    redis.client_kill_filter(each["id"])
        assert self.published(TASK).payload[0] == [TASK, "second"]

    def test_tried_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What fails once for the connection's sake is sent at once, by a second try."""
        with current_app.producer_or_acquire() as producer:
            real, tries = producer.__class__._publish, []

        def fail_once(self: Any, *args: Any, **kwargs: Any) -> Any:
            tries.append(1)
            if len(tries) == 1:
                raise ConnectionResetError("reset")
            return real(self, *args, **kwargs)

        monkeypatch.setattr(Producer, "_publish", fail_once)
        assert self.published(TASK).payload[0] == [TASK, "second"]
        assert len(tries) == 2

    def test_broker_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that fails twice isn't tried on: the thread has others to send."""
        tries = []

        def fail(self: Any, *args: Any, **kwargs: Any) -> Any:
            tries.append(1)
            raise ConnectionResetError("reset")

        monkeypatch.setattr(Producer, "_publish", fail)
        with pytest.raises(OperationalError):
            publish(TASK, "second", {})
        assert len(tries) <= 3

    def test_routed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It goes where the called task's own messages go by the project's routes."""
        self.route(monkeypatch, TASK, {"queue": "mails", "priority": 3})
        message = self.published(TASK, "mails")
        assert message.payload[0] == [TASK, "second"]
        assert message.properties["priority"] == 3

    def test_own_queue(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The task's own options count as in Celery."""
        monkeypatch.setattr(effects.make_group, "queue", "own", raising=False)
        assert self.published(TASK, "own").payload[0] == [TASK, "second"]

    def test_other_options(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What else a route says is about calls, and neither spoils nor delays the wake-up."""
        other = {
            "expires": 1,
            "countdown": 60,
            "headers": {TURN: "theirs", "theirs": 1},
            "serializer": "pickle",
            "time_limit": 1,
            "retry": False,
            "ignore_result": False,
            "link": ["something"],
        }
        self.route(monkeypatch, TASK, {"queue": "mails", **other})
        message = self.published(TASK, "mails")
        assert message.headers[TURN] == 7
        assert "theirs" not in message.headers
        assert (message.headers["expires"], message.headers["eta"]) == (None, None)
        assert message.headers["timelimit"] == [*drain_limits(effects.make_group)]
        assert message.properties.keys().isdisjoint(other)

    def test_time_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It has the drain's time limits."""
        monkeypatch.setattr(effects.make_group, "time_limit", 5)
        assert self.published(TASK).headers["timelimit"] == [5 + 3 * 5 + 30, None]


@pytest.mark.parametrize(
    ("own", "general", "expected"),
    [
        ((None, None), (None, None), (None, None)),
        ((60, None), (None, None), (215, None)),
        ((None, None), (60, None), (215, None)),
        ((60, None), (1_000, None), (215, None)),
        ((60, 40), (None, None), (215, 214)),
        ((60, None), (None, 40), (215, 214)),
        ((None, 40), (None, None), (None, 155)),
        ((0, 0), (None, None), (None, None)),
    ],
)
def test_drain_limits(
    own: tuple[float, float],
    general: tuple[float, float],
    expected: tuple[float, float],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A drain may take its own time and that of three calls. A task's own limits go first."""
    settings.OUTBOX_DRAIN_SECONDS = 5
    names = ("time_limit", "soft_time_limit")
    conf = {f"task_{name}": value for name, value in zip(names, general, strict=True)}
    monkeypatch.setattr(wake, "current_app", SimpleNamespace(conf=conf))
    task = SimpleNamespace(**dict(zip(names, own, strict=True)))
    assert drain_limits(task) == expected
    if own == (None, None):
        assert drain_limits(None) == expected


@pytest.mark.django_db(transaction=True)
class TestNobodyListens:
    """A queue that no worker reads."""

    def test_grows_slowly(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """It grows by ever fewer messages, however often workers sweep.

        All times are a hundred times as long, so that what a sweep takes is nothing beside them.
        """
        monkeypatch.undo()
        settings.OUTBOX_WAKE_TTL = 500
        monkeypatch.setattr(turns, "LONGEST", 100 * turns.LONGEST)
        monkeypatch.setattr(effects.make_group, "queue", "nobody", raising=False)
        with Redis.from_url(settings.REDIS_URL) as redis:
            # Also what an earlier test's wake-ups left: the first one would be taken for answered.
            redis.delete("nobody", *redis.scan_iter(f"*:outbox:*:{effects.make_group.name}"))
            effects.make_group.delay_on_commit("a")
            assert flush_wake_ups(10)
            lengths = [self.after_a_minute(redis) for _ in range(60)]
            redis.delete("nobody")
        # Five within half a minute, then ever fewer: one in two minutes. It was one each 6 s: 600.
        # One more if the thread that sends has kept a turn of an earlier test.
        assert 5 <= lengths[0] <= 8
        assert lengths[-1] <= 40

    def after_a_minute(self, redis: Any) -> int:
        """How long the queue is after a minute of sweeps, in which keys expire."""
        for _ in range(30):
            sweep("default")
            for key in redis.scan_iter("*:outbox:*"):
                if (left := redis.pttl(key)) > 0:
                    redis.pexpire(key, left - 200_000)
        return int(redis.llen("nobody"))


class TestIsOvertaken:
    """``is_overtaken``."""

    @pytest.fixture(autouse=True)
    def _sent_long_ago(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begin_turn("default", TASK)
        monkeypatch.setattr(turns, "FRESH", 0)

    def test_by_a_drain(self, sent: list[Any]) -> None:
        """A wake-up is overtaken by a drain that starts after it was sent, the next one is not."""
        assert send_wake_up("default", TASK)
        assert not is_overtaken("default", TASK, sent[0][2])
        begin_turn("default", TASK)
        assert is_overtaken("default", TASK, sent[0][2])
        assert send_wake_up("default", TASK)
        assert not is_overtaken("default", TASK, sent[1][2])

    def test_not_by_a_later_one(self, sent: list[Any]) -> None:
        """Of those that wait behind other tasks' drains the first is heard, however late it is."""
        for _ in range(2):
            assert send_wake_up("default", TASK)
            cache.delete(f"outbox:flag:default:{TASK}")  # it expires
        assert not is_overtaken("default", TASK, sent[0][2])

    @pytest.mark.parametrize("step", range(3))
    def test_sent_while_a_drain_starts(
        self, step: int, sent: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that is overtaken at whatever moment holds back no later one."""
        steps = count()

        def then_drain(name: str) -> Any:
            def do(*args: Any) -> Any:
                if next(steps) == step:
                    cache.set(f"outbox:turn:default:{TASK}", 1, None)
                return getattr(cache, name)(*args)

            return do

        watched = SimpleNamespace(get_many=then_drain("get_many"), set=then_drain("set"))
        with monkeypatch.context() as patch:
            patch.setattr(turns, "_redis", lambda: watched)
            assert send_wake_up("default", TASK)
        if step == 2:
            begin_turn("default", TASK)
        overtaken = is_overtaken("default", TASK, sent[0][2])
        assert overtaken == (step > 0)
        assert send_wake_up("default", TASK) == overtaken

    def test_fresh(self, sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """One that was sent just now is heard without asking."""
        assert send_wake_up("default", TASK)
        begin_turn("default", TASK)
        monkeypatch.setattr(turns, "FRESH", 60)
        assert not is_overtaken("default", TASK, sent[0][2])

    def test_evicted(self, sent: list[Any]) -> None:
        """A cache that has forgotten the turn keeps none from being heard."""
        assert send_wake_up("default", TASK)
        cache.clear()
        assert not is_overtaken("default", TASK, sent[0][2])
        assert send_wake_up("default", TASK)
        assert not is_overtaken("default", TASK, sent[1][2])

    def test_by_hand(self) -> None:
        """One that was sent by hand is heard."""
        assert not is_overtaken("default", TASK, {})


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
