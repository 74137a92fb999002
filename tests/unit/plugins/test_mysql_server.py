"""A MariaDB server of the machine that is missing, or is there and can't be started."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.stack.servers import ServerError
from tests.plugins import preflight, servers
from tests.tools.servers import browser, rabbitmq
from tests.tools.servers import mysql as mysql_server
from tests.tools.servers.mysql import MySQLServer

VERSION = '[ "$1" = --version ] && { echo "mariadbd 11.8-MariaDB"; exit 0; };'
"""What begins the script of a server that tells its version."""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Have a machine with these programs alone: ``install(mariadbd="exit 0")``, each a script."""
    monkeypatch.setattr(mysql_server, "SEARCHED", str(tmp_path))
    monkeypatch.setattr(mysql_server, "FETCHED", [])
    monkeypatch.delenv("TEST_MYSQL_URL", raising=False)

    def write(**programs: str) -> None:
        for name, script in programs.items():
            path = tmp_path / {"install_db": "mariadb-install-db"}.get(name, name)
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    return write


def reason() -> str:
    """Return why the server can't be started."""
    with pytest.raises(ServerError) as raised, MySQLServer():
        pass
    return str(raised.value)


def test_no_server(install: Install) -> None:
    """The reason says what to install, or which variable names a server."""
    assert reason().startswith("mariadbd was not found. Install it (on Debian, in mariadb-server-")
    assert "TEST_MYSQL_URL=mysql://" in reason()


def test_server_package_alone(install: Install) -> None:
    """The program that reads its settings comes with another package than the server."""
    install(mariadbd=VERSION, install_db="exit 0")
    assert reason().startswith("my_print_defaults was not found. Install it (on Debian, in mariadb")
    assert "in mariadb-client-core)" in reason()


def test_nothing_makes_data(install: Install) -> None:
    """So does the program that makes the first data."""
    install(mariadbd=VERSION, my_print_defaults="")
    assert reason().startswith("mariadb-install-db was not found.")


def test_data_is_not_made(install: Install, tmp_path: Path) -> None:
    """What the program says that makes the data is told."""
    install(mariadbd=VERSION, my_print_defaults="", install_db="echo No room; exit 1")
    first, *said = reason().splitlines()
    assert first.startswith(f"{tmp_path}/mariadbd was found, but mariadb-install-db failed.")
    assert said == ["No room"]


def test_server_does_not_run(install: Install) -> None:
    """A program of another machine, or one without its libraries, isn't run any further."""
    install(mariadbd="echo No library >&2; exit 127")
    assert "mariadbd was found, but mariadbd failed." in reason()
    assert reason().endswith("No library")


def test_server_refuses(install: Install) -> None:
    """A server that ends at its start is told with its last lines."""
    refuse = f"{VERSION} echo 'Not as this user'; exit 1"
    install(mariadbd=refuse, my_print_defaults="", install_db="exit 0")
    assert reason().startswith("MySQL did not start on port")
    assert reason().endswith("Not as this user")


class TestPreflight:
    """What ``make test`` asks before the first test."""

    @pytest.fixture(autouse=True)
    def _named_servers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("TEST_REDIS_URL", "TEST_DATABASE_URL"):
            monkeypatch.setenv(name, "named")

    def test_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With all servers there are all databases."""
        monkeypatch.setenv("TEST_MYSQL_URL", "named")
        assert sorted(preflight.databases(fetches=False)) == sorted(servers.DATABASES)

    def test_without_mysql(self, install: Install, capfd: pytest.CaptureFixture[str]) -> None:
        """The others are tested on, and one sentence says why there are no tests on this one."""
        install(mariadbd=VERSION, install_db="exit 0")
        assert preflight.databases(fetches=False) == ["postgres", "sqlite"]
        assert capfd.readouterr().err.startswith(
            "== No tests on mysql: my_print_defaults was not found. Install"
        )

    def test_without_rabbitmq(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """All databases are tested on, and one sentence says what is not shown."""
        monkeypatch.setenv("TEST_MYSQL_URL", "named")
        for name, value in {"INSTALLED": "", "SEARCHED": "", "FETCHED": []}.items():
            monkeypatch.setattr(rabbitmq, name, value)
        assert sorted(preflight.databases(fetches=False)) == sorted(servers.DATABASES)
        assert capfd.readouterr().err.startswith(
            "== Not shown, that RabbitMQ works as the broker: rabbitmq-server was not found. Inst"
        )

    def test_without_a_browser(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        """So with a browser."""
        monkeypatch.setenv("TEST_MYSQL_URL", "named")
        monkeypatch.setattr(preflight, "find_rabbitmq", lambda fetches: None)
        monkeypatch.setattr(browser, "SEARCHED", "")
        monkeypatch.setattr(browser, "unpacked", lambda package: tmp_path)
        assert sorted(preflight.databases(fetches=False)) == sorted(servers.DATABASES)
        assert capfd.readouterr().err.startswith(
            "== Not shown, what a person sees in a browser: No browser was found. Install Chromium"
        )

    @pytest.mark.parametrize(
        ("variable", "name"),
        [("TEST_REDIS_URL", "RedisServer"), ("TEST_DATABASE_URL", "PostgresServer")],
    )
    def test_fail_without_another(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
    ) -> None:
        """There are no tests without Redis or PostgreSQL, whose packages come with the tests."""

        def broken(**_options: object) -> None:
            raise ServerError(f"{name} has no program.")

        monkeypatch.delenv(variable)
        monkeypatch.setattr(preflight, name, broken)
        with pytest.raises(SystemExit, match=f"== No tests: {name} has no program."):
            preflight.databases(fetches=False)
