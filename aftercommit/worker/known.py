"""What this process knows of its calls and could not tell the database yet.

A call that ran, a batch that nobody runs any more, a claim whose answer was lost: if the database
is away, others would take the calls for those of a process that died. They are told as soon as it
is back: by the next drain, whatever its task is, by a thread that tries until it can, or as this
process ends.
"""

import atexit
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from celery.signals import worker_process_shutdown, worker_shutdown
from django.db import InterfaceError, OperationalError, connections

from aftercommit.conf import conf
from aftercommit.worker.forks import no_fork

logger = logging.getLogger(__name__)

LIMIT = 1000
"""How many facts a process keeps at most."""

FIRST = 0.2
"""Seconds before the thread's first try. In an outage it tries less and less often, but twice in a
sweep's interval: after one, sweeps wait so long for what processes know."""

OUTAGES = (OperationalError, InterfaceError)
"""What a database raises that is away. Any other error would be raised each time."""

LATE = 10
"""Seconds for which a server may still carry out what it was asked before a connection broke."""

EXIT_SECONDS = 10
"""How long a process that ends waits for a try that is under way."""


class Fact(Protocol):
    """Something to tell the database."""

    @property
    def using(self) -> str:
        """Return the database's alias."""

    @property
    def task(self) -> str:
        """Return the name of the task whose calls it is about."""

    def forget(self) -> bool:
        """Tell the database, so that this process can forget it; return whether all is told.

        Raises what the database raises. Telling it twice does no harm.
        """


class Known:
    """The facts that this process keeps, and the thread that tries to tell them."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.unreachable: set[str] = set()
        """The databases that could not be told anything the last time."""
        self._changed = threading.Condition()
        self._telling = threading.Lock()
        self._thread: threading.Thread | None = None

    def keep(self, fact: Fact) -> None:
        """Keep the fact until it is told."""
        with self._changed:
            if fact not in self.facts:
                self.facts.append(fact)
            if len(self.facts) > LIMIT:
                _log_lost([self.facts.pop(0)], f"only {LIMIT} are kept")
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    def tell_all(self, wait: float = 0) -> bool:
        """Tell what is kept; return whether nothing is left.

        ``wait`` is how many seconds to wait for another thread that is telling it.
        """
        if not self.facts:
            return True
        if not self._telling.acquire(timeout=wait):
            return False
        try:
            self.unreachable.clear()
            for fact in list(self.facts):
                if fact.using not in self.unreachable:
                    self._tell(fact)
        finally:
            self._telling.release()
        return not self.facts

    def _tell(self, fact: Fact) -> None:
        try:
            if not fact.forget():
                return
        except OUTAGES:
            self.unreachable.add(fact.using)
            return
        except Exception:
            logger.exception("What is known of %s can't be told", fact.task)
        with self._changed:
            if fact in self.facts:
                self.facts.remove(fact)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="outbox-known", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down: it tells them at its exit
            return
        self._thread = thread

    def _run(self) -> None:
        pause, count = FIRST, 0
        while True:
            with self._changed:
                count = len(self.facts)
                if not count:
                    self._thread = None
                    return
                has_more = self._changed.wait_for(lambda: len(self.facts) > count, pause)  # noqa: B023  # called at once
            pause = FIRST if has_more else min(2 * pause, conf().SWEEP_INTERVAL / 2)
            self._try()

    def _try(self) -> None:
        try:
            with no_fork():
                try:
                    self.tell_all()
                finally:
                    connections.close_all()
        except Exception:
            logger.exception("What is known could not be told, it is tried again")


_known = Known()


def _renew() -> None:
    global _known
    _known = Known()


os.register_at_fork(after_in_child=_renew)  # the parent tells what it knows


def keep(fact: Fact) -> None:
    """Keep a fact, and tell it as soon as that can be done."""
    _known.keep(fact)


def tell(fact: Fact) -> None:
    """Tell a fact now or, without a database, as soon as there is one."""
    try:
        is_told = fact.forget()
    except OUTAGES:
        is_told = False
    if not is_told:
        keep(fact)


def tell_all(wait: float = 0) -> bool:
    """Tell what this process keeps, as ``Known.tell_all``."""
    return _known.tell_all(wait)


@contextmanager
def kept_if_it_fails(fact: Fact) -> Iterator[None]:
    """Keep the fact if the block raises, and the database may have done what it was asked."""
    try:
        yield
    except BaseException:
        keep(fact)
        raise


@worker_process_shutdown.connect
@worker_shutdown.connect
def tell_at_the_end(**kwargs: Any) -> None:
    """Tell all that is kept while this process ends; what can't be told is in the log."""
    if not tell_all(EXIT_SECONDS):
        lost = [fact for fact in _known.facts if fact.using in _known.unreachable]
        _log_lost(lost, "its process ends")


atexit.register(tell_at_the_end)


def _log_lost(facts: list[Fact], reason: str) -> None:
    for fact in facts:
        logger.error(
            "What is known of a run of %s can't be told database %r: %s. Its calls will be taken "
            "for those of a process that died.",
            fact.task,
            fact.using,
            reason,
        )
