"""A durable backend for Django's tasks: ``django.tasks``, or ``django_tasks`` before Django 6.

    TASKS = {"default": {"BACKEND": "aftercommit.contrib.tasks.OutboxBackend"}}

The backend needs no app of its own. With ``"aftercommit.contrib.tasks"`` in INSTALLED_APPS the
results of tasks are kept.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aftercommit.contrib.tasks.backend import OutboxBackend as OutboxBackend

__all__ = ["OutboxBackend"]


def __getattr__(name: str) -> Any:
    """Import the backend when TASKS asks for it, since an app is imported before all models."""
    if name != "OutboxBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.backend").OutboxBackend
