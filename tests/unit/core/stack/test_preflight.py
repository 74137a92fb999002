"""What is refused before anything is started, and in which words."""

import socket
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from core.former_data import FORMER_TABLE
from core.stack import preflight
from core.stack.config import ConfigError, RunConfig
from core.stack.ports import LOOPBACK, free_port
from core.stack.redis_server import RedisServer
from tests.tools.servers.postgres import PostgresServer

SECRET = "s3cret-word"


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """A run that nothing is in the way of."""
    return RunConfig.throw_away(tmp_path / "var")


@pytest.fixture
def taken() -> Generator[int, None, None]:
    """A port that a program of somebody else listens on."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def refusal(config: RunConfig) -> str:
    """The sentence with which the run is refused."""
    with pytest.raises(ConfigError) as raised:
        preflight.check(config)
    assert SECRET not in str(raised.value)
    return str(raised.value)


def test_success(config: RunConfig) -> None:
    """Embedded servers, free ports, a folder that can be made."""
    preflight.check(config)
    assert config.var_dir.is_dir()


@pytest.mark.parametrize("key", ["django-insecure-" + "0123456789" * 6, SECRET])
def test_fail_when_the_key_can_be_guessed(config: RunConfig, key: str) -> None:
    """Before each program fails of it. The sentence doesn't show the key."""
    refused = refusal(replace(config, secret_key=key))
    assert refused.startswith("SECRET_KEY ")
    assert refused.endswith("Leave it out: one is made up and kept in the data folder.")


@pytest.mark.parametrize(
    ("field", "variable"),
    [
        ("web_port", "WEB_PORT"),
        ("flower_port", "FLOWER_PORT"),
        ("redis_port", "REDIS_PORT"),
        ("email_port", "EMAIL_PORT"),
    ],
)
def test_fail_when_a_port_is_taken(
    config: RunConfig, taken: int, field: str, variable: str
) -> None:
    """The sentence names the port, its variable, and what to type."""
    change: dict[str, Any] = {field: taken}
    said = refusal(replace(config, **change))
    assert f"Port {taken} is taken by another program." in said
    assert f"make run {variable}={taken + 1}" in said


def test_the_port_of_an_embedded_server_that_is_not_needed_may_be_taken(
    config: RunConfig, taken: int
) -> None:
    """With a mail server given, nothing listens on the catcher's port."""
    preflight.check(replace(config, email_port=taken, email_host="mail.example.com"))


def test_fail_when_the_folder_is_a_file(config: RunConfig, tmp_path: Path) -> None:
    """The sentence names the folder and VAR_DIR."""
    (tmp_path / "file").touch()
    said = refusal(replace(config, var_dir=tmp_path / "file" / "var"))
    assert f"The folder {tmp_path / 'file' / 'var'} can't be made" in said
    assert "VAR_DIR" in said


class TestDatabase:
    """``DATABASE_URL``."""

    def check(self, config: RunConfig, url: str) -> str:
        """The sentence for this address."""
        return refusal(replace(config, database_url=url))

    @pytest.mark.parametrize(
        "url",
        [
            f"postgres//user:{SECRET}@host/name",
            f"oracular://user:{SECRET}@host/name",
            f"postgres://user:{SECRET}@host:many/name",
            "name",
        ],
    )
    def test_fail_when_it_cannot_be_read(self, config: RunConfig, url: str) -> None:
        """The sentence shows what one looks like, and not the one that was given."""
        said = self.check(config, url)
        assert said.startswith("DATABASE_URL")
        assert "postgres://USER@HOST:PORT/NAME" in said

    def test_fail_when_it_names_another_engine(self, config: RunConfig) -> None:
        """Only PostgreSQL, MySQL and SQLite have the commit hook."""
        said = self.check(config, f"oracle://user:{SECRET}@host/name")
        assert said.startswith("DATABASE_URL names no PostgreSQL, MySQL or SQLite database.")

    @pytest.mark.parametrize("scheme", ["postgres", "mysql"])
    def test_fail_when_no_server_is_there(self, config: RunConfig, scheme: str) -> None:
        """The sentence names the database, the server and the reason."""
        port = free_port()
        said = self.check(config, f"{scheme}://user:{SECRET}@127.0.0.1:{port}/name")
        assert f"the database name on 127.0.0.1:{port} can't be reached" in said
        assert "refused" in said

    def test_fail_when_the_server_refuses(self, config: RunConfig) -> None:
        """A wrong password, a missing database: the server's own words."""
        with PostgresServer(fsync=False) as server:
            preflight.check(replace(config, database_url=server.url))
            wrong = server.url.replace(server.password, SECRET)
            assert "password authentication failed" in self.check(config, wrong)
            missing = server.url.removesuffix("/postgres") + "/missing"
            assert 'database "missing" does not exist' in self.check(config, missing)

    def test_an_sqlite_file_is_not_made_yet(self, config: RunConfig, tmp_path: Path) -> None:
        """Looking leaves nothing behind."""
        preflight.check(replace(config, database_url=f"sqlite:///{tmp_path}/new.sqlite3"))
        assert not (tmp_path / "new.sqlite3").exists()

    def test_fail_when_the_sqlite_file_is_none(self, config: RunConfig, tmp_path: Path) -> None:
        """A file of something else is named and left alone."""
        (tmp_path / "text").write_text("This is no database at all, but a text." * 100)
        assert "file is not a database" in self.check(config, f"sqlite:///{tmp_path}/text")

    def test_fail_when_its_folder_is_missing(self, config: RunConfig, tmp_path: Path) -> None:
        """It isn't made: it may be a misspelling."""
        said = self.check(config, f"sqlite:///{tmp_path}/missing/db.sqlite3")
        assert "the folder of" in said

    def test_fail_in_memory(self, config: RunConfig) -> None:
        """Every process would have one of its own."""
        assert "seen by one process only" in self.check(config, "sqlite://:memory:")


