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
from tests.plugins import servers
from tests.plugins.preflight import DONE


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


def start(
    config: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
    preflight: bool = False,
    **options: object,
) -> dict[str, str]:
    """Run the plugin's hook with the options, and return what the settings would read."""
    for name in ("VAR_DIR", "REDIS_URL", "DATABASE_URL"):
        monkeypatch.setenv(name, os.environ[name])  # what the hook sets ends with the test
    named = ("TEST_REDIS_URL", "TEST_DATABASE_URL", "TEST_MYSQL_URL")
    for name in (*named, "PYTEST_XDIST_WORKER", *([] if preflight else [DONE])):
        monkeypatch.delenv(name, raising=False)
    config.known_args_namespace.__dict__.update(options)
    next(servers.pytest_load_initial_conftests(config))
    return dict(os.environ)


def end(config: pytest.Config) -> None:
    """End the run, as pytest does."""
    for close in reversed(cast(FakeConfig, config).cleanups):
        close()


def broken(*_args: object, **_options: object) -> None:
    """What a server's class does where there is none."""
    raise ServerError("There is no server.")


def test_what_it_starts_ends_with_the_run(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers, a folder and a file database in it; then none of them."""
    environment = start(config, monkeypatch, database="sqlite")
    folder = Path(environment["VAR_DIR"])
    assert folder.is_dir()
    assert environment["DATABASE_URL"] == f"sqlite:///{folder}/db.sqlite3"
    assert redis_answers(environment["REDIS_URL"])
    end(config)
    assert not folder.exists()
    assert not redis_answers(environment["REDIS_URL"])


class TestParallel:
    """Tests in several processes (pytest-xdist)."""

    def test_fail_before_tests_are_handed_out(
        self, config: pytest.Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The process that hands out tests says what can't be started; none of the others does."""
        monkeypatch.setattr(servers, "MySQLServer", broken)
        with pytest.raises(pytest.UsageError, match="There is no server"):
            start(config, monkeypatch, database="mysql", numprocesses=2)
        end(config)

    def test_starts_none_twice(
        self, config: pytest.Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It starts no server of a database if another process has seen that it can be started."""
        monkeypatch.setattr(servers, "MySQLServer", broken)
        monkeypatch.setenv(DONE, "1")
        start(config, monkeypatch, preflight=True, database="mysql", numprocesses=2)
        end(config)

    @pytest.mark.parametrize(("process", "expected"), [("", "/1"), ("gw0", "/1"), ("gw3", "/4")])
    def test_share_a_named_redis(
        self, monkeypatch: pytest.MonkeyPatch, process: str, expected: str
    ) -> None:
        """Each process has a database of its own, beginning at the one that was named."""
        monkeypatch.setenv("TEST_REDIS_URL", "redis://redis.example.com/1")
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
        if process:
            monkeypatch.setenv("PYTEST_XDIST_WORKER", process)
        with ExitStack() as stack:
            url = servers.redis_url(cast(pytest.Config, FakeConfig()), stack)
        assert url == f"redis://redis.example.com{expected}"

    def test_hands_out_tests(self, config: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its servers answered, and have ended: nobody would use them."""
        environment = start(config, monkeypatch, database="sqlite", numprocesses="auto")
        assert Path(environment["VAR_DIR"]).is_dir()
        assert not redis_answers(environment["REDIS_URL"])
        end(config)
        assert not Path(environment["VAR_DIR"]).exists()


def test_named_servers_are_used_as_they_are(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is started beside them."""
    monkeypatch.setenv("TEST_REDIS_URL", "redis://redis.example.com/0")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("TEST_DATABASE_URL", "postgres://db.example.com/name")
    with ExitStack() as stack:
        environment = servers.environment(config, stack, "postgres", tmp_path)
    assert environment["REDIS_URL"] == "redis://redis.example.com/0"
    assert environment["DATABASE_URL"] == "postgres://db.example.com/name"


def test_a_named_mysql_server_is_used_as_it_is(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It has a variable of its own, so that one run can test on both."""
    monkeypatch.setenv("TEST_REDIS_URL", "redis://redis.example.com/0")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("TEST_MYSQL_URL", "mysql://db.example.com/name")
    with ExitStack() as stack:
        environment = servers.environment(config, stack, "mysql", tmp_path)
    assert environment["DATABASE_URL"] == "mysql://db.example.com/name"


def test_fail_when_a_server_cannot_be_started(
    config: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with the reason; no test is skipped for it."""

    monkeypatch.setattr(servers, "PostgresServer", broken)
    with pytest.raises(pytest.UsageError, match="There is no server"):
        start(config, monkeypatch, database="postgres")
    end(config)
    assert not redis_answers(config.stash[servers.OWN_REDIS].url)


def test_processes_see_the_database_of_the_test(
    db: None, process_environment: dict[str, str]
) -> None:
    """The one that Django made for the tests, and not the one that the settings name."""
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    assert process_environment["DATABASE_URL"].endswith(name)
    assert process_environment["DATABASE_URL"] != os.environ["DATABASE_URL"]
