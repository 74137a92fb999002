"""The thread that sends wake-ups: what waits for it, and what it does when there is no broker."""

import logging
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from amqp.exceptions import AccessRefused, PreconditionFailed
from django.core.cache import cache
from kombu.exceptions import OperationalError

from aftercommit.outbox import turns, waker
from aftercommit.outbox.turns import Turn, begin_turn
from aftercommit.outbox.wake import send_wake_up
from aftercommit.outbox.waker import MAX_WAITING, Waker, is_own_fault
from core.stack.waiting import wait_until
from tests.unit.aftercommit import effects

TASK = effects.make_group.name


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def nothing(using: str, task: str, turn: Turn) -> None:
    """Send a wake-up nowhere."""


def fail(*args: Any) -> None:
    """Meet no broker."""
    raise ConnectionError("no broker")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as a warning."""
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


class TestWake:
    """``wake``."""

    def test_off_the_caller(self) -> None:
        """Whoever wakes doesn't wait for the broker."""
        answer = threading.Event()
        asked: list[str] = []

        def black_hole(using: str, task: str, turn: Turn) -> None:
            asked.append(task)
            answer.wait(30)

        waker = Waker(black_hole)
        waker.wake([("default", "a")])
        wait_until(lambda: asked, 10, "the thread")
        for _ in range(1_000):
            waker.wake([("default", "a"), ("default", "b")])
        assert not waker.flush(0.01)
        answer.set()
        assert waker.flush(10)
        assert asked == ["a", "a", "b"]

    def test_goes_on_after_an_error(self, caplog: pytest.LogCaptureFixture) -> None:
        """An outage is one warning, and the thread goes on."""
        waker = Waker(fail)
        for name in "abc":
            waker.wake([("default", name)])
            assert waker.flush(10)
        assert warnings(caplog) == ["Wake-ups not sent, the sweep will find the rows: no broker"]

    def test_tells_each_outage(self, caplog: pytest.LogCaptureFixture) -> None:
        """The next outage is told again."""
        answers = iter([fail, nothing, fail])
        waker = Waker(lambda *wake_up: next(answers)(*wake_up))
        for name in "abc":
            waker.wake([("default", name)])
            assert waker.flush(10)
        assert len(warnings(caplog)) == 2

    @pytest.mark.parametrize(
        "error", [KeyError("no queue"), PreconditionFailed("declared otherwise", (50, 10))]
    )
    def test_one_that_has_no_queue(
        self, caplog: pytest.LogCaptureFixture, error: Exception
    ) -> None:
        """A task whose wake-ups can't be sent keeps those of other tasks from nothing."""
        sent: list[str] = []

        def send(using: str, task: str, turn: Turn) -> None:
            if task == "a":
                raise error
            sent.append(task)

        waker = Waker(send)
        for _ in range(2):
            waker.wake([("default", name) for name in "abc"])
            assert waker.flush(10)
        assert sent == ["b", "c", "b", "c"]
        assert warnings(caplog) == [f"Not sent: ('default', 'a'): {error}"]

    def test_refused_login(self) -> None:
        """RabbitMQ refuses a login with the error of a channel. It is an outage all the same."""
        assert not is_own_fault(AccessRefused("login refused", (0, 0)))
        assert is_own_fault(AccessRefused("no permission for the queue", (50, 10)))

    def test_rests_during_an_outage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """While the broker is down it is not tried again with each commit."""
        tries: list[str] = []

        def note_and_fail(using: str, task: str, turn: Turn) -> None:
            tries.append(task)
            fail()

        monkeypatch.setattr(waker, "OUTAGE_PAUSE", 60)
        thread = Waker(note_and_fail)
        thread.wake([("default", "a")])
        wait_until(lambda: tries, 10, "the first try")
        for _ in range(1_000):
            thread.wake([("default", "b"), ("default", "c")])
        assert thread.flush(10)  # what is left is tried once more, without the rest
        assert tries == ["a", "b"]

    def test_shares_a_round(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What commits soon after a round of wake-ups goes with the next."""
        rounds: list[str] = []
        monkeypatch.setattr(waker, "PAUSE", 60)
        thread = Waker(lambda using, task, turn: rounds.append(task))
        thread.wake([("default", "a")])
        wait_until(lambda: rounds, 10, "the first, at once")
        for _ in range(1_000):
            thread.wake([("default", "a"), ("default", "b")])
        assert rounds == ["a"]
        assert thread.flush(10)
        assert rounds == ["a", "a", "b"]

    def test_looks_once_a_round(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tasks that have been woken cost one look at Redis, however many they are."""
        looks: list[list[str]] = []
        found: list[Turn] = []
        targets = [("default", TASK), ("default", effects.make_groups.name)]
        for target in targets:
            turns.hold_back(*target, Turn())

        def get_many(keys: Any) -> Any:
            looks.append(list(keys))
            return cache.get_many(looks[-1])

        monkeypatch.setattr(turns, "_redis", lambda: SimpleNamespace(get_many=get_many))
        waker = Waker(lambda using, task, turn: found.append(turn))
        waker.wake(targets)
        assert waker.flush(10)
        assert len(looks[0]) == 3 * len(targets)
        assert [turn.is_woken for turn in found] == [True, True]

    def test_looks_ahead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What allows a wake-up is looked up after the one before: the next goes out at once."""
        events: list[Any] = []

        def get_many(keys: Any) -> Any:
            events.append("look")
            return cache.get_many(keys)

        monkeypatch.setattr(turns, "_redis", lambda: SimpleNamespace(get_many=get_many))
        waker = Waker(lambda using, task, turn: events.append(turn.is_old))
        for _ in range(2):
            waker.wake([("default", TASK)])
            assert waker.flush(10)
            wait_until(lambda: events[-1] == "look" and len(events) in (3, 5), 10, "the look ahead")
        assert events == ["look", False, "look", True, "look"]

    def test_asks_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A wake-up that seemed to be under way is no reason not to send another later."""
        sent: list[str] = []
        monkeypatch.setattr("aftercommit.outbox.wake.publish", lambda name, *_: sent.append(name))
        waker = Waker(send_wake_up)
        for _ in range(2):
            waker.wake([("default", TASK)])
            assert waker.flush(10)
        assert len(sent) == 1
        begin_turn("default", TASK)
        waker.wake([("default", TASK)])
        assert waker.flush(10)
        assert len(sent) == 2

    def test_nothing_to_flush(self) -> None:
        """A process that woke nobody exits at once."""
        assert Waker(nothing).flush(0)


class TestSend:
    """``send``: other messages, which nobody waits for and nobody misses."""

    def test_success(self) -> None:
        """A function is called in the thread, after the wake-ups."""
        done: list[str] = []
        started, gate = threading.Event(), threading.Event()

        def wait_and_note(using: str, task: str, turn: Turn) -> None:
            started.set()
            gate.wait(10)
            done.append(task)

        waker = Waker(wait_and_note)
        waker.wake([("default", "first")])
        assert started.wait(10)
        waker.send(lambda: done.append(threading.current_thread().name))
        waker.wake([("default", "second")])
        gate.set()
        assert waker.flush(10)
        assert done == ["first", "second", "outbox-wake"]

    @pytest.mark.parametrize("error", [ConnectionError("gone"), OperationalError("gone")])
    def test_outage(
        self,
        error: Exception,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """While the broker is down they are dropped, and told of at debug level alone."""
        monkeypatch.setattr(waker, "OUTAGE_PAUSE", 60)
        tries: list[int] = []

        def down() -> None:
            tries.append(1)
            raise error

        thread = Waker(nothing)
        thread.send(down)
        wait_until(lambda: thread._resting, 10, "the outage to be known")
        with caplog.at_level(logging.DEBUG):
            for _ in range(3):
                thread.send(down)
        assert thread.flush(10)
        assert len(tries) == 1
        assert len(warnings(caplog)) == 1
        dropped = [each for each in caplog.messages if each.startswith("Not sent, the broker")]
        assert len(dropped) == 3

    def test_after_an_outage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Once the rest is over they are sent again, also where nobody is woken."""
        monkeypatch.setattr(waker, "OUTAGE_PAUSE", 0)
        done: list[str] = []
        thread = Waker(nothing)
        thread.send(fail)
        assert thread.flush(10)
        wait_until(lambda: not thread._resting, 10, "the end of the rest")
        thread.send(lambda: done.append("sent"))
        assert thread.flush(10)
        assert done == ["sent"]

    def test_own_fault(self, caplog: pytest.LogCaptureFixture) -> None:
        """A function that is wrong itself holds up nothing, and is told of once."""
        done: list[int] = []
        waker = Waker(lambda using, task, turn: done.append(1))

        def wrong() -> None:
            raise TypeError("not for JSON")

        for _ in range(3):
            waker.send(wrong)
        waker.wake([("default", "a")])
        assert waker.flush(10)
        waker.send(lambda: done.append(2))
        assert waker.flush(10)
        assert done == [1, 2]
        assert warnings(caplog) == ["Not sent: message: not for JSON"]

    def test_too_many(self, caplog: pytest.LogCaptureFixture) -> None:
        """The oldest are dropped, which is told of once."""
        started, gate = threading.Event(), threading.Event()
        done: list[int] = []

        def wait(using: str, task: str, turn: Turn) -> None:
            started.set()
            gate.wait(10)

        waker = Waker(wait)
        waker.wake([("default", "a")])
        assert started.wait(10)

        def number(value: int) -> Callable[[], object]:
            return lambda: done.append(value)

        for value in range(MAX_WAITING + 5):
            waker.send(number(value))
        gate.set()
        assert waker.flush(10)
        assert done == [*range(5, MAX_WAITING + 5)]
        assert warnings(caplog) == [
            "More than 1000 messages wait to be sent, the oldest are dropped"
        ]
