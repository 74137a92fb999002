"""The task that beat sends again and again (``CELERY_BEAT_SCHEDULE``)."""

import logging

from celery import shared_task

from aftercommit.context import Context, use
from core.retention.expire import expire_all

logger = logging.getLogger(__name__)

SECONDS = 20
"""A run takes so long at most, and the next one goes on."""


@shared_task
def delete_expired() -> dict[str, int]:
    """End what has expired. Return how many rows of each kind there were."""
    with use(Context(actor="retention")):
        ended = dict(sorted(expire_all(SECONDS).items()))
    for name, count in ended.items():
        logger.info("Retention ended %d of %s", count, name)
    return ended
