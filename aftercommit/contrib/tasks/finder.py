"""The finder of Django's tasks, for processes that may have no such tasks and no such package."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

MODULE = "aftercommit.contrib.tasks.backend"


class DjangoTasks:
    """The tasks of the library's backends in TASKS, if there are any."""

    def find(self, name: str) -> Any:
        """Return the Celery task that runs the task of this name. Return None without one.

        The name says which module is imported, so that it has to be one from the database.
        """
        if not _is_backend_used():
            return None
        from aftercommit.contrib.tasks.by_name import find_by_name  # needs Django's tasks

        return find_by_name(name)

    def register_all(self) -> None:
        """Register the Celery tasks of all tasks that this process has imported."""
        if _is_backend_used():
            from aftercommit.contrib.tasks.by_name import register_declared

            register_declared()


def _is_backend_used() -> bool:
    return any(map(_is_ours, _backends()))


def _backends() -> Iterator[str]:
    for params in (getattr(settings, "TASKS", None) or {}).values():
        yield params.get("BACKEND", "")


def _is_ours(path: str) -> bool:
    """Return whether a class of TASKS is the library's backend, or a subclass of it."""
    if path.startswith("django."):
        return False
    try:
        bases = getattr(import_string(path), "__mro__", ())
    except (ImportError, ImproperlyConfigured):
        return False  # whoever uses a task has the error
    return any(base.__module__ == MODULE for base in bases)
