"""System checks at the level INFO: name what is optional, and what it would bring.

Each message has an id of its own, which SILENCED_SYSTEM_CHECKS can name.
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
from aftercommit.checks import TAG
from aftercommit.context import ContextMiddleware
from aftercommit.defaults import celery_defaults
from aftercommit.redis.transport import OPTIONS, DefaultOptions


@register(TAG)
def advise_context(**kwargs: Any) -> list[CheckMessage]:
    """Return a message if calls don't know who made them."""
    if any(map(_is_context, settings.MIDDLEWARE)):
        return []
    return [
        Info(
            "Calls don't carry who made them, from where and in which request.",
            hint="Add 'aftercommit.context.ContextMiddleware' to MIDDLEWARE, after Django's "
            "AuthenticationMiddleware. The outbox and the worker's log then name the user.",
            id="aftercommit.I021",
        )
    ]


@register(TAG)
def advise_health(**kwargs: Any) -> list[CheckMessage]:
    """Return a message if no address of the site tells how the outbox stands."""
    wanted = inspect.unwrap(views.ready)
    if any(inspect.unwrap(view) is wanted for view in _routed_views()):
        return []
    return [
        Info(
            "No address of the site tells a monitor how the outbox stands.",
            hint="Add path('readyz', aftercommit.views.ready) to your URLs: it answers 503 when "
            "calls are not worked off in time. 'manage.py outbox health' tells the same.",
            id="aftercommit.I022",
        )
    ]


@register(TAG)
def advise_transactions(**kwargs: Any) -> list[CheckMessage]:
    """Return a message for each database whose transactions can fail when they turn to writing."""
    return [
        Info(
            f"A transaction of database {alias!r} that reads first fails with 'database is locked' "
            "if a worker writes before it does.",
            hint="Set 'transaction_mode': 'IMMEDIATE' and 'timeout': 20 in its OPTIONS, so that it "
            "waits for its turn instead.",
            id="aftercommit.I023",
        )
        for alias in connections
        if getattr(connections[alias], "begins_as_reader", False)
    ]


@register(TAG)
def advise_time_limit(**kwargs: Any) -> list[CheckMessage]:
    """Return a message if a call that never returns can hold its worker process for ever."""
    if current_app.conf.task_time_limit:
        return []
    return [
        Info(
            "Celery's task_time_limit is not set: a call that never returns holds its worker "
            "process for ever.",
            hint="Set CELERY_TASK_TIME_LIMIT = 180, say. Its process is then killed and replaced, "
            "and a call that hangs three times becomes a dead letter.",
            id="aftercommit.I024",
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
    except ImportError:
        return {}  # the broker's package is not installed, as a worker says when it starts
    return transport.client.transport_options if issubclass(type(transport), DefaultOptions) else {}
