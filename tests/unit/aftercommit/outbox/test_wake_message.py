"""The message that wakes a task: where it goes, and when a drain has overtaken it."""

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.app.routes import prepare
from django.core.cache import cache
from kombu import Producer
from kombu.exceptions import OperationalError
from redis import Redis

from aftercommit.outbox import turns, wake, wake_message
from aftercommit.outbox.turns import begin_turn, read_turns
from aftercommit.outbox.wake import flush_wake_ups, send_wake_up
from aftercommit.outbox.wake_message import (
    DRAIN,
    SENT,
    TURN,
    drain_limits,
    is_overtaken,
    publish,
)
from tests.connections import redis_url
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
        with Redis.from_url(redis_url()) as redis:
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
    monkeypatch.setattr(wake_message, "current_app", SimpleNamespace(conf=conf))
    task = SimpleNamespace(**dict(zip(names, own, strict=True)))
    assert drain_limits(task) == expected
    if own == (None, None):
        assert drain_limits(None) == expected


class TestIsOvertaken:
    """``is_overtaken``."""

    @pytest.fixture(autouse=True)
    def _sent_long_ago(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begin_turn("default", TASK)
        monkeypatch.setattr(wake_message, "FRESH_SECONDS", 0)

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
        monkeypatch.setattr(wake_message, "FRESH_SECONDS", 60)
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


def begun() -> int:
    """Return which drain of the task was the last to begin."""
    return read_turns([("default", TASK)])["default", TASK].begun


class TestHeaders:
    """``is_overtaken``: headers come from the broker, and may be anything."""

    def test_later_drain(self) -> None:
        """A wake-up is overtaken by a drain that began after it was sent."""
        begin_turn("default", TASK)
        headers = {TURN: begun(), SENT: 1.0}
        assert not is_overtaken("default", TASK, headers)
        begin_turn("default", TASK)
        assert is_overtaken("default", TASK, headers)

    @pytest.mark.parametrize("sent", ["now", None, [], {}, True, -1, 1e400])
    def test_strange_time(self, sent: object) -> None:
        """Without a time that is one, the turn decides."""
        begin_turn("default", TASK)
        assert not is_overtaken(
            "default",
            TASK,
            {TURN: begun(), SENT: sent},
        )
        assert is_overtaken("default", TASK, {TURN: 1, SENT: sent})

    @pytest.mark.parametrize("headers", [{}, {TURN: 0}, {TURN: None}, {TURN: ""}])
    def test_no_turn(self, headers: dict[str, Any]) -> None:
        """One that names no turn is heard."""
        begin_turn("default", TASK)
        assert not is_overtaken("default", TASK, headers)
