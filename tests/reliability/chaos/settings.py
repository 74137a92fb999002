"""The project's settings, with times that let a short run come to rest."""

from core.settings import *  # noqa: F403
from core.settings import DATABASES

if "sqlite" in DATABASES["default"]["ENGINE"]:
    OUTBOX_CRASH_GRACE = 30  # for a journal that a killed worker leaves, all wait at the end
CELERY_TASK_ANNOTATIONS = {
    "*": {"retry_backoff_max": 4},
    # A mail server that is away for a while is met often, but never so often that a mail is given
    # up; and what a worker that was killed was sending is found within seconds.
    "notifications.tasks.send_delivery": {"lease": 15, "max_retries": 200},
}
