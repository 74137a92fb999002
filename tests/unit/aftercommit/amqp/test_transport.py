"""RabbitMQ that hangs: what the library sends waits for it no longer than SEND_SECONDS."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from kombu.exceptions import LimitExceeded

from aftercommit.amqp import limit
from aftercommit.amqp.limit import limited_producer
from aftercommit.outbox import wake_message
from aftercommit.outbox.wake_message import publish
from aftercommit.outbox.waker import is_own_fault
from aftercommit.worker import task_events
from core.stack.waiting import wait_until
from tests.unit.aftercommit.amqp import stand_in as amqp
from tests.unit.aftercommit.amqp.stand_in import Method, StandIn, stand_in
from tests.unit.aftercommit.hanging import finish

CONFIRM = {"confirm_publish": True}

Send = Callable[[Celery], None]

NO_ANSWER = "No answer from RabbitMQ at 127.0.0.1"


def wake(app: Celery) -> None:
    """Send a wake-up."""
    publish("tests.task", "default", {})


def tell(app: Celery) -> None:
    """Send a task event."""
    task_events._send(app, "worker@web", [("task-failed", {"uuid": "1"})], 0.0)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "SEND_SECONDS", 0.1)


@pytest.fixture
def make_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Celery]]:
    """Return a function that makes an app with the server as its broker."""
    apps: list[Celery] = []

    def make(server: StandIn, **options: Any) -> Celery:
        app = Celery(broker=server.url, set_as_current=False)
        app.finalized = True  # without the shared tasks of other tests
        app.conf.update(broker_transport_options=options, broker_connection_timeout=10)
        monkeypatch.setattr(wake_message, "current_app", app)
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.pool.force_close_all()


@pytest.mark.parametrize("options", [{}, CONFIRM], ids=["plain", "confirm_publish"])
@pytest.mark.parametrize("send", [wake, tell])
def test_answers(make_app: Callable[..., Celery], send: Send, options: dict[str, Any]) -> None:
    """A server that answers has the message."""
    with stand_in() as server:
        app = make_app(server, **options)
        assert finish(lambda: send(app)) is None
        wait_until(lambda: amqp.PUBLISH in server.asked, 10, "the message")


@pytest.mark.parametrize(
    ("silent", "send", "options"),
    [
        (amqp.OPEN, wake, {}),
        (amqp.CHANNEL_OPEN, wake, {}),
        (amqp.EXCHANGE_DECLARE, wake, {}),
        (amqp.QUEUE_DECLARE, wake, {}),
        (amqp.QUEUE_BIND, wake, {}),
        (amqp.CONFIRM_SELECT, wake, CONFIRM),
        (amqp.PUBLISH, wake, CONFIRM),
        (amqp.CHANNEL_OPEN, tell, {}),
        (amqp.EXCHANGE_DECLARE, tell, {}),
    ],
)
def test_hangs(
    make_app: Callable[..., Celery], silent: Method, send: Send, options: dict[str, Any]
) -> None:
    """Whatever the server doesn't answer, the send fails, and says that it has no answer."""
    with stand_in(silent) as server:
        app = make_app(server, **options)
        app.conf.broker_connection_timeout = 0.1
        error = finish(lambda: send(app))
        assert error
        assert NO_ANSWER in str(error)
        assert not is_own_fault(error)


def test_next(make_app: Callable[..., Celery]) -> None:
    """Once the server answers again, the next message is sent on a new connection."""
    with stand_in(amqp.EXCHANGE_DECLARE) as server:
        app = make_app(server)
        assert NO_ANSWER in str(finish(lambda: wake(app)))
        server.silent = None
        assert finish(lambda: wake(app)) is None
        wait_until(lambda: amqp.PUBLISH in server.asked, 10, "the message")


def test_takes_nothing(make_app: Callable[..., Celery]) -> None:
    """A network that takes nothing more holds nobody either.

    On Linux py-amqp has the kernel give up after a second, which the project's settings can change.
    """
    endless = {socket.TCP_USER_TIMEOUT: 0} if hasattr(socket, "TCP_USER_TIMEOUT") else {}
    with stand_in(amqp.PUBLISH, reads_on=False) as server:
        app = make_app(server, socket_settings=endless)

        def send() -> None:
            with limited_producer(app) as producer:
                producer.publish("x" * 50_000_000)

        assert "timed out" in str(finish(send))


def test_consumer(make_app: Callable[..., Celery]) -> None:
    """Who waits for messages goes on to wait, at a connection of the same pool too."""
    with stand_in(amqp.EXCHANGE_DECLARE) as server:
        app = make_app(server)
        ended: list[Exception] = []

        def consume() -> None:
            with app.pool.acquire() as connection:
                connection.connect()
                waits.set()
                try:
                    connection.drain_events()
                except OSError as error:
                    ended.append(error)

        waits = threading.Event()
        consumer = threading.Thread(target=consume, daemon=True)
        consumer.start()
        assert waits.wait(10)
        assert NO_ANSWER in str(finish(lambda: wake(app)))
        assert not ended
        server.close()
        consumer.join(10)
    assert [str(error) for error in ended] == ["Server unexpectedly closed connection"]


def test_all_connections_in_use(make_app: Callable[..., Celery]) -> None:
    """A send doesn't wait for requests that hang with all connections of the pool."""
    with stand_in() as server:
        app = make_app(server)
        app.conf.broker_pool_limit = 1
        with limited_producer(app):
            assert isinstance(finish(lambda: wake(app)), LimitExceeded)
            assert isinstance(finish(lambda: tell(app)), LimitExceeded)
        assert finish(lambda: wake(app)) is None
