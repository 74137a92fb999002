"""The log in the admin, to be read, filtered and searched."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from aftercommit.operations.model_admin import OperatedAdmin, ReadOnlyAdmin

from .models import AuditLog
from .registry import audited_models, find_model, has_masked_key


class ModelFilter(admin.SimpleListFilter):
    """Filter by the models that are audited, and by those that operators change in the admin.

    Asking the log for the models that occur in it would scan the whole table.
    """

    title = "model"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Return each model's label and name."""
        sites = model_admin.admin_site._registry.items()
        operated = {model for model, its in sites if isinstance(its, OperatedAdmin)}
        options = [model._meta for model in {*audited_models(), *operated}]
        return sorted((each.label_lower, str(each.verbose_name)) for each in options)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditLog]
    ) -> QuerySet[AuditLog] | None:
        """Return the entries about the chosen model."""
        return queryset.filter(model_label=self.value()) if self.value() else None


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    """The entries of the log: who changed what, and when."""

    list_display = ("timestamp", "action", "model_name", "object_repr", "summary", "user_label")
    list_filter = ("action", ModelFilter, "timestamp")
    search_fields = ("=object_id", "object_repr", "user_label", "=request_id")
    search_help_text = "Object's id or name, user's name, request's id"
    date_hierarchy = "timestamp"
    show_full_result_count = False
    fields = (
        "timestamp",
        "action",
        "model_name",
        "object_link",
        "changes_table",
        "user",
        "user_label",
        "request_id",
        "address",
    )

    @admin.display(description="model", ordering="model_label")
    def model_name(self, log: AuditLog) -> str:
        """Return the name of the object's class."""
        return log.model_name

    @admin.display(description="changes")
    def summary(self, log: AuditLog) -> str:
        """Return the names of the fields that an update changed."""
        return ", ".join(log.changes) if log.action == AuditLog.Action.UPDATE else ""

    @admin.display(description="object")
    def object_link(self, log: AuditLog) -> str | SafeString:
        """Return the object's name and id, linked to its page in the admin if it has one."""
        name = f"{log.object_repr} (#{log.object_id})"
        url = self._object_url(log)
        return format_html('<a href="{}">{}</a>', url, name) if url else name

    @admin.display(description="changes")
    def changes_table(self, log: AuditLog) -> SafeString:
        """Return a table of the fields with their old and new values."""
        context = {"changes": log.named_changes().items()}
        return render_to_string("audit/changes.html", context)

    def _object_url(self, log: AuditLog) -> str | None:
        model = find_model(log.model_label)
        if model is None or has_masked_key(model):
            return None
        if not model._base_manager.filter(pk=log.object_id).exists():
            return None
        options = model._meta
        try:
            name = f"{self.admin_site.name}:{options.app_label}_{options.model_name}_change"
            return reverse(name, args=[log.object_id])
        except NoReverseMatch:
            return None
