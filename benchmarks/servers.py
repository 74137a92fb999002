"""The servers of a run: PostgreSQL (fsync on), Redis and a mail server, used by all contenders.

Each contender has a database of its own on the one, and a number of its own on the other.
"""

import os
import platform
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from benchmarks import smtp_sink
from core.stack.redis_server import RedisServer
from core.stack.tether import tethered
from core.stack.waiting import wait_until
from tests.tools.servers.postgres import PostgresServer

DATABASES = 64
"""How many contenders one Redis can tell apart."""

TEMPLATE = "bench_template"
"""The database that holds what all contenders start with."""

SECRET_KEY = secrets.token_urlsafe(50)
"""What the site's settings ask for. Contenders with the site's options read them."""

STATEMENT = re.compile(r"^\[(?P<database>[^]]*)\] LOG:  (?:statement|execute [^:]*): (?P<sql>.*)")
TRANSACTION = re.compile(r"BEGIN(?!;)|COMMIT|ROLLBACK$|START ", re.IGNORECASE)


class BenchPostgres(PostgresServer):
    """PostgreSQL as it comes, but for what measuring needs."""

    def command(self) -> list[str | Path]:
        options = [
            "--log-line-prefix=[%d] ",  # of which database it speaks
            "--track-commit-timestamp=on",
            "--max-connections=300",  # the sites of all contenders run at once
        ]
        return [*super().command(), *options]


class BenchRedis(RedisServer):
    """Redis as it comes, with a number for each contender."""

    def command(self) -> list[str | Path]:
        return [*super().command(), "--databases", str(DATABASES)]


