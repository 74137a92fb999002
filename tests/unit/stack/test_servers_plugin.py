"""The pytest plugin that starts the tests' own servers."""

import os
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from core.stack.redis_server import redis_answers
from core.stack.servers import ServerError
from tests.plugins import mysql_server, servers


class FakeConfig:
    """What the plugin uses of pytest's configuration: this run keeps its own."""

    def __init__(self) -> None:
        self.stash = pytest.Stash()
        self.known_args_namespace = Namespace(help=False, version=0, database="postgres")
        self.cleanups: list[Callable[[], None]] = []
        self.add_cleanup = self.cleanups.append


@pytest.fixture
def config() -> pytest.Config:
    """The configuration of another run."""
    return cast(pytest.Config, FakeConfig())


def test_what_it_starts_ends_with_the_run(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers, a folder and a file database in it; then none of them."""
    monkeypatch.delenv("TEST_REDIS_URL", raising=False)
    with ExitStack() as stack:
        environment = servers.environment(config, stack, "sqlite")
        folder = Path(environment["VAR_DIR"])
        assert folder.is_dir()
        assert environment["DATABASE_URL"] == f"sqlite:///{folder}/db.sqlite3"
        assert redis_answers(environment["REDIS_URL"])
    assert not folder.exists()
    assert not redis_answers(environment["REDIS_URL"])


def test_named_servers_are_used_as_they_are(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is started beside them."""
    monkeypatch.setenv("TEST_REDIS_URL", "redis://redis.example.com/0")
    monkeypatch.setenv("TEST_DATABASE_URL", "postgres://db.example.com/name")
    with ExitStack() as stack:
        environment = servers.environment(config, stack, "postgres")
    assert environment["REDIS_URL"] == "redis://redis.example.com/0"
    assert environment["DATABASE_URL"] == "postgres://db.example.com/name"


def test_a_named_mysql_server_is_used_as_it_is(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a variable of its own, so that one run can test on both."""
    monkeypatch.setenv("TEST_REDIS_URL", "redis://redis.example.com/0")
    monkeypatch.setenv("TEST_MYSQL_URL", "mysql://db.example.com/name")
    with ExitStack() as stack:
        environment = servers.environment(config, stack, "mysql")
    assert environment["DATABASE_URL"] == "mysql://db.example.com/name"


def test_fail_without_a_mysql_server(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to install, or which variable names one."""
    monkeypatch.setenv("TEST_REDIS_URL", "redis://redis.example.com/0")
    monkeypatch.delenv("TEST_MYSQL_URL", raising=False)
    monkeypatch.setattr(mysql_server, "SEARCHED", "")
    with ExitStack() as stack, pytest.raises(ServerError, match=r"Install .*TEST_MYSQL_URL"):
        servers.environment(config, stack, "mysql")


def test_fail_when_a_server_cannot_be_started(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with the reason; no test is skipped for it."""

    def broken() -> None:
        raise ServerError("No PostgreSQL server was found.")

    monkeypatch.setattr(servers, "PostgresServer", lambda fsync: broken())
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    monkeypatch.delenv("TEST_REDIS_URL", raising=False)
    with pytest.raises(pytest.UsageError, match="No PostgreSQL server was found"):
        next(servers.pytest_load_initial_conftests(config))
    [close] = cast(FakeConfig, config).cleanups
    close()
    assert not redis_answers(config.stash[servers.OWN_REDIS].url)


def test_processes_see_the_database_of_the_test(
    db: None, process_environment: dict[str, str]
) -> None:
    """The one that Django made for the tests, and not the one that the settings name."""
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    assert process_environment["DATABASE_URL"].endswith(name)
    assert process_environment["DATABASE_URL"] != os.environ["DATABASE_URL"]
