"""Probes: questions to a database that may not answer, each in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db import connections

from aftercommit.conf import conf

logger = logging.getLogger(__name__)

T = TypeVar("T")


class NoAnswer(Exception):
    """A probe failed or is late. The text says how, without any address or name."""


class Probe(threading.Thread, Generic[T]):
    """Reads something, on connections of its own, so that nobody need wait for its end."""

    def __init__(self, name: str, read: Callable[[], T]) -> None:
        super().__init__(name=f"outbox-health-{name}", daemon=True)
        self.started = time.monotonic()
        self._read = read
        self._answer: list[T] = []
        self._error = ""

    def run(self) -> None:
        """Keep what was read, or how that failed."""
        try:
            self._answer.append(self._read())
        except Exception as error:  # noqa: BLE001  # however it fails, that is the answer
            # The error's text can have addresses and names in it. It is for the log alone.
            logger.warning("%s failed: %s", self.name, error)
            self._error = type(error).__name__
        finally:
            connections.close_all()

    def wait(self) -> T:
        """Return the answer, OUTBOX_HEALTH_SECONDS after the start at the latest.

        Raises NoAnswer if there is none by then.
        """
        seconds = conf().HEALTH_SECONDS
        self.join(max(0, self.started + seconds - time.monotonic()))
        if self._answer:
            return self._answer[0]
        raise NoAnswer(self._error or f"no answer within {seconds:g} s")


_probes: dict[tuple[str, ...], Probe[Any]] = {}


def start_probe(read: Callable[[], T], *key: str) -> Probe[T]:
    """Return the probe of this key that still runs, or a new one."""
    # A database that hangs keeps one thread waiting, and not one more at every check.
    probe = _probes.get(key)
    if probe is None or not probe.is_alive():
        probe = Probe("-".join(key), read)
        probe.start()
        _probes[key] = probe
    return probe
