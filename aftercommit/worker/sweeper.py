"""The threads by which each worker sweeps all databases, from its start to its end."""

import time
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.db import connections

from aftercommit.conf import conf
from aftercommit.worker.announced_tasks import list_own_tasks
from aftercommit.worker.heartbeat import Heartbeat
from aftercommit.worker.periodic import PeriodicThread, Step
from aftercommit.worker.rate_limits import follow_rate_limits
from aftercommit.worker.remote_limits import share_time_limits
from aftercommit.worker.revoke import revoke_as_told
from aftercommit.worker.sweep import recover, sweep

REMOTE_CONTROL = (revoke_as_told, follow_rate_limits, share_time_limits)
"""The steps that have calls follow what Celery's remote control told this worker."""

STOP_SECONDS = 5
"""How long a worker that stops waits for its last heartbeat to be written."""

_more_steps: list[Step] = []


def also_recover(step: Step) -> None:
    """Have each worker that starts from now on do this, too, after it has recovered what was lost.

    The step is done every OUTBOX_SWEEP_INTERVAL seconds in each database.
    """
    if step not in _more_steps:
        _more_steps.append(step)


class Sweeper:
    """Three threads that look after all databases every OUTBOX_SWEEP_INTERVAL seconds.

    One writes the worker's heartbeat, if it is given the worker's name, and sends nothing. One
    sweeps, and waits for the broker. One recovers what was lost, which can take long.
    """

    def __init__(self, worker: str = "") -> None:
        heart = Heartbeat(worker, list_own_tasks) if worker else None
        beats, ends = ([heart.beat], [heart.end]) if heart else ([], [])
        self._unreached: set[str] = set()
        self._threads = (
            PeriodicThread("outbox-heartbeat", [*beats, *REMOTE_CONTROL], ends),
            PeriodicThread("outbox-sweep", [self._sweep]),
            PeriodicThread("outbox-recover", [self._recover, *_more_steps]),
        )

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the threads finish their step, and wait for their end."""
        for thread in self._threads:
            thread.stop()
        deadline = time.monotonic() + max(conf().SWEEP_INTERVAL, STOP_SECONDS)
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def is_alive(self) -> bool:
        """Return whether one of the threads runs."""
        return any(thread.is_alive() for thread in self._threads)

    def _sweep(self, using: str) -> None:
        sweep(using)

    def _recover(self, using: str) -> None:
        """Recover what was lost, but not in the first round after an outage.

        Processes that live first have an interval to write what they could not write meanwhile.
        """
        if using in self._unreached:
            connections[using].ensure_connection()
            self._unreached.discard(using)
            return
        try:
            recover(using)
        except Exception:
            self._unreached.add(using)
            raise


_sweeper: Sweeper | None = None


@worker_ready.connect
def worker_ready_start_sweep(sender: Any, **kwargs: Any) -> None:
    """Sweep from every worker: the guarantee needs no other process."""
    global _sweeper
    _sweeper = Sweeper(sender.hostname)
    _sweeper.start()


@worker_shutdown.connect
def worker_shutdown_stop_sweep(**kwargs: Any) -> None:
    """Stop sweeping before the worker's process ends."""
    if _sweeper is not None:
        _sweeper.stop()
