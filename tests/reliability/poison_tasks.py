"""Tasks whose calls may be poison: a call's name says what happens to whoever runs it."""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import psutil
from celery import shared_task

from aftercommit.call import Call
from tests.reliability.tasks import write

ROOM = 64 * 1024**2


def fail() -> None:
    """Raise."""
    raise ValueError("poison")


def exit_at_once() -> None:
    """End the process without a word to anybody."""
    os._exit(9)


def be_killed() -> None:
    """End as the kernel ends a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def exhaust_memory() -> None:
    """Ask for more memory than the process may have."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + ROOM, limits[1]))
    try:
        bytearray(ROOM * 4)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def hang() -> None:
    """Never return."""
    while True:
        time.sleep(60)


POISONS: dict[str, Callable[[], object]] = {
    "raises": fail,
    "exits": exit_at_once,
    "killed": be_killed,
    "memory": exhaust_memory,
    "sys.exit": sys.exit,
    "hangs": hang,
}


def take(names: Iterable[str]) -> None:
    """A row for each name; then the poison that one of them is the name of acts."""
    names = list(names)
    write(names)
    for name in names:
        POISONS.get(name, lambda: None)()
        if name == "in company" and len(names) > 1:
            fail()


@shared_task(max_retries=1, retry_backoff=False, default_retry_delay=0)
def one(name: str) -> None:
    """One call alone."""
    take([name])


@shared_task(batch=True, batch_size=40, max_retries=1, retry_backoff=False, default_retry_delay=0)
def batch(calls: Sequence[Call]) -> None:
    """All calls of a batch."""
    take(call.kwargs["name"] for call in calls)


@shared_task(bind=True, max_retries=3, retry_backoff=False, default_retry_delay=0)
def third_try(self: "third_try", name: str) -> None:  # type: ignore[valid-type]  # Celery's own self
    """One call that succeeds when it is tried for the third time."""
    write([name])
    if self.request.retries < 2:
        fail()


@shared_task(max_retries=0, soft_time_limit=1, time_limit=60)
def softly_limited(name: str) -> None:
    """One call alone, which is told that its time is up."""
    take([name])


@shared_task(max_retries=0, time_limit=1)
def limited(name: str) -> None:
    """One call alone, whose process is killed when its time is up."""
    take([name])


@shared_task(batch=True, max_retries=0, time_limit=1)
def limited_batch(calls: Sequence[Call]) -> None:
    """All calls of a batch, whose process is killed when its time is up."""
    take(call.kwargs["name"] for call in calls)


def send_line(name: str, path: str) -> None:
    """A line in a file: an effect that no rollback takes back. Then the poison acts."""
    with Path(path).open("a") as file:
        file.write(f"{name}\n")
    POISONS.get(name, lambda: None)()


@shared_task(atomic=False, lease=2, max_retries=1, retry_backoff=False, default_retry_delay=0)
def send(name: str, path: str) -> None:
    """An effect outside the database, held if its process dies in it."""
    send_line(name, path)


@shared_task(
    atomic=False,
    lease=2,
    reject_on_worker_lost=True,
    max_retries=1,
    retry_backoff=False,
    default_retry_delay=0,
)
def resend(name: str, path: str) -> None:
    """The same, had again if its process dies in it."""
    send_line(name, path)


@shared_task(atomic=False, lease=2, time_limit=1)
def send_limited(name: str, path: str) -> None:
    """The same as ``send``, killed when its time is up."""
    send_line(name, path)


@shared_task(atomic=False, lease=400)
def send_slowly(name: str, path: str) -> None:
    """The same as ``send``, under a lease that is not over in any test."""
    send_line(name, path)


@shared_task(retry_backoff=600, retry_jitter=False)
def patient(name: str) -> None:
    """One call alone, tried again after ten minutes."""
    take([name])
