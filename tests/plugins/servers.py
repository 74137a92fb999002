"""The servers that the tests run against, started before Django reads its settings.

``--database=sqlite`` (the default), ``postgres`` or ``mysql``. A Redis-compatible server is always
started, a PostgreSQL or MySQL server when it is chosen, unless ``TEST_REDIS_URL``,
``TEST_DATABASE_URL`` or ``TEST_MYSQL_URL`` name one; a server that can't be started ends the run
with the reason. All ends with the run.

With ``-n`` (pytest-xdist) each process that runs tests has servers of its own, which its tests may
stop and freeze. The process that hands out the tests starts each server once, to see that it can,
unless ``python -m tests`` has seen it already.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from core.stack.redis_server import RedisServer
from core.stack.secret_file import kept_secret
from core.stack.servers import ServerError
from tests.plugins.preflight import DONE
from tests.tools.servers.mysql import MySQLServer
from tests.tools.servers.postgres import PostgresServer

DATABASES = ("sqlite", "postgres", "mysql")

OWN_REDIS = pytest.StashKey[RedisServer]()
"""The Redis-compatible server of the run, for tests that stop it; unset when one was named."""

OWN_POSTGRES = pytest.StashKey[PostgresServer]()
"""The PostgreSQL server of the run, likewise; unset on another database too."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--database``."""
    parser.addoption(
        "--database",
        choices=DATABASES,
        default=DATABASES[0],
        help="the database that the tests run on (default: %(default)s)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start the servers and name them in the environment, which the settings are read from.

    A wrapper, since pytest-django loads the settings in the same hook, before all that aren't.
    """
    options = early_config.known_args_namespace
    if not (options.help or options.version):
        folder = own_folder(early_config)
        servers = ExitStack()
        early_config.add_cleanup(servers.close)
        # The process that hands out tests uses no database.
        spared = hands_out_tests(early_config) and DONE in os.environ
        database = DATABASES[0] if spared else options.database
        try:
            os.environ.update(environment(early_config, servers, database, folder))
        except ServerError as error:
            raise pytest.UsageError(str(error)) from error
        if hands_out_tests(early_config):
            servers.close()
    yield


def hands_out_tests(config: pytest.Config) -> bool:
    """Return whether other processes run the tests, and this one only hands them out."""
    processes = getattr(config.known_args_namespace, "numprocesses", None)
    return bool(processes) and "PYTEST_XDIST_WORKER" not in os.environ


def own_folder(config: pytest.Config) -> Path:
    """Return a folder that is there until the run ends. It keeps a key, as that of a site does."""
    folder = Path(tempfile.mkdtemp(prefix="tests-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    kept_secret(folder / "secret_key")
    return folder


def environment(
    config: pytest.Config, servers: ExitStack, database: str, folder: Path
) -> dict[str, str]:
    """Return what the settings are to read. Its servers run until ``servers`` is closed."""
    return {
        "VAR_DIR": str(folder),
        "THROTTLES": "off",  # a test is faster than a person; those of limits set their own
        "REDIS_URL": redis_url(config, servers),
        "DATABASE_URL": database_url(config, servers, database, folder),
    }


def redis_url(config: pytest.Config, servers: ExitStack) -> str:
    """Return the address of the server that the environment names, or of one of our own."""
    if given := os.environ.get("TEST_REDIS_URL"):
        return number_of_process(given)
    config.stash[OWN_REDIS] = servers.enter_context(RedisServer())
    return config.stash[OWN_REDIS].url


def number_of_process(redis: str) -> str:
    """Return the address with another of the server's databases for each process of the run."""
    url = urlsplit(redis)
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return url._replace(path=f"/{int(url.path.strip('/') or 0) + process}").geturl()


def database_url(config: pytest.Config, servers: ExitStack, database: str, folder: Path) -> str:
    """Return a file's address, or that of the server that the environment names or of our own."""
    if database == "sqlite":
        return f"sqlite:///{folder / 'db.sqlite3'}"
    if database == "mysql":
        return os.environ.get("TEST_MYSQL_URL") or servers.enter_context(MySQLServer()).url
    if given := os.environ.get("TEST_DATABASE_URL"):
        return given
    config.stash[OWN_POSTGRES] = servers.enter_context(PostgresServer(fsync=False))
    return config.stash[OWN_POSTGRES].url


@pytest.fixture
def process_environment() -> dict[str, str]:
    """Return the environment for a process that is to see the test's own database."""
    return {**os.environ, "DATABASE_URL": current_database_url()}


def current_database_url() -> str:
    """Return the address of the database that Django made for the tests."""
    from django.db import connection

    config = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{config['NAME']}"
    login = f"{quote(config['USER'])}:{quote(config['PASSWORD'])}"
    scheme = "mysql" if connection.vendor == "mysql" else "postgres"
    return f"{scheme}://{login}@{config['HOST']}:{config['PORT']}/{config['NAME']}"
