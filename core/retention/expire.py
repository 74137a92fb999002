"""End the rows whose days are over, in small batches.

Each batch is a short transaction, so nobody waits long for its locks. It takes rows that nobody
else has locked. So two runs at once share the work.
"""

import logging
import time
from collections import Counter

from django.db import transaction

from aftercommit.worker.database_errors import is_transient
from aftercommit.worker.rows import lock_rows
from core.retention.kinds import Kind, kinds

logger = logging.getLogger(__name__)


def expire_all(seconds: float) -> Counter[str]:
    """End expired rows for so many seconds. Return how many of each kind there were.

    Each kind has a batch in turn, so that no kind waits for the backlog of another.
    """
    deadline = time.monotonic() + seconds
    ended: Counter[str] = Counter()
    left = list(kinds().values())
    while left and time.monotonic() < deadline:
        left = [kind for kind in left if _try_batch(kind, ended)]
    return +ended  # without those of zero


def end_batch(kind: Kind) -> int:
    """End the oldest expired rows of the kind that nobody else has locked. Return their number."""
    if not kind.expired().exists():  # SQLite's transactions would wait until they can write
        return 0
    with transaction.atomic(using=kind.using):
        keys = list(lock_rows(kind.expired())[: kind.size].values_list("pk", flat=True))
        if keys:
            kind.end(kind.model._base_manager.using(kind.using).filter(pk__in=keys))
    return len(keys)


def _try_batch(kind: Kind, ended: Counter[str]) -> bool:
    """End a batch and count it. Return whether there may be more. Errors wait for the next run."""
    try:
        count = end_batch(kind)
    except Exception as error:  # noqa: BLE001  # the other kinds end all the same
        log = logger.warning if is_transient(error) else logger.exception
        log("Not all expired %s ended, the next run goes on: %s", kind.name, error)
        return False
    ended[kind.name] += count
    return count == kind.size
