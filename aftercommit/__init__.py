"""Durable calls of Celery tasks: stored with the transaction, run by workers, each effect once.

The public names are below. Each is imported when it is first used. So settings can name
``aftercommit.db.postgresql``, and a Celery app ``task_cls="aftercommit.OutboxTask"``, before
Django has loaded its apps.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aftercommit.call import Call as Call
    from aftercommit.outbox.calling import call_on_commit as call_on_commit
    from aftercommit.outbox.calling import start_on_commit as start_on_commit
    from aftercommit.outbox.task import OutboxTask as OutboxTask
    from aftercommit.worker.drain import drain_all as drain_all
    from aftercommit.worker.revoke import revoke_calls as revoke_calls

__version__ = "0.5.0"

__all__ = [  # noqa: RUF022  # the task first, then what calls it, then what is done with calls
    "OutboxTask",
    "call_on_commit",
    "start_on_commit",
    "Call",
    "drain_all",
    "revoke_calls",
]

_MODULES = {
    "OutboxTask": "outbox.task",
    "call_on_commit": "outbox.calling",
    "start_on_commit": "outbox.calling",
    "Call": "call",
    "drain_all": "worker.drain",
    "revoke_calls": "worker.revoke",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the module's names, the public ones too."""
    return sorted({*globals(), *__all__})
