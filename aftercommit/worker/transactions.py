"""The transactions that settle calls: what strangers' code does in them stays apart."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction

from aftercommit.db.callbacks import SureCallback
from aftercommit.outbox.pending import PendingCall
from aftercommit.worker.idle import is_nested

logger = logging.getLogger(__name__)


@contextmanager
def settling_transaction(using: str, task: str) -> Iterator[None]:
    """Open a transaction that settles calls of the task.

    An on_commit callback that raises keeps no other callback from being called. Django would drop
    those behind it, which belong to other calls of the batch.
    """
    with transaction.atomic(using=using):
        yield
        if not is_nested(using):  # else the callbacks are those of a test, which looks at them
            connection: Any = connections[using]  # the stubs have entries of two values
            connection.run_on_commit = [
                (savepoints, _keep_apart(function, task), robust)
                for savepoints, function, robust in connection.run_on_commit
            ]


def _keep_apart(function: Callable[[], Any], task: str) -> Callable[[], Any]:
    """Return the callback with its errors logged. The outbox's own callbacks never raise."""
    if isinstance(function, PendingCall | SureCallback):
        return function

    def call() -> None:
        try:
            function()
        except Exception:
            logger.exception(
                "%s: an on_commit callback failed. Its call is done: the effect had committed. "
                "With delay_on_commit() in its place, a worker would try it again.",
                task,
            )

    return call


def can_commit(using: str) -> bool:
    """Return whether the transaction that is open can still commit.

    An error does not tell. A stranger's code can raise the errors of a database that is not ours.
    """
    return not transaction.get_rollback(using=using) and connections[using].is_usable()
