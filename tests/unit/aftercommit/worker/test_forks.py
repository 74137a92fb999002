"""Processes that are forked beside threads that are at the database."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aftercommit.worker import forks
from aftercommit.worker.forks import no_fork

HELD = 30
PROJECT = Path(__file__).parents[4]


def hold(inside: threading.Event, over: threading.Event) -> Callable[[], None]:
    """Return what is in a block until it is over."""

    def run() -> None:
        with no_fork():
            inside.set()
            over.wait(HELD)

    return run


def blocks(count: int) -> tuple[list[threading.Thread], list[threading.Event]]:
    """Start so many threads, each in a block until its event is set."""
    threads, events = [], []
    for _ in range(count):
        inside, over = threading.Event(), threading.Event()
        thread = threading.Thread(target=hold(inside, over), daemon=True)
        thread.start()
        assert inside.wait(HELD)
        threads.append(thread)
        events.append(over)
    return threads, events


def fork(forked: threading.Event) -> None:
    """Fork as a pool does, then say so."""
    forks._before()
    forked.set()
    forks._after_in_parent()


def test_waits_for_every_block() -> None:
    """A fork waits for all threads that are in a block; they don't wait for one another."""
    threads, events = blocks(2)
    forked = threading.Event()
    forking = threading.Thread(target=fork, args=[forked], daemon=True)
    forking.start()
    for event, thread in zip(events, threads, strict=True):
        assert not forked.is_set()
        event.set()
        thread.join(HELD)
    assert forked.wait(HELD)
    forking.join(HELD)


def test_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits FORK_WAITS seconds at most, however many are in a block."""
    monkeypatch.setattr(forks, "FORK_WAITS", 0.1)
    threads, events = blocks(3)
    forked = threading.Event()
    fork(forked)
    assert forked.is_set()
    for event, thread in zip(events, threads, strict=True):
        event.set()
        thread.join(HELD)
    with no_fork():
        pass


def test_own_block() -> None:
    """A thread that forks in its own block doesn't wait for itself."""
    begin = time.monotonic()
    with no_fork():
        fork(threading.Event())
    assert time.monotonic() - begin < forks.FORK_WAITS


def test_child() -> None:
    """The child knows of no block of its parent's threads."""
    threads, events = blocks(1)
    before = forks._gate, forks._inside
    try:
        forks._after_in_child()
        fork(threading.Event())
        assert forks._inside == []
    finally:
        forks._gate, forks._inside = before
    events[0].set()
    threads[0].join(HELD)


@pytest.mark.parametrize("what", ["wake", "deferred", "held"])
def test_real_fork(what: str) -> None:
    """A process that is forked has a thread of its own for wake-ups, does none of its parent's
    writes, and isn't forked while a thread is in a block.
    """
    command = [sys.executable, "-m", "tests.unit.aftercommit.forking", what]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
