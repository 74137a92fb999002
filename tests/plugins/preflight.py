"""Print the databases that the tests can run on here. Each one's server was started to see.

``make test`` runs it first, so that a server that can't be started is said before the first test.
Redis and PostgreSQL come with the tests: without one the program fails. MySQL and MariaDB come with
the machine: without one the others remain.
"""

import os
import sys
from collections.abc import Callable

from core.stack.postgres_server import PostgresServer
from core.stack.redis_server import RedisServer
from core.stack.servers import Server, ServerError
from tests.plugins.mysql_server import MySQLServer


def try_server(variable: str, make: Callable[[], Server]) -> None:
    """Start a server and stop it, unless the variable names one; ServerError says what failed."""
    if not os.environ.get(variable):
        with make():
            pass


def databases() -> list[str]:
    """Return the databases that can be tested on. Raise ServerError if one must be and can't."""
    try_server("TEST_REDIS_URL", RedisServer)
    try_server("TEST_DATABASE_URL", lambda: PostgresServer(fsync=False))
    try:
        try_server("TEST_MYSQL_URL", MySQLServer)
    except ServerError as error:
        print(f"== No tests on mysql: {error}", file=sys.stderr)
        return ["postgres", "sqlite"]
    return ["postgres", "sqlite", "mysql"]


def main() -> None:
    """Print the names, or end with the reason why no test can run."""
    try:
        print(*databases())
    except ServerError as error:
        sys.exit(f"== No tests: {error}")


if __name__ == "__main__":
    main()
