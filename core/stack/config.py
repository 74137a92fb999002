"""The configuration of one run: its data folder, its ports and other people's servers."""

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from django.core.exceptions import ImproperlyConfigured

from core.flower.login import given_login
from core.given_secrets import given_secret
from core.redis_login import RedisLogin
from core.stack.ports import LOOPBACK, free_port, is_free

ROOT = Path(__file__).resolve().parents[2]


INHERITED = {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TMPDIR"}
"""The variables that a throw-away run keeps, and a server that needs no secret."""


YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class ConfigError(Exception):
    """The environment asks for something impossible. The message says what to do about it."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that differs between one run and another.

    Empty ``database_url``, ``redis_url`` and ``email_host`` stand for the embedded ones: SQLite, a
    Redis-compatible server and a mail catcher, all in ``var_dir``.
    """

    var_dir: Path
    web_port: int
    flower_port: int
    redis_port: int
    email_port: int
    web_host: str = LOOPBACK
    database_url: str = field(default="", repr=False)
    database_password: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    """With the login."""
    redis_password: str = field(default="", repr=False)
    """The embedded Redis server's password. Other users of this machine can reach its port too."""
    flower_redis_password: str = field(default="", repr=False)
    """The password of Flower's own user there."""
    email_host: str = ""
    secret_key: str = field(default="", repr=False)
    flower_login: str = field(default="", repr=False)
    """``name:password``. Empty for a login that is made up and kept in ``var_dir``."""
    concurrency: int = 2
    stop_timeout: float = 60
    """Seconds that the worker's running tasks have to finish when the stack stops."""
    demo_data: bool = True
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Return what ``make run`` uses. Raises ConfigError if a variable makes no sense."""
        try:
            given = given_logins(environ)
        except ImproperlyConfigured as error:
            raise ConfigError(str(error)) from None
        return cls(
            var_dir=Path(environ.get("VAR_DIR") or ROOT / "var").resolve(),
            web_port=number(environ, "WEB_PORT", 8000),
            flower_port=number(environ, "FLOWER_PORT", 5555),
            redis_port=number(environ, "REDIS_PORT", 0) or preferred(6379),
            email_port=number(environ, "EMAIL_PORT", 0) or preferred(1025),
            web_host=environ.get("WEB_HOST") or LOOPBACK,
            email_host=environ.get("EMAIL_HOST", ""),
            concurrency=number(environ, "WORKER_CONCURRENCY", 2),
            stop_timeout=number(environ, "STOP_TIMEOUT", 60, highest=86_400),
            demo_data=wants_demo_data(environ),
            environ=dict(environ),
            **given,
        )

    @classmethod
    def throw_away(cls, var_dir: Path, database_url: str = "", demo_data: bool = True) -> Self:
        """Return a run beside any other: free ports, its own data, nothing from the environment."""
        return cls(
            var_dir=var_dir,
            web_port=free_port(),
            flower_port=free_port(),
            redis_port=free_port(),
            email_port=free_port(),
            database_url=database_url,
            demo_data=demo_data,
            environ={name: value for name, value in os.environ.items() if name in INHERITED},
        )

    @property
    def site_url(self) -> str:
        """Return the site's address, as a person on this machine reaches it."""
        host = LOOPBACK if self.web_host in ("0.0.0.0", "::") else self.web_host  # noqa: S104
        return f"http://{host}:{self.web_port}"

    @property
    def flower_url(self) -> str:
        """Return Flower's address."""
        return f"http://{LOOPBACK}:{self.flower_port}"

    @property
    def broker_url(self) -> str:
        """Return the address of this run's Redis, embedded or not."""
        return self.redis_url or self.embedded_redis("", self.redis_password).full_url

    def embedded_redis(self, user: str, password: str) -> RedisLogin:
        """Return a login of the embedded Redis."""
        return RedisLogin(f"redis://{LOOPBACK}:{self.redis_port}/0", user, password)

    @property
    def embedded_database(self) -> Path:
        """Return the file of the embedded database."""
        return self.var_dir / "db.sqlite3"

    @property
    def mail_directory(self) -> Path:
        """Return the folder for the mails that the catcher takes."""
        return self.var_dir / "mail"

    @property
    def worker_name(self) -> str:
        """Return the worker's name in Celery."""
        return f"worker@{socket.gethostname()}"

    @property
    def beat_name(self) -> str:
        """Return beat's name in Celery."""
        return f"celerybeat@{socket.gethostname()}"


def given_logins(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets and what they are for, by the names of the fields.

    Raises ImproperlyConfigured if one is given twice, or can't be read.
    """
    redis = RedisLogin.read(environ, RedisLogin(""))
    if environ.get("RABBITMQ_URL"):
        raise ImproperlyConfigured(
            "RABBITMQ_URL is set, and make run has Redis as its broker. Leave RABBITMQ_URL out. "
            "docker-compose.rabbitmq.yml runs the system with RabbitMQ."
        )
    if redis.password and not redis.url:
        raise ImproperlyConfigured(
            "REDIS_PASSWORD is set, and REDIS_URL is not. The embedded server makes up a password "
            "of its own. Set REDIS_URL too, or leave REDIS_PASSWORD out."
        )
    return {
        "redis_url": redis.full_url,
        "database_url": environ.get("DATABASE_URL", ""),
        "database_password": given_secret(environ, "DATABASE_PASSWORD"),
        "secret_key": given_secret(environ, "SECRET_KEY"),
        "flower_login": given_login(environ),
    }


def wants_demo_data(environ: Mapping[str, str]) -> bool:
    """Return whether this run has the demo's users and articles.

    Only an embedded database on this machine alone has them: one of the users is a superuser.
    Raises ConfigError if ``DEMO_DATA`` asks for them elsewhere, or is neither yes nor no.
    """
    given = environ.get("DEMO_DATA", "").strip().lower()
    if given not in ("", *YES, *NO):
        raise ConfigError(
            f"DEMO_DATA={given!r} is not a yes or no. Set DEMO_DATA=1 or DEMO_DATA=0."
        )
    obstacle = demo_obstacle(environ)
    if given in YES and obstacle:
        raise ConfigError(
            f"DEMO_DATA={given} is for the embedded database on this machine alone, and "
            f"{obstacle}. Leave DEMO_DATA out; `manage.py demo_data` puts the demo's users, one of "
            "them a superuser, into any database."
        )
    return given not in NO and not obstacle


def demo_obstacle(environ: Mapping[str, str]) -> str:
    """Return why this run can't have demo data, or "" if it can."""
    if environ.get("DATABASE_URL"):
        return "DATABASE_URL names another"
    host = environ.get("WEB_HOST") or LOOPBACK
    return "" if is_loopback(host) else f"WEB_HOST={host} lets others in"


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server on that address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def number(environ: Mapping[str, str], name: str, default: int, highest: int = 65_535) -> int:
    """Return the variable as a whole number from 1. Raises ConfigError for anything else."""
    value = environ.get(name, "")
    if not value:
        return default
    if not value.isdecimal() or not 1 <= int(value) <= highest:
        raise ConfigError(f"{name}={value!r} is not a number from 1 to {highest}. Correct it.")
    return int(value)


def preferred(port: int) -> int:
    """Return the usual port of an embedded server, or a free one if that is taken."""
    return port if is_free(port) else free_port()
