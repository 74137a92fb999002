"""The Celery application: where it is configured from, and which tasks it finds."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

app = Celery("aftercommit", task_cls="aftercommit.OutboxTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()  # what threads use; a library that made an app before would be asked otherwise
