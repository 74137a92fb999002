"""The views that Django runs in a transaction, because of ATOMIC_REQUESTS."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db import connections
from django.urls import get_resolver

from aftercommit.adopt.facts import Class, Function
from aftercommit.adopt.project import Project


def atomic_views(project: Project) -> Iterator[Function]:
    """Yield the functions of the project that are views, or methods of views, in a transaction."""
    databases = [connections[alias] for alias in connections]
    aliases = {each.alias for each in databases if each.settings_dict["ATOMIC_REQUESTS"]}
    if not aliases or not getattr(settings, "ROOT_URLCONF", None):
        return
    for view in _views(get_resolver().url_patterns):
        if not aliases <= set(getattr(view, "_non_atomic_requests", ())):
            yield from _functions(project, view)


def _views(patterns: Iterable[Any]) -> Iterator[Any]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _views(pattern.url_patterns)
        else:
            yield pattern.callback


def _functions(project: Project, view: Any) -> Iterator[Function]:
    owner = getattr(view, "view_class", None) or getattr(view, "cls", None)  # Django's, DRF's
    if owner is None:
        view = inspect.unwrap(view)
    found = project.find(_name(owner or view))
    if isinstance(found, Function):
        yield found
    elif isinstance(found, Class):
        for each in project.lineage(found):
            if isinstance(each, Class):
                yield from project.methods(each)


def _name(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
