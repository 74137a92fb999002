"""The configuration of one run: its data folder, its ports and other people's servers."""

import ipaddress
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from core.stack.ports import LOOPBACK, free_port, is_free

ROOT = Path(__file__).resolve().parents[2]


INHERITED = {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TMPDIR"}
"""The variables of the environment that a throw-away run keeps. It must not depend on others."""


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
    database_url: str = ""
    redis_url: str = ""
    redis_password: str = field(default="", repr=False)
    """The embedded Redis server's password. Other users of this machine can reach its port too."""
    email_host: str = ""
    secret_key: str = ""
    flower_login: str = ""
    """``name:password``. Empty for a login that is made up and kept in ``var_dir``."""
    concurrency: int = 2
    stop_timeout: float = 60
    """Seconds that the worker's running tasks have to finish when the stack stops."""
    demo_data: bool = True
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Return what ``make run`` uses. Raises ConfigError if a variable makes no sense."""
        return cls(
            var_dir=Path(environ.get("VAR_DIR") or ROOT / "var").resolve(),
            web_port=number(environ, "WEB_PORT", 8000),
            flower_port=number(environ, "FLOWER_PORT", 5555),
            redis_port=number(environ, "REDIS_PORT", 0) or preferred(6379),
            email_port=number(environ, "EMAIL_PORT", 0) or preferred(1025),
            web_host=environ.get("WEB_HOST") or LOOPBACK,
            database_url=environ.get("DATABASE_URL", ""),
            redis_url=environ.get("REDIS_URL", ""),
            email_host=environ.get("EMAIL_HOST", ""),
            secret_key=environ.get("SECRET_KEY", ""),
            flower_login=environ.get("FLOWER_BASIC_AUTH", ""),
            concurrency=number(environ, "WORKER_CONCURRENCY", 2),
            stop_timeout=number(environ, "STOP_TIMEOUT", 60, highest=86_400),
            demo_data=wants_demo_data(environ),
            environ=dict(environ),
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
        login = f":{self.redis_password}@" if self.redis_password else ""
        return self.redis_url or f"redis://{login}{LOOPBACK}:{self.redis_port}/0"

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

    def process_environment(self, secret_key: str, flower_login: str) -> dict[str, str]:
        """Return the environment of every process of this run."""
        ours = {
            "DJANGO_SETTINGS_MODULE": "core.settings",
            "PYTHONUNBUFFERED": "1",
            "PATH": f"{Path(sys.executable).parent}:{self.environ.get('PATH', os.defpath)}",
            "VAR_DIR": str(self.var_dir),
            "SECRET_KEY": secret_key,
            "REDIS_URL": self.broker_url,
            "DATABASE_URL": self.database_url,
            "SITE_URL": self.environ.get("SITE_URL") or self.site_url,
            "FLOWER_BASIC_AUTH": flower_login,
        }
        if not self.email_host:
            ours |= {"EMAIL_HOST": LOOPBACK, "EMAIL_PORT": str(self.email_port)}
        return {**self.environ, **ours}


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
