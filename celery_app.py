"""The Celery application: where it is configured from, and which tasks it finds."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

# By kombu's own names, which logs, banners and Flower show. Before the first connection.
TRANSPORT_ALIASES.update(
    redis="aftercommit.redis.transport:Transport", rediss="aftercommit.redis.transport:Transport"
)

app = Celery("aftercommit", task_cls="aftercommit.outbox.task:OutboxTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()  # what threads use; a library that made an app before would be asked otherwise
