"""The outbox in the admin: to be read, and operated by actions that ask first."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from aftercommit.models import OutboxBatch, OutboxCall, OutboxWorker
from aftercommit.operations.calls import DISCARD, RETRY
from aftercommit.operations.model_admin import OperatedAdmin, ReadOnlyAdmin
from aftercommit.worker.heartbeat import AGE, stale_seconds


@admin.register(OutboxCall)
class OutboxCallAdmin(OperatedAdmin):
    """Calls that are not settled. Dead and uncertain calls can be retried or discarded."""

    list_display = (
        "id", "task", "status", "short_arguments", "attempts", "created_at", "available_at",
        "last_line",
    )  # fmt: skip
    list_filter = ("status", "task")
    search_fields = ("task", "payload", "error")
    ordering = ("-created_at", "-id")
    show_full_result_count = False
    fields = (
        "task", "status", "arguments", "context", "created_at", "available_at", "attempts",
        "crashes", "lease", "traceback",
    )  # fmt: skip
    operations = {"retry": RETRY, "discard": DISCARD}

    @admin.display(description="arguments")
    def short_arguments(self, call: OutboxCall) -> str:
        """Return the start of the arguments."""
        return call.payload if len(call.payload) <= 60 else call.payload[:59] + "…"

    @admin.display(description="last error")
    def last_line(self, call: OutboxCall) -> str:
        """Return the last line of the last error."""
        line = call.error.strip().rpartition("\n")[2]
        return line if len(line) <= 100 else line[:99] + "…"

    @admin.display
    def arguments(self, call: OutboxCall) -> str:
        """Return the arguments, indented if they are JSON."""
        try:
            text = json.dumps(json.loads(call.payload), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = call.payload
        return format_html("<pre>{}</pre>", text)

    @admin.display
    def traceback(self, call: OutboxCall) -> str:
        """Return the last error with its traceback."""
        return format_html("<pre>{}</pre>", call.error or "none")


@admin.register(OutboxBatch)
class OutboxBatchAdmin(ReadOnlyAdmin):
    """The batches that run now, and the batches of dead processes that no sweep has found yet."""

    list_display = ("id", "task", "worker", "started_at")
    list_filter = ("task",)


@admin.register(OutboxWorker)
class OutboxWorkerAdmin(ReadOnlyAdmin):
    """The workers, and whether they live: whether their heartbeat is recent."""

    list_display = ("name", "is_alive", "host", "pid", "started_at", "seen_at")
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxWorker]:
        """Return the workers that didn't stop, each with the age of its heartbeat."""
        rows: QuerySet[OutboxWorker] = super().get_queryset(request)
        return rows.filter(ended_at=None).annotate(age=AGE)

    @admin.display(description="alive", boolean=True)
    def is_alive(self, worker: Any) -> bool:
        """Return whether the last heartbeat is as recent as it should be."""
        seconds: float = worker.age.total_seconds()
        return seconds <= stale_seconds()
