"""The Celery application of the contender that puts django-celery-outbox before Celery."""

import logging
import os

import structlog
from django_celery_outbox import OutboxCelery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")

# As Django's loggers here: errors only. By default it prints a line a batch.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

app = OutboxCelery("outboxed")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
