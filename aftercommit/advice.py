"""System checks at the level INFO: name what is optional, and the defaults in force.

What is optional is one message, since Django shows it with every command until it is silenced.
"""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.checks import CheckMessage, Info, register
from django.db import connections
from django.urls import get_resolver
from django.utils.module_loading import import_string

from aftercommit import views
from aftercommit.conf import TAG, conf
from aftercommit.context import ContextMiddleware
from aftercommit.defaults import celery_defaults
from aftercommit.redis.cache import integer_cache
from aftercommit.redis.options import OPTIONS, DefaultOptions


@register(TAG)
def advise(**kwargs: Any) -> list[CheckMessage]:
    """Return one message with all that is optional and not in use, if there is anything."""
    advice = [*_of_cache(), *_of_context(), *_of_health(), *_of_transactions(), *_of_time_limit()]
    if not advice:
        return []
    return [
        Info(
            "\n\t- ".join(["Optional with aftercommit, and what each would bring:", *advice]),
            hint="If you need nothing of it, set SILENCED_SYSTEM_CHECKS = ['aftercommit.I020'].",
            id="aftercommit.I020",
        )
    ]


@register(TAG, deploy=True)
def show_defaults(**kwargs: Any) -> list[CheckMessage]:
    """Return a message with the defaults of the library that are in force."""
    defaults = ", ".join(_defaults_in_force())
    if not defaults:
        return []
    return [
        Info(
            f"These defaults of aftercommit are in force: {defaults}.",
            hint="Set any of them to a value of your own, and your value holds. With "
            "CELERY_BROKER_TRANSPORT = 'kombu.transport.redis:Transport' you have kombu's "
            "transport and its options.",
            id="aftercommit.I030",
        )
    ]


def _of_cache() -> Iterator[str]:
    alias = conf().CACHE
    if alias in settings.CACHES and not integer_cache(alias):
        yield (
            "'aftercommit.redis.cache.RedisCache' in CACHES, under the alias that OUTBOX_CACHE "
            "names: all processes share one wake-up for each task, and send fewer."
        )


def _of_context() -> Iterator[str]:
    if not any(map(_is_context, settings.MIDDLEWARE)):
        yield (
            "'aftercommit.context.ContextMiddleware' in MIDDLEWARE, after "
            "AuthenticationMiddleware: the outbox and the worker's log name who made a call."
        )


def _of_health() -> Iterator[str]:
    wanted = inspect.unwrap(views.ready)
    if not any(inspect.unwrap(view) is wanted for view in _routed_views()):
        yield (
            "path('readyz', aftercommit.views.ready) in your URLs: a monitor learns when calls are "
            "not worked off in time."
        )


def _of_transactions() -> Iterator[str]:
    for alias in connections:
        if getattr(connections[alias], "begins_as_reader", False):
            yield (
                f"'transaction_mode': 'IMMEDIATE' and 'timeout': 20 in OPTIONS of {alias!r}: a "
                "transaction waits for a worker that writes, and doesn't fail as 'locked'."
            )


def _of_time_limit() -> Iterator[str]:
    if not current_app.conf.task_time_limit:
        yield (
            "CELERY_TASK_TIME_LIMIT = 180, say: a call that never returns doesn't hold its worker "
            "process for ever."
        )


def _is_context(path: str) -> bool:
    try:
        found = import_string(path)
    except ImportError:
        return False  # Django names it as soon as it serves a request
    return isinstance(found, type) and issubclass(found, ContextMiddleware)


def _routed_views() -> Iterator[Any]:
    if getattr(settings, "ROOT_URLCONF", None):
        yield from _views_of(get_resolver().url_patterns)


def _views_of(patterns: Iterable[Any]) -> Iterator[Any]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _views_of(pattern.url_patterns)
        else:
            yield pattern.callback


def _defaults_in_force() -> Iterator[str]:
    app: Any = current_app
    for name, value in celery_defaults(app.conf).items():
        if app.conf[name] == value:
            yield f"{_as_written(app, name)} = {value!r}"
    for name, value in _transport_options(app).items():
        if OPTIONS.get(name) == value:
            yield f"{_as_written(app, 'broker_transport_options')}[{name!r}] = {value!r}"
    for alias in connections:
        connection: Any = connections[alias]
        for name, value in getattr(connection, "default_parameters", {}).items():
            if connection.get_connection_params().get(name) == value:
                yield f"DATABASES[{alias!r}]['OPTIONS'][{name!r}] = {value!r}"


def _as_written(app: Any, name: str) -> str:
    """Return the name of Celery's setting as the project writes it."""
    return f"{app.namespace}_{name}".upper() if app.namespace else name


def _transport_options(app: Any) -> dict[str, Any]:
    """Return the options of the broker's transport if it is one of the library's."""
    try:
        transport: Any = app.connection_for_write().transport
    except (AttributeError, ImportError):  # kombu without ``redis`` raises the first
        return {}  # the broker's package is not installed, as a worker says when it starts
    return transport.client.transport_options if issubclass(type(transport), DefaultOptions) else {}
