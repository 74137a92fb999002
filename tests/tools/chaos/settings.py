"""The project's settings, with times that let a short run come to rest."""

from core.settings import *  # noqa: F403
from core.settings import DATABASES

CELERY_IMPORTS = ("tests.tools.chaos.tasks",)
if "sqlite" in DATABASES["default"]["ENGINE"]:
    OUTBOX_CRASH_GRACE = 30  # for a journal that a killed worker leaves, all wait at the end
else:
    CELERY_TASK_TIME_LIMIT = 20  # what waits for a row that a frozen host has locked needs less
    OUTBOX_IDLE_LIMIT = 6  # the seconds after which others have what a frozen host has locked
NOTIFICATIONS_DIGEST_SECONDS = 1
for _limit in ("ARTICLES", "COMMENTS", "MAILS"):  # a run has many of few users
    globals()[f"NOTIFICATIONS_{_limit}_PER_HOUR"] = 1_000_000
    globals()[f"NOTIFICATIONS_{_limit}_PER_DAY"] = 1_000_000
CELERY_TASK_ANNOTATIONS = {
    "*": {"retry_backoff_max": 4},
    # A mail server that is away for a while is met often, but never so often that a mail is given
    # up; and what a worker that was killed was sending is found within seconds.
    "notifications.tasks.send_delivery": {"lease": 15, "max_retries": 200},
}
