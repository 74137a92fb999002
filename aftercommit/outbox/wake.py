"""Wake the tasks that have rows, by a thread of this process, so that no request waits.

A wake-up carries no data. A lost one costs time, the sweep's interval, and a duplicate does
nothing. So nothing here is ever worth failing or delaying a request for.
"""

import atexit
import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from aftercommit.conf import conf
from aftercommit.outbox.record import CallRecord
from aftercommit.outbox.turns import Target, Turn, hold_back, read_turns
from aftercommit.outbox.wake_message import SENT, TURN, publish
from aftercommit.outbox.waker import Message, Waker
from aftercommit.outbox.watchers import watchers


def wake_tasks(calls: Collection[CallRecord]) -> None:
    """Have the tasks of committed calls woken, if the calls are due, off this thread."""
    for watcher in watchers:
        watcher.see_committed(calls)
    if targets := {(call.using, call.task): None for call in calls if call.is_due}:
        _waker.wake(targets)


def wake_task(using: str, task: str) -> None:
    """Have one task woken, off this thread."""
    _waker.wake([(using, task)])


def send_soon(message: Message) -> None:
    """Have a function called that sends something to the broker, off this thread.

    Returns at once and never raises. The function isn't called if the broker is down, or if a
    thousand others come after it before their turn.
    """
    _waker.send(message)


def send_wake_up(using: str, task: str, known: Turn | None = None, insist: bool = False) -> bool:
    """Send the task a wake-up, unless one is under way. Return whether it was sent.

    ``known`` is the task's turn, if it was read before. ``insist`` sends it in any case. Raises the
    errors of the broker's client.
    """
    turn = known or read_turns([(using, task)])[using, task]
    if turn.is_woken and not insist:
        return False
    # With an old turn the wake-up would be taken for one that a drain has overtaken, though the
    # drain began before it was sent.
    publish(task, using, {TURN: 0 if turn.is_old else turn.begun, SENT: time.time()})
    if not turn.is_woken:
        hold_back(using, task, turn)
    return True


_waker = Waker(lambda *wake_up: send_wake_up(*wake_up))


def _renew_waker() -> None:
    global _waker
    _waker = Waker(lambda *wake_up: send_wake_up(*wake_up))


os.register_at_fork(after_in_child=_renew_waker)


class SilentWaker(Waker):
    """Sends nothing."""

    def wake(self, targets: Iterable[Target]) -> None:
        """Wake nobody."""

    def send(self, message: Message) -> None:
        """Send nothing."""


@contextmanager
def without_wake_ups() -> Iterator[None]:
    """Send nothing to the broker in this block, from any thread of this process.

    A test that runs its calls itself needs neither a broker nor a worker.
    """
    global _waker
    usual, _waker = _waker, SilentWaker(lambda *wake_up: None)
    try:
        yield
    finally:
        _waker = usual


@atexit.register
def flush_wake_ups(seconds: float | None = None) -> bool:
    """Wait until this process has sent its wake-ups, OUTBOX_FLUSH_SECONDS at most.

    Return whether it has. Runs by itself when the interpreter exits.
    """
    if not _waker.has_started:
        return True
    return _waker.flush(conf().FLUSH_SECONDS if seconds is None else seconds)
