"""The results of tasks in the admin, to be read."""

import json

from django.contrib import admin
from django.utils.html import format_html

from aftercommit.contrib.tasks.models import TaskRecord
from aftercommit.operations.model_admin import ReadOnlyAdmin


@admin.register(TaskRecord)
class TaskRecordAdmin(ReadOnlyAdmin):
    """The tasks that have ended, and those that failed and are tried again."""

    list_display = ("id", "task", "status", "enqueued_at", "started_at", "finished_at")
    list_filter = ("status", "task")
    search_fields = ("id", "task")
    ordering = ("-stored_at",)
    show_full_result_count = False
    fields = (
        "id", "task", "backend", "status", "payload", "return_value", "enqueued_at", "run_after",
        "started_at", "last_attempted_at", "finished_at", "worker_ids", "tracebacks",
    )  # fmt: skip

    @admin.display
    def tracebacks(self, row: TaskRecord) -> str:
        """Return the tracebacks of all failures."""
        texts = [error["traceback"] for error in json.loads(row.errors)]
        return format_html("<pre>{}</pre>", "\n".join(texts) or "none")
