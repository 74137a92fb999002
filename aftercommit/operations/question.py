"""The page that asks whether to change rows, and what it sends back."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import BadRequest
from django.db.models import BigIntegerField, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from aftercommit.operations.operation import Operation, count_groups

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

MOST = 10_000
"""How many rows one request can change."""

SHOWN = 10
"""How many rows the page names one by one."""

IDS = re.compile(r"\d{1,19}(,\d{1,19})*", re.ASCII)


def question_page(
    model_admin: ModelAdmin,
    request: HttpRequest,
    operation: Operation,
    rows: QuerySet[Any],
    ids: list[Any],
    action: str = "",
) -> TemplateResponse:
    """Return the page that asks whether to change those of the rows that have the ids.

    ``action`` is the list's action that the page confirms, and empty for a button of a row's page.
    """
    chosen = rows.filter(pk__in=ids)
    question = operation.question_about(len(ids))
    context = {
        **model_admin.admin_site.each_context(request),
        **_groups(operation, rows, chosen),
        "opts": model_admin.opts,
        "title": f"{question}?",
        "yes": f"Yes, {question.lower()}",
        "operation": operation,
        "warnings": list(operation.warn(chosen)),
        "examples": [
            (row, page_url(model_admin, "change", row.pk)) for row in chosen.order_by("pk")[:SHOWN]
        ],
        "more": max(0, len(ids) - SHOWN),
        "ids": ids,
        "action": action,
        "back": page_url(model_admin, *(["changelist"] if action else ["change", ids[0]])),
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "aftercommit/admin/confirm.html", context)


def confirmed_ids(request: HttpRequest) -> list[int] | None:
    """Return the ids that the page showed. Return None if the request doesn't come from the page.

    Raises BadRequest if they are no numbers.
    """
    text = request.POST.get("ids")
    if text is None:
        return None
    if not IDS.fullmatch(text):
        raise BadRequest("ids: expected numbers with commas between them.")
    ids = map(int, text.split(",")[:MOST])
    return [each for each in ids if each <= BigIntegerField.MAX_BIGINT]


def page_url(model_admin: ModelAdmin, page: str, *args: Any) -> str:
    """Return the address of one of the model's pages in the admin."""
    return reverse(f"{model_admin.admin_site.name}:{page_name(model_admin, page)}", args=args)


def page_name(model_admin: ModelAdmin, page: str) -> str:
    """Return the name of the page's address."""
    return f"{model_admin.opts.app_label}_{model_admin.opts.model_name}_{page}"


def _groups(operation: Operation, rows: QuerySet[Any], chosen: QuerySet[Any]) -> dict[str, Any]:
    """Return the counts of the rows that will be changed, and of the rows that are left."""
    taken = count_groups(chosen, operation.group_by)
    every = count_groups(rows, operation.group_by)
    left = {group: count - taken.get(group, 0) for group, count in every.items()}
    return {
        "headings": [label_for_field(name, operation.model) for name in operation.group_by],
        "taken": _with_labels(operation, taken),
        "left": _with_labels(operation, left),
    }


def _with_labels(
    operation: Operation, groups: Mapping[tuple[Any, ...], int]
) -> list[tuple[list[Any], int]]:
    """Return the groups that have rows, with each value's label as the list shows it."""
    fields: list[Any] = [operation.model._meta.get_field(name) for name in operation.group_by]
    labels = [dict(field.flatchoices or ()) for field in fields]
    return [
        ([known.get(value, value) for known, value in zip(labels, group, strict=True)], count)
        for group, count in groups.items()
        if count
    ]