class TestFormerData:
    """A database that an earlier version of this project made."""

    SAID = "was made by an earlier version of this project"

    @pytest.fixture
    def embedded(self, config: RunConfig) -> Path:
        """The embedded database, as an earlier version left it."""
        config.var_dir.mkdir()
        make_former(config.embedded_database)
        return config.embedded_database

    def test_fail_embedded(self, config: RunConfig, embedded: Path) -> None:
        """The sentence has the command that moves it away, with the files beside it."""
        said = refusal(config)
        assert said.startswith(f"The database {embedded} {self.SAID}")
        assert said.endswith(f"Move its file away: mkdir before && mv {embedded}* before/")

    def test_moved_away(self, config: RunConfig, embedded: Path) -> None:
        """Once that is done the run begins with a new database."""
        embedded.rename(embedded.with_name("before.sqlite3"))
        preflight.check(config)

    def test_fail_sqlite_file(self, config: RunConfig, tmp_path: Path) -> None:
        """Also a file that is named."""
        path = tmp_path / "named.sqlite3"
        make_former(path)
        said = refusal(replace(config, database_url=f"sqlite:///{path}"))
        assert f"mv {path}* before/" in said

    @pytest.mark.every_database
    @pytest.mark.django_db(transaction=True)
    def test_fail_named(self, config: RunConfig) -> None:
        """On each server: the sentence names the database, and says to make a new one."""
        named = replace(config, database_url=url_of_database())
        preflight.check(named)
        with former_table():
            said = refusal(named)
        assert f"{connection.settings_dict['NAME']}" in said
        assert self.SAID in said
        if connection.vendor != "sqlite":
            assert said.endswith("Create a new database, and name it in DATABASE_URL.")


def make_former(path: Path) -> None:
    """Make an SQLite database as an earlier version did, in all that matters here."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE TABLE {FORMER_TABLE} (id INTEGER PRIMARY KEY)")


@contextmanager
def former_table() -> Iterator[None]:
    """Have the test's own database be one of an earlier version, in all that matters here."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {FORMER_TABLE} (id INTEGER PRIMARY KEY)")
        try:
            yield
        finally:
            cursor.execute(f"DROP TABLE {FORMER_TABLE}")


def url_of_database() -> str:
    """The address of the test's own database, as DATABASE_URL."""
    options = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{options['NAME']}"
    scheme = "mysql" if connection.vendor == "mysql" else "postgres"
    login = f"{options['USER']}:{options['PASSWORD']}"
    return f"{scheme}://{login}@{options['HOST']}:{options['PORT']}/{options['NAME']}"


class TestRedis:
    """``REDIS_URL``."""

    def check(self, config: RunConfig, url: str) -> str:
        """The sentence for this address."""
        return refusal(replace(config, redis_url=url))

    def test_success(self, config: RunConfig) -> None:
        """A server that answers; the embedded one's port doesn't matter then."""
        with RedisServer() as server:
            preflight.check(replace(config, redis_url=server.url, redis_port=server.port))

    @pytest.mark.parametrize("url", [f"http://:{SECRET}@host", f"redis://:{SECRET}@host:many/0"])
    def test_fail_when_it_cannot_be_read(self, config: RunConfig, url: str) -> None:
        """The sentence shows what one looks like, and not the one that was given."""
        said = self.check(config, url)
        assert said.startswith("REDIS_URL can't be read. Expected redis://")

    def test_fail_when_no_server_is_there(self, config: RunConfig) -> None:
        """The sentence names the place, and what happens without the variable."""
        port = free_port()
        said = self.check(config, f"redis://:{SECRET}@127.0.0.1:{port}/0")
        assert f"REDIS_URL: no server answers at 127.0.0.1:{port}" in said
        assert "Without REDIS_URL an embedded server is used." in said
