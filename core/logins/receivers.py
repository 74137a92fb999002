"""The receiver that has each failed log-in recorded."""

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from core.front.throttle import count

from .attempts import describe_attempt, tried_name
from .tasks import record_failed_login

LINE = "A log-in failed on %(page)s, from %(address)s. User: %(user_id)s. Unknown name: %(unknown)s"

logger = logging.getLogger(__name__)


@receiver(user_login_failed)
def login_failed_record(
    credentials: Mapping[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Log a line at once, also if the request rolls back, and have a row written."""
    attempt = describe_attempt(tried_name(credentials), request)
    logger.warning(LINE, attempt, extra=attempt)
    if not count("record", {"site": "all"}):
        record_failed_login.delay_on_commit(**attempt)
