"""This project's outbox."""

from collections.abc import Mapping
from typing import Any

from benchmarks.delay_on_commit import DelayOnCommit


class This(DelayOnCommit):
    """``delay_on_commit`` of the project's base task."""

    label = "Aftercommit"
    durable = True
    engine = "aftercommit.db.postgresql"
    apps = ("aftercommit",)
    app = "celery_app"
    tasks_module = "benchmarks.shop.outbox_tasks"

    def read_settings(self) -> Mapping[str, Any]:
        """The project's own, but for results and events, which no contender has."""
        from core import settings as project

        names = [name for name in dir(project) if name.startswith(("CACHES", "CELERY_", "OUTBOX_"))]
        return {name: getattr(project, name) for name in names} | {
            "CELERY_IMPORTS": [self.tasks_module],
            "CELERY_TASK_IGNORE_RESULT": True,
            "CELERY_RESULT_BACKEND": None,
            "CELERY_WORKER_SEND_TASK_EVENTS": False,
        }

    def left(self, kind: str) -> int:
        """The rows of the kind's task."""
        from aftercommit.models import OutboxCall

        return OutboxCall.objects.filter(task=self.tasks.kinds[kind].name).count()

    def clear(self) -> None:
        """No calls, no wake-ups."""
        from django.core.cache import cache
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE aftercommit_outboxcall, aftercommit_outboxbatch")
        cache.clear()  # FLUSHDB: the broker's messages too
