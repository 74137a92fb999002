"""Do something in each database again and again, in a thread that outlives any error."""

import logging
import threading
from collections.abc import Callable, Sequence

from django.db import connections

from aftercommit.conf import conf
from aftercommit.db.aliases import outbox_aliases
from aftercommit.worker.forks import no_fork

logger = logging.getLogger(__name__)

Step = Callable[[str], object]
"""A function that does one thing in the database with the given alias."""


class PeriodicThread(threading.Thread):
    """Does its steps in each database, and again every OUTBOX_SWEEP_INTERVAL seconds.

    The thread goes on until it is stopped. Then it does the steps of ``last`` once.
    """

    def __init__(self, name: str, steps: Sequence[Step], last: Sequence[Step] = ()) -> None:
        super().__init__(name=name, daemon=True)
        self._stopped = threading.Event()
        self._steps = steps
        self._last = last

    def run(self) -> None:
        """Do the steps, and begin again after any error."""
        while not self._stopped.is_set():
            self._try_round(self._steps)
            self._stopped.wait(conf().SWEEP_INTERVAL)
        self._try_round(self._last)

    def stop(self) -> None:
        """Stop after the round that runs now. ``join()`` waits for the end."""
        self._stopped.set()

    def _try_round(self, steps: Sequence[Step]) -> None:
        try:
            self._go_round(steps)
        except BaseException:
            logger.exception("%s: a round ended early, the next begins all the same", self.name)

    def _go_round(self, steps: Sequence[Step]) -> None:
        with no_fork():
            try:
                for using in outbox_aliases():
                    for step in steps:
                        self._do(step, using)
            finally:
                connections.close_all()  # No connection may be open when the pool forks.

    def _do(self, step: Step, using: str) -> None:
        try:
            step(using)
        except Exception as error:  # noqa: BLE001  # The next round can find the server back.
            logger.warning(
                "Sweep of database %r failed, the next is in %gs: %s",
                using,
                conf().SWEEP_INTERVAL,
                error,
            )
