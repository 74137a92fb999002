"""Find the databases that the tests can run on here, by starting each one's server once.

A server that can't be started is said before the first test.
Redis and PostgreSQL come with the tests: without one there are no tests. MySQL and MariaDB come
with the machine, or from Debian's packages where every test is run: without one the others remain.
So does RabbitMQ: without it nothing is shown of it as the broker. So does a browser: without one
nothing is shown of what a person sees. Caddy and systemd's program, of which the pages about
deploying speak, are looked for where every test is run.
"""

import os
import sys
from collections.abc import Callable, Sequence

from core.stack.redis_server import RedisServer
from core.stack.servers import Server, ServerError
from tests.tools.servers import browser, mysql, pgbouncer, rabbitmq
from tests.tools.servers.debian import fetch
from tests.tools.servers.mysql import MySQLServer
from tests.tools.servers.postgres import PostgresServer
from tests.tools.servers.programs import find_or_fetch
from tests.tools.servers.rabbitmq import RabbitMQServer

FETCH_RABBITMQ = "FETCH_RABBITMQ"
"""The variable that allows to download RabbitMQ, as ``make test-rabbitmq`` does."""

DONE = "TESTS_PREFLIGHT_DONE"
"""The variable that says to the runs on each database that their servers can be started."""


def try_server(variable: str, make: Callable[[], Server]) -> None:
    """Start a server and stop it, unless the variable names one; ServerError says what failed."""
    if not os.environ.get(variable):
        with make():
            pass


def databases(fetches: bool) -> list[str]:
    """Return the databases that can be tested on; the process ends if there must be another.

    ``fetches`` allows to download a server that the machine doesn't have.
    """
    try:
        return found(fetches)
    except ServerError as error:
        sys.exit(f"== No tests: {error}")


def found(fetches: bool) -> list[str]:
    """Return the databases whose servers start. Raise ServerError if one must and doesn't."""
    os.environ[DONE] = "1"
    try_server("TEST_REDIS_URL", RedisServer)
    try_server("TEST_DATABASE_URL", lambda: PostgresServer(fsync=False))
    has_mysql = can_start("No tests on mysql", lambda: start_mysql(fetches))
    # Its programs are only looked for, because starting it takes five seconds.
    wanted = fetches and FETCH_RABBITMQ in os.environ
    can_start("Not shown, that RabbitMQ works as the broker", lambda: find_rabbitmq(wanted))
    can_start("Not shown, what a person sees in a browser", lambda: find_browser(fetches))
    if fetches:
        can_start("Not shown, that PgBouncer works", find_pgbouncer)
        can_start("Not shown, that the site works behind Caddy", lambda: find_or_fetch("caddy"))
        units = "Not shown, that systemd takes the units of the page about it"
        can_start(units, lambda: find_or_fetch("systemd-analyze"))
    return ["postgres", "sqlite", *(["mysql"] if has_mysql else [])]


def start_mysql(fetches: bool) -> None:
    """Start MariaDB and stop it, or fetch it before. Raises ServerError if it doesn't start."""
    packages = [*dict.fromkeys(mysql.PACKAGES.values())]
    or_fetch(lambda: try_server("TEST_MYSQL_URL", MySQLServer), packages, fetches)


def find_rabbitmq(fetches: bool) -> None:
    """Find the programs of RabbitMQ, or fetch them. Raises ServerError if there are none."""
    or_fetch(RabbitMQServer, [rabbitmq.PACKAGE], fetches)


def find_pgbouncer() -> None:
    """Find the program of PgBouncer, or fetch it. Raises ServerError if there is none."""
    or_fetch(pgbouncer.find_program, [pgbouncer.PACKAGE], fetches=True)


def find_browser(fetches: bool) -> None:
    """Find a browser and its driver, or fetch them. Raises ServerError if there are none."""
    or_fetch(browser.find_programs, browser.PACKAGES, fetches)


def or_fetch(start: Callable[[], object], packages: Sequence[str], fetches: bool) -> None:
    """Start the server. If that fails, and if it is allowed, fetch the packages and start again."""
    try:
        start()
    except ServerError as error:
        if not fetches:
            raise
        try:
            fetch(*packages)
        except ServerError as why:
            raise ServerError(f"{error} {why}") from why
        start()


def can_start(otherwise: str, start: Callable[[], object]) -> bool:
    """Return whether the server starts. If it doesn't, print what that means, and why."""
    try:
        start()
    except ServerError as error:
        print(f"== {otherwise}: {error}", file=sys.stderr)
        return False
    return True