class MailSink:
    """The mail server's process; ``received`` counts its mails."""

    host = smtp_sink.LOOPBACK
    port = 0
    """The port that answers at once."""
    slow_port = 0
    """The port that takes 50 ms for each mail."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            tethered([sys.executable, "-m", "benchmarks.smtp_sink"]),
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.port, self.slow_port = map(int, self._process.stdout.readline().split())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    @property
    def received(self) -> int:
        """How many mails have been taken, by both ports."""
        return smtp_sink.received(self.port)


class Servers:
    """All the servers; a context manager that starts and stops them."""

    def __init__(self) -> None:
        self.postgres = BenchPostgres()
        self.redis = BenchRedis()
        self.smtp = MailSink()
        self._logging = False
        self._numbers: dict[str, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            for server in (self.redis, self.postgres, self.smtp):
                stack.enter_context(server)
            self._administrator = stack.enter_context(self._connect())
            self._fill_template()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def postgres_url(self, contender: str) -> str:
        """The address of the contender's database; it is made when it is first asked for."""
        self._number(contender)
        return self._url_of(f"bench_{contender}")

    def dsn(self, contender: str) -> str:
        """The same, as psycopg takes it."""
        return self.postgres_url(contender).replace("postgres://", "postgresql://")

    def redis_url(self, contender: str) -> str:
        """The address of the contender's Redis database."""
        return f"{self.redis.url.rpartition('/')[0]}/{self._number(contender)}"

    def environment(self, contender: str) -> dict[str, str]:
        """What the processes of a contender are started with."""
        return {
            **self._environment,
            "BENCH_CONTENDER": contender,
            "SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": self.postgres_url(contender),
            "REDIS_URL": self.redis_url(contender),
        }

    @property
    def _environment(self) -> dict[str, str]:
        """What all of them are started with."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "EMAIL_PORT": str(self.smtp.port),
            "SLOW_EMAIL_PORT": str(self.smtp.slow_port),
            "VAR_DIR": str(self.var),
        }

    def query(self, sql: str, contender: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of a statement, run by the administrator, in a contender's database if given."""
        if contender is None:
            return rows_of(self._administrator, sql)
        with psycopg.connect(self.dsn(contender), autocommit=True) as connection:
            return rows_of(connection, sql)

    def database_cpu(self) -> float:
        """The CPU seconds that PostgreSQL's processes have used."""
        assert self.postgres.process is not None
        main = self.postgres.process.pid
        ended = psutil.Process(main).cpu_times()
        living = sum(map(cpu_seconds, [main, *children_of(main)]))
        return living + ended.children_user + ended.children_system

    @property
    def cores(self) -> int:
        """How many processors there are to run on."""
        return (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )

    @property
    def processor(self) -> str:
        """The processor's name."""
        with suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        return platform.processor()

    def wal_bytes(self) -> int:
        """How many bytes PostgreSQL has written to its log of changes."""
        return int(self.query("SELECT pg_current_wal_insert_lsn() - '0/0'")[0][0])

    @contextmanager
    def logged_statements(self, contender: str) -> Iterator[list[str]]:
        """The statements that the server gets for the contender's database within the block.

        Those that begin and end a transaction are left out. Complete once the block has ended.
        """
        statements: list[str] = []
        with self.log_statements():
            start = self.postgres.log.stat().st_size
            yield statements
        with self.postgres.log.open("rb") as log:
            log.seek(start)
            statements += statements_in(log.read().decode(errors="replace"), contender)

    @contextmanager
    def log_statements(self) -> Iterator[None]:
        """Have the server log all statements within the block; blocks can be nested."""
        if self._logging:
            yield
            return
        self._log_statements("all")
        self._logging = True
        try:
            yield
        finally:
            self._logging = False
            self._log_statements("none")

    def _log_statements(self, which: str) -> None:
        self.query(f"ALTER SYSTEM SET log_statement = '{which}'")
        self.query("SELECT pg_reload_conf()")
        wait_until(lambda: self._logs(which), 10, "the server's new settings")

    def _logs(self, which: str) -> bool:
        """Whether new connections log so; the others have then been told, and obey from now on."""
        with self._connect() as connection:
            return rows_of(connection, "SELECT current_setting('log_statement')") == [(which,)]

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self._url_of("postgres"), autocommit=True)

    def _fill_template(self) -> None:
        """Make the database that those of the contenders are copies of."""
        self.query(f'CREATE DATABASE "{TEMPLATE}"')
        environment = {**self._environment, "DATABASE_URL": self._url_of(TEMPLATE)}
        environment |= {"BENCH_CONTENDER": "bare", "REDIS_URL": self.redis.url}
        subprocess.run([sys.executable, "-m", "benchmarks.shop.fill"], env=environment, check=True)

    def _number(self, contender: str) -> int:
        if contender not in self._numbers:
            self._numbers[contender] = len(self._numbers) + 1
            self.query(f'CREATE DATABASE "bench_{contender}" TEMPLATE "{TEMPLATE}"')
        return self._numbers[contender]

    def _url_of(self, database: str) -> str:
        return self.postgres.url.rpartition("/")[0] + f"/{database}"


def statements_in(log: str, contender: str) -> list[str]:
    """The contender's statements in a part of the server's log."""
    matches = map(STATEMENT.match, log.splitlines())
    own = (each for each in matches if each and each["database"] == f"bench_{contender}")
    return [each["sql"] for each in own if not TRANSACTION.match(each["sql"])]


def rows_of(connection: psycopg.Connection[tuple[Any, ...]], sql: str) -> list[tuple[Any, ...]]:
    """What the statement returns; nothing if it is none that returns rows."""
    cursor = connection.execute(sql.encode())
    return cursor.fetchall() if cursor.description else []


def children_of(pid: int) -> list[int]:
    """The processes that this one started."""
    try:  # where the kernel tells; psutil has to look at all processes of the machine
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return [each.pid for each in psutil.Process(pid).children()]


def cpu_seconds(pid: int) -> float:
    """The CPU seconds that a process has used; 0 if it has gone.

    Of Linux's scheduler where it tells, which counts nanoseconds and not hundredths of a second.
    """
    try:
        threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
        nanoseconds = sum(int(each.read_text().split()[0]) for each in threads)
        return nanoseconds / 1e9 or sum(psutil.Process(pid).cpu_times()[:2])
    except (OSError, psutil.Error):
        return 0.0
