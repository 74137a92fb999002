"""The defaults that let a worker outlive its broker, and the project's values before them."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, current_app
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES, pyamqp, redis

from aftercommit import defaults
from aftercommit.amqp import transport as amqp
from aftercommit.redis import options, transport

LIBRARY = {
    "broker_connection_max_retries": None,
    "broker_connection_retry_on_startup": True,
    "broker_channel_error_retry": True,
}


@pytest.fixture
def app() -> Iterator[Celery]:
    """Return an app that a project might make: neither current nor configured."""
    app = Celery("project", set_as_current=False, fixups=[])
    yield app
    app.close()


def values(app: Celery) -> dict[str, Any]:
    """Return the settings in force that the library has defaults of."""
    return {name: app.conf[name] for name in LIBRARY}


def configure(app: Celery, namespace: str, **given: Any) -> None:
    """Read the app's settings from an object, as ``django.conf:settings`` is read."""
    prefix = f"{namespace}_" if namespace else ""
    named = {f"{prefix}{name}".upper() if prefix else name: each for name, each in given.items()}
    app.config_from_object(SimpleNamespace(**named), namespace=namespace or None)
    app.finalize()


@pytest.mark.parametrize("namespace", ["CELERY", ""])
class TestCelery:
    """Celery's settings."""

    def test_nothing_given(self, app: Celery, namespace: str) -> None:
        """The library's defaults hold where the project has set nothing, or something else."""
        configure(app, namespace, task_ignore_result=True)
        assert values(app) == LIBRARY
        assert app.conf.task_ignore_result is True

    @pytest.mark.parametrize(
        "given",
        [
            {"broker_connection_max_retries": 7},
            {"broker_connection_max_retries": 0},
            {"broker_connection_retry_on_startup": False},
            {"broker_connection_retry_on_startup": None},
            {"broker_channel_error_retry": False},
            {"broker_channel_error_retry": None},
        ],
    )
    def test_project_goes_before(self, app: Celery, namespace: str, given: dict[str, Any]) -> None:
        """A value of the project holds, None too."""
        configure(app, namespace, **given)
        assert values(app) == LIBRARY | given

    def test_no_retries(self, app: Celery, namespace: str) -> None:
        """A project that wants no retries has none at the start either, as with Celery."""
        configure(app, namespace, broker_connection_retry=False)
        assert app.conf.broker_connection_retry_on_startup is False

    def test_read_before(self, app: Celery, namespace: str) -> None:
        """The defaults hold too in an app whose settings were read before it was finalized."""
        app.config_from_object(SimpleNamespace(), namespace=namespace or None)
        assert app.conf.broker_connection_max_retries == 100
        app.finalize()
        assert values(app) == LIBRARY

    def test_set_later(self, app: Celery, namespace: str) -> None:
        """A value that the project sets at run time holds."""
        configure(app, namespace)
        app.conf.broker_channel_error_retry = False
        assert app.conf.broker_channel_error_retry is False

    def test_old_names(self, app: Celery, namespace: str) -> None:
        """A project with Celery's old names has the defaults, and its values go before."""
        if not namespace:
            app.config_from_object(SimpleNamespace(BROKER_CONNECTION_MAX_RETRIES=7))
            app.finalize()
            assert values(app) == LIBRARY | {"broker_connection_max_retries": 7}

    def test_read_again(self, app: Celery, namespace: str) -> None:
        """Settings that are read again from elsewhere have the defaults again."""
        configure(app, namespace, broker_connection_max_retries=7)
        assert app.conf.broker_connection_max_retries == 7
        app.config_from_object(SimpleNamespace(), namespace=namespace or None, force=True)
        assert values(app) == LIBRARY


def test_other_apps_keep_celerys() -> None:
    """Celery's own table of defaults, from which each app has a copy, stays as it is."""
    from celery.app.defaults import DEFAULTS

    assert DEFAULTS["broker_connection_max_retries"] == 100


def transport_of(url: str, **options: Any) -> Any:
    """Return the transport of a connection that is not opened."""
    return Connection(url, **options).transport


def options_of(transport: Any) -> dict[str, Any]:
    """Return the options that the transport reads."""
    options: dict[str, Any] = transport.client.transport_options
    return options


class TestTransport:
    """The transports, and their options."""

    @pytest.mark.parametrize("url", ["redis://", "rediss://", "redis+socket:///redis.sock"])
    def test_redis(self, url: str) -> None:
        """Redis has the library's transport, under kombu's name, with limits of time."""
        found = transport_of(url)
        assert isinstance(found, transport.Transport)
        assert options_of(found) == options.OPTIONS

    def test_sentinel(self) -> None:
        """So has Redis by way of Sentinel."""
        found = transport_of("sentinel://", transport_options={"master_name": "primary"})
        assert isinstance(found, transport.SentinelTransport)
        assert options_of(found) == {**options.OPTIONS, "master_name": "primary"}

    def test_project_goes_before(self) -> None:
        """Each option of the project holds, None too; the others have their defaults."""
        given = {"socket_timeout": None, "visibility_timeout": 60}
        found = transport_of("redis://", transport_options=given)
        assert options_of(found) == {**options.OPTIONS, **given}
        assert given == {"socket_timeout": None, "visibility_timeout": 60}

    def test_reach_the_client(self) -> None:
        """The site, which sets none of them, connects with them."""
        with current_app.connection_for_write() as connection:
            channel: Any = connection.channel()
            params = channel.client.connection_pool.connection_kwargs
        assert {name: params[name] for name in options.OPTIONS} == options.OPTIONS

    def test_kombus_by_name(self) -> None:
        """A project that names kombu's transport has kombu's."""
        found = transport_of("redis://", transport="kombu.transport.redis:Transport")
        assert type(found) is redis.Transport
        assert options_of(found) == {}

    @pytest.mark.parametrize("url", ["amqp://", "pyamqp://"])
    def test_amqp(self, url: str) -> None:
        """RabbitMQ has the library's transport, under kombu's name, and no options of Redis."""
        found = transport_of(url)
        assert type(found) is amqp.Transport
        assert (found.driver_name, found.driver_type, options_of(found)) == ("py-amqp", "amqp", {})

    def test_amqps(self) -> None:
        """So has RabbitMQ by TLS."""
        found = transport_of("amqps://")
        assert type(found) is amqp.SSLTransport
        assert options_of(found) == {}

    def test_kombus_for_rabbitmq(self) -> None:
        """A project that names kombu's transport for RabbitMQ has kombu's."""
        found = transport_of("amqp://", transport="kombu.transport.pyamqp:Transport")
        assert type(found) is pyamqp.Transport

    def test_own_transport(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A transport that the project put under a name of kombu's stays there."""
        monkeypatch.setitem(TRANSPORT_ALIASES, "redis", "project.transport:Transport")
        defaults.install_defaults()
        assert TRANSPORT_ALIASES["redis"] == "project.transport:Transport"
