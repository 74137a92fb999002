"""The faults of a broker: each a block, at the end of which it is well again where it was."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from aftercommit.outbox.wake import flush_wake_ups
from core.stack.redis_server import RedisServer
from tests.celery_engine.broker import Broker
from tests.reliability.proxy import Proxy

Fault = Callable[[Broker, Proxy], AbstractContextManager[None]]


@contextmanager
def stopped(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """The server is gone, and comes back empty."""
    broker.kill()
    yield
    broker.start()


@contextmanager
def restarted(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """The server is another one, empty, before anybody notices."""
    broker.kill()
    broker.start()
    yield


@contextmanager
def flushed(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """The server forgets everything at the start and at the end."""
    broker.flush()
    yield
    # Between a wake-up and the note that it is under way, the flush would leave the note alone.
    flush_wake_ups(10)
    broker.flush()


@contextmanager
def refusing(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """Connections are broken off, and refused."""
    proxy.refuse()
    yield
    proxy.accept()


@contextmanager
def black_hole(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """Connections are accepted, and nothing ever answers; what was asked is answered at the end."""
    with broker.pause():
        yield


@contextmanager
def lost_connections(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """No packet arrives, and those of the old connections never will, as behind a firewall."""
    proxy.silent = True
    proxy.forget()
    yield
    proxy.silent = False


@contextmanager
def slow(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """Each answer takes 200 ms."""
    proxy.delay = 0.2
    yield
    proxy.delay = 0


@contextmanager
def read_only(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """The server is the replica of one that is gone."""
    with broker.client() as client:
        client.replicaof("127.0.0.1", "1")
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def full(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """The server has no memory left."""
    with broker.client() as client:
        client.config_set("maxmemory", "1")
        yield
        client.config_set("maxmemory", "0")


@contextmanager
def failed_over(broker: Broker, proxy: Proxy) -> Iterator[None]:
    """The address leads to another server, empty, and at the end back to the first."""
    with RedisServer() as other:
        before, proxy.upstream = proxy.upstream, other.url
        proxy.cut()
        yield
        proxy.upstream = before
        proxy.cut()


FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        stopped,
        restarted,
        flushed,
        refusing,
        black_hole,
        lost_connections,
        slow,
        read_only,
        full,
        failed_over,
    )
}
