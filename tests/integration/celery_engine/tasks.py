"""Tasks that go into the test's worker beside pytest-celery's own."""

import time

from celery import shared_task
from celery.utils.log import get_task_logger

logger = get_task_logger(__name__)


@shared_task
def work(seconds: float) -> str:
    """Be busy for a while: "done", with a line in the log at the start."""
    logger.info("working for %s seconds", seconds)
    time.sleep(seconds)
    return "done"


@shared_task
def environment() -> dict[str, str]:
    """The environment of the worker."""
    import os

    return dict(os.environ)
