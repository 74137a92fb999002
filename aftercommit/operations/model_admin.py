"""Admin classes for operators: rows are read, and changed by operations that ask first."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path

from aftercommit.operations.operation import Operation
from aftercommit.operations.question import (
    MOST,
    ModelAdmin,
    confirmed_ids,
    page_name,
    page_url,
    question_page,
)


class ReadOnlyAdmin(ModelAdmin):
    """A model whose rows a person reads, and can't add, edit or delete."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: rows come from the system."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: rows are shown and not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: rows are deleted by an operation, if there is one for it."""
        return False


Action = Callable[["OperatedAdmin", HttpRequest, QuerySet[Any]], HttpResponse | None]


def operation_action(name: str, operation: Operation) -> Action:
    """Return the list's action that asks about the selected rows, and then changes them."""

    @admin.action(
        description=operation.question.format(f"the selected {operation.nouns[1]}"),
        permissions=["operate"],
    )
    def action(
        self: "OperatedAdmin", request: HttpRequest, rows: QuerySet[Any]
    ) -> HttpResponse | None:
        return self.operate(request, operation, rows, action=name)

    action.__name__ = name
    return action


class OperatedAdmin(ReadOnlyAdmin):
    """A model whose rows operators change, by actions of the list and buttons on a row's page.

    Each operation first shows what it will do and with how many rows. It does it once that is
    confirmed. A user who may change the model's rows may operate on them.
    """

    operations: Mapping[str, Operation] = {}
    """The operations by the names of their actions."""

    change_form_template = "aftercommit/admin/operated.html"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.actions = [operation_action(*each) for each in cls.operations.items()]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may operate, which is whether they may change rows."""
        codename = get_permission_codename("change", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    def get_urls(self) -> list[URLPattern]:
        """Add a page for each operation on one row."""
        return [*map(self._path, self.operations), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse an operation to a user who may only look. Django's own list would ignore it."""
        if self.operations.keys() & set(request.POST.getlist("action")):
            self._check_permission(request)
        return super().changelist_view(request, extra_context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the row, with a button for each operation that accepts it."""
        buttons = list(self._buttons(request, object_id))
        context = {**(extra_context or {}), "operations": buttons}
        return super().change_view(request, object_id, form_url, context)

    def operate_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Ask about one row, and then operate on it."""
        self._check_permission(request)
        operation, rows = self.operations[name], self._row(request, object_id)
        if not rows.exists():
            text = f"The {operation.nouns[0]} is no longer there. Nothing was changed."
            self.message_user(request, text, messages.WARNING)
            return HttpResponseRedirect(page_url(self, "changelist"))
        response = self.operate(request, operation, rows)
        if response is not None:
            return response
        page, args = ("change", [object_id]) if rows.exists() else ("changelist", [])
        return HttpResponseRedirect(page_url(self, page, *args))

    def operate(
        self, request: HttpRequest, operation: Operation, rows: QuerySet[Any], action: str = ""
    ) -> HttpResponse | None:
        """Return the page that asks. Return None once the rows were changed, or none can be.

        The user has a message about that.
        """
        if request.method == "POST" and request.POST.get("post"):
            self._run(request, operation, rows)
            return None
        ids = operation.accepted_ids(rows, MOST + 1)
        if 0 < len(ids) <= MOST:
            return question_page(self, request, operation, rows, ids, action)
        reason = operation.restriction
        if ids:
            reason = f"Nothing was changed: choose at most {MOST:,} at a time, by a filter."
        self._report(request, operation, 0, rows.count(), reason)
        return None

    def _run(self, request: HttpRequest, operation: Operation, rows: QuerySet[Any]) -> None:
        shown = confirmed_ids(request)
        if shown is None:
            count, ids = rows.count(), operation.accepted_ids(rows)
            reason = operation.restriction
        else:
            count, ids = len(shown), list(rows.filter(pk__in=shown).values_list("pk", flat=True))
            reason = "The others have changed since you were asked, or change at this moment."
        self._report(request, operation, operation.run(rows.db, ids), count, reason)

    def _report(
        self, request: HttpRequest, operation: Operation, done: int, count: int, reason: str
    ) -> None:
        text = f"{done:,} of {count:,} {operation.nouns[count != 1]} {operation.done}."
        if done < count:
            self.message_user(request, f"{text} {reason}", messages.WARNING)
        else:
            self.message_user(request, text, messages.SUCCESS)

    def _check_permission(self, request: HttpRequest) -> None:
        if not self.has_operate_permission(request):
            raise PermissionDenied

    def _buttons(self, request: HttpRequest, object_id: str) -> Iterator[tuple[str, str]]:
        if IS_POPUP_VAR in request.GET or not self.has_operate_permission(request):
            return
        rows = self._row(request, object_id)
        for name, operation in self.operations.items():
            if operation.accept(rows).exists():
                yield operation.label, page_url(self, name, object_id)

    def _row(self, request: HttpRequest, object_id: str) -> QuerySet[Model]:
        row = self.get_object(request, unquote(object_id))
        rows: QuerySet[Model] = self.get_queryset(request)
        return rows.none() if row is None else rows.filter(pk=row.pk)

    def _path(self, name: str) -> URLPattern:
        view = self.admin_site.admin_view(self.operate_view)
        return path(f"<path:object_id>/{name}/", view, {"name": name}, name=page_name(self, name))
