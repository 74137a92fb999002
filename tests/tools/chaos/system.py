"""The processes of the whole system, each of which can be broken and mended by itself."""

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from core.stack.config import RunConfig
from core.stack.environments import site_environment
from core.stack.probes import http_answers
from core.stack.programs import web as web_program
from core.stack.redis_server import RedisServer
from core.stack.servers import ServerError
from core.stack.waiting import wait_until
from tests.celery_engine.broker import Broker
from tests.celery_engine.engine import PROJECT
from tests.celery_engine.process import Program
from tests.celery_engine.worker import READY, worker_command
from tests.tools.chaos import witness
from tests.tools.chaos.smtp import MailServer
from tests.tools.servers.postgres import PostgresServer

SQLITE, POSTGRES = "sqlite", "postgres"
SETTINGS = "tests.tools.chaos.settings"
SECRET_KEY = "chaos-" * 10
WORKERS, WRITERS, POOL = 2, 2, 2
UP_WITHIN = 60


class System:
    """Database, broker, mail server, web processes, workers and writers; a context manager."""

    def __init__(self, database: str, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.mail = MailServer()
        self._open = ExitStack()
        self._database = database
        self.postgres: PostgresServer | None = None
        self.workers: list[Program] = []
        self.writers: list[Program] = []
        self.notes: list[str] = []
        """What is worth telling at the end of a run."""
        self._starts = 0

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._start_servers(opening)
            self._prepare_database()
            self._start_programs(opening)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of the query, read on a connection of its own."""
        if self.postgres:
            with psycopg.connect(self.url, connect_timeout=5) as connection:
                return connection.execute(query.encode()).fetchall()
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20)) as file:
            return file.execute(query).fetchall()

    def wait_for_database(self) -> None:
        """Return once the database answers."""

        def answers() -> bool:
            try:
                return bool(self.rows("SELECT 1"))
            except psycopg.OperationalError:
                return False

        wait_until(answers, UP_WITHIN, "the database")

    def start_writer(self, number: int) -> None:
        """Start a process that changes things through the ORM, in place of one that ended."""
        self._starts += 1
        name = f"writer{self._starts}"
        self.writers[number] = program = Program(
            [
                *(sys.executable, "-m", "tests.tools.chaos.writer"),
                *("--name", name, "--seed", f"{self.seed}{self._starts}"),
                *("--ledger", str(self.folder / f"{name}.ledger")),
            ],
            env=self.environment,
            cwd=PROJECT,
            log=self.folder / "writers.log",
        )
        program.start()

    def revive(self, spared: set[str]) -> list[str]:
        """Start what ended by itself, as a supervisor would; return what ended, and how."""
        found = {"worker": self.workers, "web": [self.web], "writer": self.writers}
        ended = []
        for part, programs in found.items():
            for program in programs if part not in spared else []:
                if not program.running:
                    ended.append(f"{program.log.stem} ended by itself with {_ending(program)}")
                    program.start()
        return ended

    def stop_traffic(self) -> None:
        """End the writers, after what they are at."""
        for program in self.writers:
            program.stop(30)

    def _start_servers(self, opening: ExitStack) -> None:
        redis = opening.enter_context(RedisServer())
        self.broker = Broker(redis)
        opening.callback(self.broker.resume)
        opening.enter_context(self.mail)
        if self._database == POSTGRES:
            self.postgres = opening.enter_context(PostgresServer(fsync=False))
            self.postgres.chosen_port = self.postgres.port  # its clients know no other
            self.url = self.postgres.url
        else:
            self.url = f"sqlite:///{self.folder / 'db.sqlite3'}"
        config = RunConfig.throw_away(self.folder, self.url)
        self.config = replace(config, redis_url=self.broker.url, email_port=self.mail.port)
        self.environment = {
            **site_environment(self.config, SECRET_KEY),
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "PYTHONPATH": str(PROJECT),
            "THROTTLES": "off",  # its two users write more than any person
        }

    def _prepare_database(self) -> None:
        self.manage("migrate", "--verbosity", "0")
        witness.install(self.url)
        self.manage("demo_data")

    def manage(self, *command: str) -> str:
        """What the management command writes; ServerError with it when it fails."""
        done = subprocess.run(
            [sys.executable, str(PROJECT / "manage.py"), *command],
            env=self.environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"manage.py {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _start_programs(self, opening: ExitStack) -> None:
        self.web = self._program("web", list(map(str, web_program(self.config, ()).command)))
        for number in range(1, WORKERS + 1):
            command = worker_command(f"worker{number}@chaos", POOL, ())
            self.workers.append(self._program(f"worker{number}", command))
        for program in (self.web, *self.workers):
            opening.callback(_end, program)
            program.start()
        opening.callback(self._end_writers)
        self.wait_up()
        for number in range(WRITERS):
            self.writers.append(self.web)  # a place, which the next line takes
            self.start_writer(number)

    def wait_up(self) -> None:
        """Return once the web processes answer and the workers are ready."""
        site = f"{self.config.site_url}/"
        wait_until(lambda: http_answers(site), UP_WITHIN, f"the web server at {site}")
        for worker in self.workers:
            worker.wait_for_log(READY, UP_WITHIN)

    def _end_writers(self) -> None:
        for program in self.writers:
            _end(program)

    def _program(self, name: str, command: Sequence[str]) -> Program:
        log = self.folder / f"{name}.log"
        return Program(command, env=self.environment, cwd=PROJECT, log=log)


def _ending(program: Program) -> str:
    """Return a program's exit status, and the last that its log says of its end.

    A worker whose process is killed before it listens to the broker ends with status 1: Celery
    takes that for a pool that can't start.
    """
    told = [line for line in program.logs_since_start().splitlines() if "CRITICAL" in line]
    return f"{program.returncode}" + (f" ({told[-1]})" if told else "")


def _end(program: Program) -> None:
    if program.running:
        program.kill()
