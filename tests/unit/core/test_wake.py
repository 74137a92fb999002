"""When a wake-up is sent, and what happens when it can't be."""

import logging
import threading
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.app.routes import prepare
from django.core.cache import cache
from django.db import transaction

from core.outbox import wake
from core.outbox.wake import (
    HEADER,
    SENT,
    TURN,
    Waker,
    begin_turn,
    flush_wake_ups,
    publish,
    send_wake_up,
)
from tests.unit.core import effects
from tests.wait import wait_for

TASK = effects.make_group.name


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The messages that would have been published: the task's name and the headers."""
    assert flush_wake_ups(10)
    cache.clear()
    messages: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(wake, "publish", lambda *message: messages.append(message))
    yield messages
    assert flush_wake_ups(10)
    cache.clear()


class TestSendWakeUp:
    """``send_wake_up``."""

    def test_carries_no_data(self, sent: list[Any]) -> None:
        """A wake-up names the task and the database, nothing else."""
        assert send_wake_up("default", TASK)
        [(name, headers)] = sent
        assert (name, headers[HEADER]) == (TASK, "default")
        assert headers.keys() == {HEADER, TURN, SENT}

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
        wait_for(lambda: send_wake_up("default", TASK), 10, "the flag to expire")

    def test_fail_publish(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that can't be published raises, and holds nothing back."""

        def fail(*message: Any) -> None:
            raise ConnectionError("no broker")

        monkeypatch.setattr(wake, "publish", fail)
        with pytest.raises(ConnectionError):
            send_wake_up("default", TASK)
        monkeypatch.undo()
        assert cache.get(f"outbox:wake:default:{TASK}") is None

    def test_without_cache(self, settings: Any, sent: list[Any]) -> None:
        """Without the cache a wake-up is sent all the same."""
        settings.CACHES = {
            "default": {
                "BACKEND": "core.cache.RedisCache",
                "LOCATION": "redis://127.0.0.1:1",
            }
        }
        begin_turn("default", TASK)
        assert send_wake_up("default", TASK)
        assert len(sent) == 1


@pytest.mark.parametrize("queue", ["celery", "mails"])
def test_publish(queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is in its task's queue, as a worker takes it; it has no time limit of its own."""
    task = effects.send_outside
    monkeypatch.setattr(task, "time_limit", 5)
    if queue != "celery":
        routes = prepare([{task.name: {"queue": queue}}])
        monkeypatch.setattr(current_app.amqp.router, "routes", routes)
    with current_app.connection_for_write() as connection:
        waiting = connection.SimpleQueue(queue)
        waiting.clear()
        publish(task.name, {HEADER: "default"})
        message = waiting.get(timeout=10)
        message.ack()
        waiting.close()
    assert message.payload[:2] == [[], {}]
    assert message.headers[HEADER] == "default"
    assert (message.headers["task"], message.headers["timelimit"]) == (task.name, [None, None])


class TestIsOvertaken:
    """``is_overtaken``."""

    @pytest.fixture(autouse=True)
    def _sent_long_ago(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begin_turn("default", TASK)
        monkeypatch.setattr(wake, "FRESH", 0)

    def test_by_a_drain(self, sent: list[Any]) -> None:
        """A wake-up is overtaken by a drain that starts after it was sent, the next one is not."""
        assert send_wake_up("default", TASK)
        assert not wake.is_overtaken("default", TASK, sent[0][1])
        begin_turn("default", TASK)
        assert wake.is_overtaken("default", TASK, sent[0][1])
        assert send_wake_up("default", TASK)
        assert not wake.is_overtaken("default", TASK, sent[1][1])

    def test_not_by_a_later_one(self, sent: list[Any]) -> None:
        """Of those that wait behind other tasks' drains the first is heard, however late it is."""
        for _ in range(2):
            assert send_wake_up("default", TASK)
            cache.delete(f"outbox:flag:default:{TASK}")  # it expires
        assert not wake.is_overtaken("default", TASK, sent[0][1])

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
            patch.setattr(wake, "cache", watched)
            assert send_wake_up("default", TASK)
        if step == 2:
            begin_turn("default", TASK)
        overtaken = wake.is_overtaken("default", TASK, sent[0][1])
        assert overtaken == (step > 0)
        assert send_wake_up("default", TASK) == overtaken

    def test_fresh(self, sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """One that was sent just now is heard without asking."""
        assert send_wake_up("default", TASK)
        begin_turn("default", TASK)
        monkeypatch.setattr(wake, "FRESH", 60)
        assert not wake.is_overtaken("default", TASK, sent[0][1])

    def test_evicted(self, sent: list[Any]) -> None:
        """A cache that has forgotten the turn keeps none from being heard."""
        assert send_wake_up("default", TASK)
        cache.clear()
        assert not wake.is_overtaken("default", TASK, sent[0][1])
        assert send_wake_up("default", TASK)
        assert not wake.is_overtaken("default", TASK, sent[1][1])

    def test_by_hand(self) -> None:
        """One that was sent by hand is heard."""
        assert not wake.is_overtaken("default", TASK, {HEADER: "default"})


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
        assert sorted(name for name, _ in sent) == sorted([TASK, effects.make_groups.name])

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


class TestWaker:
    """The thread."""

    def test_off_the_caller(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever wakes doesn't wait for the broker."""
        answer = threading.Event()
        asked: list[str] = []

        def black_hole(using: str, task: str, *known: Any) -> None:
            asked.append(task)
            answer.wait(30)

        monkeypatch.setattr(wake, "send_wake_up", black_hole)
        waker = Waker()
        waker.wake([("default", "a")])
        wait_for(lambda: asked, 10, "the thread")
        for _ in range(1_000):
            waker.wake([("default", "a"), ("default", "b")])
        assert not waker.flush(0.01)
        answer.set()
        assert waker.flush(10)
        assert asked == ["a", "a", "b"]

    def test_goes_on_after_an_error(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An outage is one warning, and the thread goes on."""

        def fail(using: str, task: str, *known: Any) -> None:
            raise ConnectionError("no broker")

        monkeypatch.setattr(wake, "send_wake_up", fail)
        waker = Waker()
        with caplog.at_level(logging.WARNING):
            for name in "abc":
                waker.wake([("default", name)])
                assert waker.flush(10)
        assert [record.getMessage() for record in caplog.records] == [
            "Wake-ups not sent, the sweep will find the rows: no broker"
        ]

    def test_rests_during_an_outage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """While the broker is down it is not tried again with each commit."""
        tries: list[str] = []

        def fail(using: str, task: str, *known: Any) -> None:
            tries.append(task)
            raise ConnectionError("no broker")

        monkeypatch.setattr(wake, "REST", 60)
        monkeypatch.setattr(wake, "send_wake_up", fail)
        waker = Waker()
        waker.wake([("default", "a")])
        wait_for(lambda: tries, 10, "the first try")
        for _ in range(1_000):
            waker.wake([("default", "b"), ("default", "c")])
        assert waker.flush(10)  # what is left is tried once more, without the rest
        assert tries == ["a", "b"]

    def test_shares_a_round(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What commits soon after a round of wake-ups goes with the next."""
        rounds: list[str] = []
        monkeypatch.setattr(wake, "PAUSE", 60)

        def note(using: str, task: str, *known: Any) -> bool:
            rounds.append(task)
            return False

        monkeypatch.setattr(wake, "send_wake_up", note)
        waker = Waker()
        waker.wake([("default", "a")])
        wait_for(lambda: rounds, 10, "the first, at once")
        for _ in range(1_000):
            waker.wake([("default", "a"), ("default", "b")])
        assert rounds == ["a"]
        assert waker.flush(10)
        assert rounds == ["a", "a", "b"]

    def test_looks_once_a_round(self, sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """Tasks that have been woken cost one look at the cache, however many they are."""
        looks: list[list[str]] = []
        waker = Waker()
        targets = [("default", TASK), ("default", effects.make_groups.name)]
        waker.wake(targets)
        assert waker.flush(10)

        def get_many(keys: Any) -> Any:
            looks.append(list(keys))
            return cache.get_many(looks[-1])

        monkeypatch.setattr(wake, "cache", SimpleNamespace(get_many=get_many))
        waker.wake(targets)
        assert waker.flush(10)
        assert len(looks) == 1
        assert len(sent) == 2

    def test_looks_ahead(self, sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a task that is drained at once the next wake-up goes out before anything is asked."""
        done: list[str] = []

        def publish(*message: Any) -> None:
            done.append("publish")
            sent.append(message)
            begin_turn("default", TASK)

        def get_many(keys: Any) -> Any:
            done.append("ask")
            return cache.get_many(list(keys))

        monkeypatch.setattr(wake, "publish", publish)
        monkeypatch.setattr(wake, "cache", SimpleNamespace(get_many=get_many, set=cache.set))
        begin_turn("default", TASK)
        waker = Waker()
        for _ in range(2):
            waker.wake([("default", TASK)])
            wait_for(lambda: done[-1:] == ["ask"] and "publish" in done, 10, "the look ahead")
            done.append("next")
        assert done == ["ask", "publish", "ask", "next", "publish", "ask", "next"]
        # A drain that started before it was sent must not have overtaken it.
        assert sent[0][1][TURN]
        assert not sent[1][1][TURN]
        monkeypatch.setattr(wake, "FRESH", 0)
        assert not wake.is_overtaken("default", TASK, sent[1][1])

    def test_asks_again_what_forbids(self, sent: list[Any]) -> None:
        """A wake-up that seemed to be under way is no reason not to send another later."""
        waker = Waker()
        waker.wake([("default", TASK)])
        assert waker.flush(10)
        waker.wake([("default", TASK)])
        assert waker.flush(10)
        assert len(sent) == 1
        begin_turn("default", TASK)
        waker.wake([("default", TASK)])
        assert waker.flush(10)
        assert len(sent) == 2

    def test_nothing_to_flush(self) -> None:
        """A process that woke nobody exits at once."""
        assert Waker().flush(0)
