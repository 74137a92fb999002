"""The wheel, an environment that has it, and a database for the project."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from core.stack.redis_server import RedisServer
from tests.integration.adoption.project import Project
from tests.integration.package import install

EXTRAS = {"sqlite": "redis", "postgres": "redis,postgresql", "mysql": "redis,mysql"}
"""For each ``--database``, what a user installs."""

NAME = "adopted"


@pytest.fixture(scope="package")
def python(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Path:
    """Return the Python of an environment with the wheel."""
    extras = EXTRAS[pytestconfig.getoption("database")]
    return install(wheel, extras, tmp_path_factory.mktemp("environment"))


@pytest.fixture
def broker() -> Iterator[RedisServer]:
    """Return a broker that the test may kill."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def database(transactional_db: None) -> Iterator[dict[str, Any]]:
    """Return a project's database: a file of its folder, or an empty one on the run's server."""
    if connection.vendor == "sqlite":
        yield {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}
        return
    charset = " CHARACTER SET utf8mb4" if connection.vendor == "mysql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {NAME}{charset}")
    names = ("HOST", "PORT", "USER", "PASSWORD")
    login = {name: connection.settings_dict[name] for name in names}
    yield {"ENGINE": f"django.db.backends.{connection.vendor}", "NAME": NAME, **login}
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {NAME}")


@pytest.fixture
def project(tmp_path: Path, python: Path, database: dict[str, Any], broker: RedisServer) -> Project:
    """Return a project that has not adopted the library."""
    return Project(tmp_path, python, database, broker.url)
