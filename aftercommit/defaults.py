"""The defaults that let a worker outlive its broker, where the project has set nothing itself.

A value of the project always holds, None too. Set Celery's own value to be without a default of
the library. The options of the Redis connections are in ``redis/options.py``, those of the
PostgreSQL connections in ``db/postgresql/base.py``.
"""

from collections.abc import Mapping
from typing import Any

from celery import _state
from kombu.transport import TRANSPORT_ALIASES

TRANSPORTS = {
    "amqp": ("kombu.transport.pyamqp:Transport", "aftercommit.amqp.transport:Transport"),
    "amqps": ("kombu.transport.pyamqp:SSLTransport", "aftercommit.amqp.transport:SSLTransport"),
    "pyamqp": ("kombu.transport.pyamqp:Transport", "aftercommit.amqp.transport:Transport"),
    "redis": ("kombu.transport.redis:Transport", "aftercommit.redis.transport:Transport"),
    "rediss": ("kombu.transport.redis:Transport", "aftercommit.redis.transport:Transport"),
    "sentinel": (
        "kombu.transport.redis:SentinelTransport",
        "aftercommit.redis.transport:SentinelTransport",
    ),
}
"""For each of kombu's names, its own transport and the library's."""


def celery_defaults(conf: Any) -> Mapping[str, Any]:
    """Return the library's defaults of Celery's settings, for an app with these settings."""
    return {
        # Celery gives up after 100 tries, which takes less than an hour.
        "broker_connection_max_retries": None,
        # With its own default Celery warns, and does the same.
        "broker_connection_retry_on_startup": conf.broker_connection_retry,
        # A Redis that turns read-only (a failover) answers with an error, which ends a worker.
        "broker_channel_error_retry": True,
    }


def install_defaults() -> None:
    """Give the defaults to every Celery app that there is or will be.

    The transports keep kombu's own names, which logs, banners and Flower show. A project that wants
    kombu's sets CELERY_BROKER_TRANSPORT to "kombu.transport.redis:Transport".
    """
    for name, (theirs, ours) in TRANSPORTS.items():
        if TRANSPORT_ALIASES.get(name) == theirs:
            TRANSPORT_ALIASES[name] = ours
    state: Any = _state  # not in Celery's stubs
    state.connect_on_app_finalize(_prepare)
    for app in list(state._get_active_apps()):
        _prepare(app)


def _prepare(app: Any) -> None:
    """Give the app the defaults as soon as its settings are read, which may be now."""
    app.on_after_configure.connect(_set_defaults)
    if app.configured:
        _set_defaults(app, app.conf)


def _set_defaults(sender: Any, source: Any, **kwargs: Any) -> None:
    """Change the app's copy of Celery's defaults, which all settings of the project go before.

    ``app.add_defaults()`` would not do: its values go before those of ``config_from_object()``.
    """
    source.maps[-1].update(celery_defaults(source))
