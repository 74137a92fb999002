"""The project's settings, with times that let a short run come to rest."""

from core.settings import *  # noqa: F403

CELERY_TASK_ANNOTATIONS = {
    "*": {"retry_backoff_max": 4},
    # A mail server that is away for a while is met often, but never so often that a mail is given
    # up; and what a worker that was killed was sending is found within seconds.
    "notifications.tasks.send_delivery": {"lease": 15, "max_retries": 200},
}
