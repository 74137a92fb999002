"""The library's system checks, when a worker starts.

Celery runs Django's checks there and drops what they find.
"""

import logging
import os
from typing import Any

from celery.signals import worker_ready
from django.core.checks import ERROR, WARNING, run_checks

from aftercommit.conf import TAG

logger = logging.getLogger(__name__)


@worker_ready.connect
def worker_ready_log_checks(**kwargs: Any) -> None:
    """Log the errors and the warnings of the library's checks. The worker goes on.

    ``CELERY_SKIP_CHECKS`` in the environment skips these checks as well as Celery's.
    """
    if os.environ.get("CELERY_SKIP_CHECKS"):
        return
    try:
        found = [each for each in run_checks(tags=[TAG]) if not each.is_silenced()]
    except Exception:
        logger.exception("The system checks of aftercommit failed")
        return
    for message in found:
        if message.level >= WARNING:
            level = logging.ERROR if message.level >= ERROR else logging.WARNING
            logger.log(level, "%s", message)
