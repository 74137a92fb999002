"""RabbitMQ instead of Redis as the broker, and the login apart from its address."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from django.core.exceptions import ImproperlyConfigured

from core.given_secrets import given_secret
from core.url_login import take_apart

EXPECTED = "Expected amqp://USER@HOST:PORT/VHOST, with the password in RABBITMQ_PASSWORD."


class RabbitMQLogin(NamedTuple):
    """Where RabbitMQ is, and who asks."""

    url: str
    """Without a login."""

    username: str = ""
    password: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self | None:
        """Return what the environment says, or None. Raises ImproperlyConfigured."""
        url, password = environ.get("RABBITMQ_URL"), given_secret(environ, "RABBITMQ_PASSWORD")
        if not url and password:
            raise ImproperlyConfigured(
                "RABBITMQ_PASSWORD is set, and RABBITMQ_URL is not. Set RABBITMQ_URL too, or leave "
                "RABBITMQ_PASSWORD out."
            )
        if not url:
            return None
        refusal = f"RABBITMQ_URL can't be read. {EXPECTED}"
        login = cls(*take_apart(url, ("amqp", "amqps"), refusal))
        if password and login.password:
            raise ImproperlyConfigured(
                "RABBITMQ_URL has a password, and RABBITMQ_PASSWORD gives one too. Leave one of "
                "them out."
            )
        return login._replace(password=password or login.password)
