"""Have Celery show its settings and its broker without passwords: to Flower, to ``inspect`` and
in reports.

Celery shows all of Django's settings. It hides one by its name, and the password of a URL in those
that are named ``broker_url`` or ``backend``. ``CELERY_BROKER_URL`` and ``CACHES`` are not.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from celery.app import utils
from celery.signals import worker_init

from aftercommit.url_passwords import MASK, hide_url_passwords

_names: Any = vars(utils)["HIDDEN_SETTINGS"]  # not in its stubs


def hide_passwords(shown: Any) -> Any:
    """Return the value without the secrets that a key of a mapping or a URL tells of."""
    match shown:
        case str():
            return hide_url_passwords(shown)
        case Mapping():
            return {key: _hide(key, value) for key, value in shown.items()}
        case list() | tuple():
            return [*map(hide_passwords, shown)]
    return shown


def _hide(key: Any, value: Any) -> Any:
    is_secret = isinstance(key, str) and _names.search(key)
    return MASK if is_secret and isinstance(value, str | bytes) else hide_passwords(value)


def hide_in_settings() -> None:
    """Hide passwords in the settings that any Celery app shows: ``inspect conf``, ``report``."""
    settings: Any = utils.Settings
    if not hasattr(settings.table, "__wrapped__"):
        settings.table = _without_passwords(settings.table)


def _without_passwords(table: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``Settings.table`` that hides more. ``censored=False`` shows all, as before."""

    @wraps(table)
    def shown(self: Any, with_defaults: bool = False, censored: bool = True) -> Any:
        values = table(self, with_defaults=with_defaults, censored=censored)
        return hide_passwords(values) if censored else values

    return shown


@worker_init.connect
def worker_init_hide_in_stats(**kwargs: Any) -> None:
    """Hide the passwords among the broker's options, which ``inspect stats`` shows."""
    from celery.worker.control import Panel  # it is imported in workers alone

    if not hasattr(Panel.data["stats"], "__wrapped__"):
        Panel.data["stats"] = _hiding(Panel.data["stats"])


def _hiding(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command of remote control with an answer that has no passwords."""

    @wraps(command)
    def shown(*args: Any, **kwargs: Any) -> Any:
        return hide_passwords(command(*args, **kwargs))

    return shown
