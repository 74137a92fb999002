"""Faults of a host that stands still: its processes neither answer nor end, and keep their locks.

Each lasts for longer than the database leaves a transaction idle (``OUTBOX_IDLE_LIMIT``), so that
others get what the processes have locked.
"""

import contextlib
import random
from collections.abc import Callable, Iterator

import psutil
import psycopg

from core.stack.waiting import wait_until
from tests.celery_engine.process import Program
from tests.celery_engine.worker import READY, READY_WITHIN
from tests.tools.chaos.fault import HOST, Fault, Heal
from tests.tools.chaos.system import System

FOUND_WITHIN = 3.0
"""Seconds in which a process is looked for that is amid a batch; without one any is frozen."""

AMID = """
    SELECT client_port FROM pg_stat_activity
    WHERE state = 'idle in transaction' AND pid <> pg_backend_pid()
"""


def freeze_process(system: System, chance: random.Random) -> Heal | None:
    """Freeze one of a worker's processes amid a batch; later it goes on with it."""
    process = _freeze_one(system, chance)
    return _quietly(process.resume) if process else None


def freeze_process_for_good(system: System, chance: random.Random) -> Heal | None:
    """Freeze one of a worker's processes amid a batch; it never goes on, and is killed later."""
    process = _freeze_one(system, chance)
    return _quietly(process.kill) if process else None


def freeze_host_to_the_end(system: System, chance: random.Random) -> Heal | None:
    """Freeze a worker that never goes on; later another takes its place."""
    worker = freeze_worker(system, chance)

    def replace() -> None:
        assert worker
        worker.kill()
        worker.start()
        worker.wait_for_log(READY, READY_WITHIN)

    return replace if worker else None


def freeze_host(system: System, chance: random.Random) -> Heal | None:
    """Freeze a worker with all its processes amid a batch: its heartbeats stop, too."""
    worker = freeze_worker(system, chance)
    return worker.resume if worker else None


def freeze_worker(system: System, chance: random.Random) -> Program | None:
    """Freeze all processes of a worker that is amid a batch; None if none runs."""
    process = _freeze_one(system, chance)
    for worker in system.workers:
        if process and process.pid in worker.children():
            worker.pause()
            return worker
    return None


def _freeze_one(system: System, chance: random.Random) -> psutil.Process | None:
    """Freeze a process of a worker, if there is one: one that is amid a batch, if one is found."""
    with contextlib.suppress(TimeoutError):
        return wait_until(lambda: _freeze_busy(system), FOUND_WITHIN, "a busy process")
    processes = [*_pool_processes(system)]
    if not processes:
        return None
    process = chance.choice(processes)
    _quietly(process.suspend)()
    return process


def _freeze_busy(system: System) -> psutil.Process | None:
    for process in [*_busy_processes(system)]:
        _quietly(process.suspend)()
        if process in [*_busy_processes(system)]:
            return process
        _quietly(process.resume)()  # its batch ended before it stood still
    return None


def _busy_processes(system: System) -> Iterator[psutil.Process]:
    """Find the processes of workers that have a transaction open, and compute."""
    with contextlib.suppress(psycopg.OperationalError):
        ports = {port for (port,) in system.rows(AMID)}
        for process in _pool_processes(system):
            with contextlib.suppress(psutil.Error):
                if ports & {each.laddr.port for each in process.net_connections("tcp")}:
                    yield process


def _pool_processes(system: System) -> Iterator[psutil.Process]:
    for worker in system.workers:
        for pid in worker.children() if worker.running else ():
            with contextlib.suppress(psutil.Error):
                yield psutil.Process(pid)


def _quietly(act: Callable[[], None]) -> Heal:
    """Have a process do something, if it is still there. psutil knows a number used again."""

    def heal() -> None:
        with contextlib.suppress(psutil.Error):
            act()

    return heal


FROZEN = (9.0, 14.0)
FAULTS = (
    Fault("process frozen in a batch", HOST, freeze_process, FROZEN),
    Fault("process frozen for good", HOST, freeze_process_for_good, FROZEN),
    Fault("host frozen", HOST, freeze_host, FROZEN),
)
LAST = Fault("host frozen to the end", HOST, freeze_host_to_the_end)
"""Goes on while everything else comes to rest: the others settle what its processes have locked."""
