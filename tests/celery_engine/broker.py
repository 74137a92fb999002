"""The run's own Redis-compatible server, which a test may stop, freeze and empty."""

import os
import signal
from types import TracebackType
from typing import Any, Self

from pytest_celery import CeleryTestBroker
from redis import Redis

from core.stack.redis_server import RedisServer

TIMEOUTS = {"socket_connect_timeout": 5, "socket_timeout": 5}


class Broker:
    """The broker (and cache) of the test, its workers and its web processes.

    Its address is in the settings and never changes: what was stopped comes back at the same port,
    empty, as a Redis without persistence does.
    """

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        server.chosen_port = server.port  # clients have the address: come back there or fail

    @property
    def url(self) -> str:
        """The server's address, as in ``REDIS_URL``."""
        return self._server.url

    @property
    def pid(self) -> int:
        """The number of the server's process."""
        assert self._server.process is not None, "the broker is stopped"
        return self._server.process.pid

    @property
    def running(self) -> bool:
        """Whether the server's process lives, paused or not."""
        return self._server.running

    def client(self, **options: Any) -> Redis:
        """A client of the server, to be closed; ``options`` are those of ``Redis.from_url``."""
        return Redis.from_url(self.url, **{"decode_responses": True, **TIMEOUTS, **options})

    def start(self) -> None:
        """Start the server again, and return when it answers; does nothing while it runs."""
        if not self.running:
            self._server.start()

    def stop(self) -> None:
        """End the server: from now on a connection is refused at once."""
        self.resume()
        self._server.stop()

    def kill(self) -> None:
        """End the server as a crash would."""
        self._server.kill()

    def pause(self) -> "Pause":
        """Freeze the server: connections are accepted by the kernel, and nothing ever answers.

        Goes on at ``resume()``, or at the end of ``with broker.pause():``.
        """
        os.kill(self.pid, signal.SIGSTOP)
        return Pause(self)

    def resume(self) -> None:
        """Let a frozen server go on; does nothing for one that isn't."""
        if self.running:
            os.kill(self.pid, signal.SIGCONT)

    def flush(self) -> None:
        """Delete everything in the server: messages, wake-up flags, cached values."""
        with self.client() as client:
            client.flushall()

    def restore(self) -> None:
        """Bring the server back to what a test starts with: running, and empty."""
        self.resume()
        self.start()
        self.flush()


class Pause:
    """What ends a pause: the end of the ``with`` block."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._broker.resume()


class BrokerNode(CeleryTestBroker):
    """The broker as pytest-celery knows one. The fixture ``broker`` restores it after the test."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(container=broker)
        self.broker = broker

    def ready(self) -> bool:
        """Return whether the server's process lives."""
        return self.broker.running

    def config(self, *args: Any, **kwargs: Any) -> dict[str, str]:
        """Return the address, which is the same for the test and for its workers."""
        return {"url": self.broker.url, "host_url": self.broker.url}

    def kill(self, signal: str | int = "SIGKILL", reload_container: bool = True) -> None:
        """End the server as a crash would."""
        self.broker.kill()

    def restart(self, reload_container: bool = True, force: bool = False) -> None:
        """End the server and start it again, at its port and empty."""
        self.broker.stop()
        self.broker.start()

    def teardown(self) -> None:
        """Do nothing."""
