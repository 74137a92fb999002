"""The operator's admin: rows to be read, and operations that ask before they act."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import label_for_field, unquote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import BigIntegerField, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from aftercommit.operations.operation import Operation, count_groups

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin

MOST = 10_000
"""How many rows one request operates on."""

IDS = re.compile(r"\d{1,19}(,\d{1,19})*", re.ASCII)

SHOWN = 10
"""How many rows the question names one by one."""


class ReadOnlyAdmin(_ModelAdmin):
    """A model that a person looks at and never edits."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """No: rows come from the system."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No: they are shown, not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No: see the actions."""
        return False


Action = Callable[["OperatedAdmin", HttpRequest, QuerySet[Any]], HttpResponse | None]


def operation_action(name: str, operation: Operation) -> Action:
    """Return the list's action that asks about the chosen rows, and then operates on them."""

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
    """A model whose rows operators act on: by actions of the list and buttons on a row's page.

    Each shows first what it will do with how many rows, and does it once that is confirmed. Who may
    change the model's rows may operate on them.
    """

    operations: Mapping[str, Operation] = {}
    """The operations by the names of their actions."""

    change_form_template = "aftercommit/admin/operated.html"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.actions = [operation_action(*each) for each in cls.operations.items()]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may operate: whether they may change rows."""
        codename = get_permission_codename("change", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    def get_urls(self) -> list[URLPattern]:
        """Add a page for each operation on one row."""
        return [*map(self._path, self.operations), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse an operation to who may only look: Django's own list would ignore it."""
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
        """Show the row, with a button for each operation that can be done with it."""
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
            return HttpResponseRedirect(self._url("changelist"))
        response = self.operate(request, operation, rows)
        if response is not None:
            return response
        page, args = ("change", [object_id]) if rows.exists() else ("changelist", [])
        return HttpResponseRedirect(self._url(page, *args))

    def operate(
        self, request: HttpRequest, operation: Operation, rows: QuerySet[Any], action: str = ""
    ) -> HttpResponse | None:
        """Return the page that asks; None once it was confirmed, and the user told what was done.

        None too if there is nothing to ask.
        """
        if request.method == "POST" and request.POST.get("post"):
            self._act(request, operation, rows)
            return None
        ids = list(operation.accept(rows).order_by("pk").values_list("pk", flat=True)[: MOST + 1])
        if 0 < len(ids) <= MOST:
            return self._question(request, operation, rows, ids, action)
        reason = operation.only
        if ids:
            reason = f"Nothing was changed: choose at most {MOST:,} at a time, by a filter."
        self._tell(request, operation, 0, rows.count(), reason)
        return None

    def _act(self, request: HttpRequest, operation: Operation, rows: QuerySet[Any]) -> None:
        shown = _shown_ids(request)
        chosen = operation.accept(rows) if shown is None else rows.filter(pk__in=shown)
        count = rows.count() if shown is None else len(shown)
        done = operation.act(rows.db, list(chosen.values_list("pk", flat=True)))
        meanwhile = "The others have changed since you were asked, or change at this moment."
        self._tell(request, operation, done, count, operation.only if shown is None else meanwhile)

    def _tell(
        self, request: HttpRequest, operation: Operation, done: int, count: int, reason: str
    ) -> None:
        text = f"{done:,} of {count:,} {operation.nouns[count != 1]} {operation.done}."
        if done < count:
            self.message_user(request, f"{text} {reason}", messages.WARNING)
        else:
            self.message_user(request, text, messages.SUCCESS)

    def _question(
        self,
        request: HttpRequest,
        operation: Operation,
        rows: QuerySet[Any],
        ids: list[Any],
        action: str,
    ) -> HttpResponse:
        chosen = rows.filter(pk__in=ids)
        taken = count_groups(chosen, operation.group_by)
        every = count_groups(rows, operation.group_by)
        left = {group: count - taken.get(group, 0) for group, count in every.items()}
        examples = chosen.order_by("pk")[:SHOWN]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{operation.ask(len(ids))}?",
            "operation": operation,
            "yes": f"Yes, {operation.ask(len(ids)).lower()}",
            "headings": [label_for_field(name, self.model) for name in operation.group_by],
            "taken": self._named(operation, taken),
            "left": self._named(operation, left),
            "warnings": list(operation.warn(chosen)),
            "examples": [(row, self._url("change", row.pk)) for row in examples],
            "more": max(0, len(ids) - SHOWN),
            "ids": ids,
            "action": action,
            "back": self._url("changelist") if action else self._url("change", ids[0]),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "aftercommit/admin/confirm.html", context)

    def _named(
        self, operation: Operation, groups: Mapping[tuple[Any, ...], int]
    ) -> list[tuple[list[Any], int]]:
        """Return the groups that have rows, with the values' names as the list shows them."""
        fields: list[Any] = [self.opts.get_field(name) for name in operation.group_by]
        names = [dict(field.flatchoices or ()) for field in fields]
        return [
            ([known.get(value, value) for known, value in zip(names, group, strict=True)], count)
            for group, count in groups.items()
            if count
        ]

    def _check_permission(self, request: HttpRequest) -> None:
        if not self.has_operate_permission(request):
            raise PermissionDenied

    def _buttons(self, request: HttpRequest, object_id: str) -> Iterator[tuple[str, str]]:
        if IS_POPUP_VAR in request.GET or not self.has_operate_permission(request):
            return
        rows = self._row(request, object_id)
        for name, operation in self.operations.items():
            if operation.accept(rows).exists():
                yield operation.label, self._url(name, object_id)

    def _row(self, request: HttpRequest, object_id: str) -> QuerySet[Model]:
        row = self.get_object(request, unquote(object_id))
        rows: QuerySet[Model] = self.get_queryset(request)
        return rows.none() if row is None else rows.filter(pk=row.pk)

    def _path(self, name: str) -> URLPattern:
        view = self.admin_site.admin_view(self.operate_view)
        route = f"<path:object_id>/{name}/"
        return path(route, view, {"name": name}, name=self._name(name))

    def _url(self, page: str, *args: Any) -> str:
        return reverse(f"{self.admin_site.name}:{self._name(page)}", args=args)

    def _name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"


def _shown_ids(request: HttpRequest) -> list[int] | None:
    """Return the ids that the question showed; None if it wasn't asked of these."""
    text = request.POST.get("ids")
    if text is None:
        return None
    if not IDS.fullmatch(text):
        raise BadRequest("ids: expected numbers with commas between them.")
    ids = map(int, text.split(",")[:MOST])
    return [each for each in ids if each <= BigIntegerField.MAX_BIGINT]
