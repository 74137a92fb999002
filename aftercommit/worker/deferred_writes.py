"""Keep what this process must still write to a database that is away.

A call that ran, a batch that this process runs no more, a claim whose answer was lost: until the
database is told of these, other workers take the calls for those of a process that died. They are
written as soon as the database is back: by the next drain of any task, by a thread that tries until
it succeeds, or as this process ends.
"""

import atexit
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from celery.signals import worker_process_shutdown, worker_shutdown
from django.db import InterfaceError, InternalError, OperationalError, connections

from aftercommit.conf import conf
from aftercommit.worker.forks import no_fork

logger = logging.getLogger(__name__)

MAX_WRITES = 1000
"""The number of writes at most that a process keeps."""

FIRST_PAUSE = 0.2
"""Seconds before the thread's first try. In an outage the pause doubles with each try, up to half
of a sweep's interval: after an outage sweeps wait one interval for what processes have to write."""


IN_FLIGHT_SECONDS = 10
"""Seconds for which a server may still execute a statement whose connection broke."""

OUTAGES = (OperationalError, InterfaceError, InternalError)
"""The errors of a database that is away, is read-only, or has ended a transaction. Any other error
would come again at each try."""

EXIT_SECONDS = 10
"""Seconds that a process which ends waits for a try that is under way."""


class DeferredWrite(Protocol):
    """Something that this process has to write to the database."""

    @property
    def using(self) -> str:
        """Return the database's alias."""

    @property
    def task(self) -> str:
        """Return the name of the task whose calls are concerned."""

    def finish(self) -> bool:
        """Write to the database; return whether all is written.

        Raises what the database raises. A second call does no harm.
        """


class DeferredWrites:
    """The writes that this process keeps, and the thread that tries them."""

    def __init__(self) -> None:
        self.writes: list[DeferredWrite] = []
        self.unreachable: set[str] = set()
        """The databases that were away at the last try."""
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, write: DeferredWrite) -> None:
        """Keep the write until it succeeds."""
        with self._changed:
            if write not in self.writes:
                self.writes.append(write)
            if len(self.writes) > MAX_WRITES:
                _log_lost([self.writes.pop(0)], f"only {MAX_WRITES} are kept")
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    def finish_all(self, wait: float = 0) -> bool:
        """Try each write; return whether none is left.

        ``wait`` is how many seconds to wait for another thread that is trying them.
        """
        if not self.writes:
            return True
        if not self._writing.acquire(timeout=wait):
            return False
        try:
            self.unreachable.clear()
            for write in list(self.writes):
                if write.using not in self.unreachable:
                    self._try(write)
        finally:
            self._writing.release()
        return not self.writes

    def _try(self, write: DeferredWrite) -> None:
        try:
            if not write.finish():
                return
        except OUTAGES:
            self.unreachable.add(write.using)
            return
        except Exception:
            logger.exception("How a run of %s ended can't be written", write.task)
        with self._changed:
            if write in self.writes:
                self.writes.remove(write)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="outbox-deferred-writes", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # The interpreter is shutting down: write_at_exit() comes.
            return
        self._thread = thread

    def _run(self) -> None:
        pause, count = FIRST_PAUSE, 0
        while True:
            with self._changed:
                count = len(self.writes)
                if not count:
                    self._thread = None
                    return
                has_more = self._changed.wait_for(lambda: len(self.writes) > count, pause)  # noqa: B023  # called at once
            pause = FIRST_PAUSE if has_more else min(2 * pause, conf().SWEEP_INTERVAL / 2)
            self._try_all()

    def _try_all(self) -> None:
        try:
            with no_fork():
                try:
                    self.finish_all()
                finally:
                    connections.close_all()
        except Exception:
            logger.exception("Deferred writes failed, they are tried again")


_deferred = DeferredWrites()


def _renew() -> None:
    global _deferred
    _deferred = DeferredWrites()


os.register_at_fork(after_in_child=_renew)  # The parent keeps its own, and writes them.


def defer(write: DeferredWrite) -> None:
    """Keep a write, and try it until it succeeds."""
    _deferred.add(write)


def write_or_defer(write: DeferredWrite) -> None:
    """Write now or, without a database, as soon as there is one."""
    try:
        is_written = write.finish()
    except OUTAGES:
        is_written = False
    if not is_written:
        defer(write)


def write_deferred(wait: float = 0) -> bool:
    """Try each write that this process keeps, as ``DeferredWrites.finish_all``."""
    return _deferred.finish_all(wait)


@contextmanager
def deferred_on_error(write: DeferredWrite) -> Iterator[None]:
    """Keep the write if the block raises: the server may have executed the block's statement."""
    try:
        yield
    except BaseException:
        defer(write)
        raise


@worker_process_shutdown.connect
@worker_shutdown.connect
def write_at_exit(**kwargs: Any) -> None:
    """Try each write while this process ends; log those that fail."""
    if not write_deferred(EXIT_SECONDS):
        lost = [write for write in _deferred.writes if write.using in _deferred.unreachable]
        _log_lost(lost, "its process ends")


atexit.register(write_at_exit)


def _log_lost(writes: list[DeferredWrite], reason: str) -> None:
    for write in writes:
        logger.error(
            "How a run of %s ended can't be written to database %r: %s. Its calls will be taken "
            "for those of a process that died.",
            write.task,
            write.using,
            reason,
        )
