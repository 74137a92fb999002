"""Checks before anything is started. Each obstacle is one sentence, which says what to do."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from core.database_url import EXPECTED, read_database_url
from core.former_data import FORMER_TABLE, refusal
from core.secret_key import weakness
from core.stack.config import ConfigError, RunConfig
from core.stack.ports import LOOPBACK, is_free
from core.stack.private_folder import is_shared, make_private

POSTGRESQL, MYSQL, SQLITE = (
    f"django.db.backends.{name}" for name in ("postgresql", "mysql", "sqlite3")
)
PORTS = {POSTGRESQL: 5432, MYSQL: 3306}
CONNECT_TIMEOUT = 5
DJANGO_ONLY = {"pool", "isolation_level", "assume_role", "server_side_binding"}


def check(config: RunConfig) -> None:
    """Raise ConfigError with a sentence about the first obstacle. No sentence has a password."""
    check_folder(config)
    check_secret_key(config)
    check_ports(config)
    check_database(config)
    check_redis(config)


def check_folder(config: RunConfig) -> None:
    """Check that the data folder can be written to, and close it to everybody else."""
    if is_shared(config.var_dir):
        raise ConfigError(
            f"The folder {config.var_dir} is everybody's, and the data is not. "
            "Set VAR_DIR to a folder of its own."
        )
    try:
        make_private(config.var_dir)
    except OSError as error:
        raise ConfigError(
            f"The folder {config.var_dir} can't be made your own ({error.strerror}). "
            "Set VAR_DIR to another."
        ) from error
    if not os.access(config.var_dir, os.W_OK | os.X_OK):
        raise ConfigError(
            f"The folder {config.var_dir} can't be written to. "
            "Change its owner, or set VAR_DIR to another."
        )


def check_secret_key(config: RunConfig) -> None:
    """Check that ``SECRET_KEY``, if given, is no key that can be guessed."""
    fault = weakness(config.secret_key) if config.secret_key else ""
    if fault:
        raise ConfigError(
            f"SECRET_KEY {fault}. Leave it out: one is made up and kept in the data folder."
        )


def check_ports(config: RunConfig) -> None:
    """Check that every port that is to be served is free."""
    for variable, host, port in addresses(config):
        if not is_free(port, host):
            raise ConfigError(
                f"Port {port} is taken by another program. Stop that program, or set {variable} "
                f"to another port, for example: make run {variable}={port + 1}"
            )


def addresses(config: RunConfig) -> Iterator[tuple[str, str, int]]:
    """Yield each address that this run serves, with the variable that changes its port."""
    yield "WEB_PORT", config.web_host, config.web_port
    yield "FLOWER_PORT", LOOPBACK, config.flower_port
    if not config.redis_url:
        yield "REDIS_PORT", LOOPBACK, config.redis_port
    if not config.email_host:
        yield "EMAIL_PORT", LOOPBACK, config.email_port


def check_database(config: RunConfig) -> None:
    """Check that the database can be reached, and isn't of an earlier version of this project."""
    if not config.database_url:
        check_sqlite_file(config.embedded_database, "VAR_DIR")
        return
    parsed = parse_database(config.database_url, config.database_password)
    if parsed.get("ENGINE") == POSTGRESQL:
        check_postgresql(parsed)
    elif parsed.get("ENGINE") == MYSQL:
        check_mysql(parsed)
    elif parsed.get("ENGINE") == SQLITE:
        check_sqlite(parsed["NAME"])
    else:
        raise ConfigError("DATABASE_URL names no PostgreSQL, MySQL or SQLite database. " + EXPECTED)


def parse_database(url: str, password: str = "") -> dict[str, Any]:
    """Return the address as Django's settings will see it."""
    try:
        return read_database_url(url, password)
    except ImproperlyConfigured as error:
        raise ConfigError(str(error)) from None


def check_postgresql(parsed: dict[str, Any]) -> None:
    """Check that the server lets us in."""
    try:
        connection = psycopg.connect(**login(parsed), dbname=parsed["NAME"])
    except psycopg.Error as error:
        raise unreachable(parsed, error) from None
    with closing(connection):
        check_former_data(connection.cursor(), psycopg.Error, describe_database(parsed))


def check_mysql(parsed: dict[str, Any]) -> None:
    """Check that the server lets us in."""
    import pymysql  # as any driver, for those who use it

    options = login(parsed)
    options["password"] = options.get("password", "").encode()  # it would take Latin-1
    if options.get("host", "").startswith("/"):
        options["unix_socket"] = options.pop("host")
    try:
        connection = pymysql.connect(**options, database=parsed["NAME"])
    except pymysql.Error as error:
        raise unreachable(parsed, error) from None
    with closing(connection):
        check_former_data(connection.cursor(), pymysql.Error, describe_database(parsed))


def login(parsed: dict[str, Any]) -> dict[str, Any]:
    """Return the options for both drivers, without the database's name."""
    options = {k: v for k, v in parsed.get("OPTIONS", {}).items() if k not in DJANGO_ONLY}
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
    given = {ours: parsed[theirs] for theirs, ours in names.items() if parsed.get(theirs)}
    return {"connect_timeout": CONNECT_TIMEOUT, **options, **given}


def unreachable(parsed: dict[str, Any], error: Exception) -> ConfigError:
    """Return the error about a server that doesn't let us in."""
    return ConfigError(
        f"DATABASE_URL: the database {describe_database(parsed)} can't be reached "
        f"({reason(error)}). Start it, or correct DATABASE_URL; without it an SQLite "
        "database of this project's own is used."
    )


def describe_database(parsed: dict[str, Any]) -> str:
    """Return the database's name and place for a person to read, without its password."""
    if parsed.get("ENGINE") == SQLITE:
        return str(parsed["NAME"])
    port = parsed.get("PORT") or PORTS.get(parsed.get("ENGINE", ""))
    server = f"{parsed.get('HOST') or 'localhost'}:{port}"
    return f"{parsed['NAME']} on {server}"


def reason(error: BaseException) -> str:
    """Return the part of a driver's message that says what is wrong."""
    said = str(error.args[-1]) if error.args else ""  # MySQL's have their number before it
    lines = said.strip().splitlines() or [type(error).__name__]
    reasons = [line for line in lines if "failed: " in line] or lines
    return reasons[-1].split("failed: ")[-1].strip().rstrip(".")


def check_sqlite(name: str) -> None:
    """Check that the file can be opened or made, and that all processes see the same one."""
    if name == ":memory:":
        raise ConfigError(
            "DATABASE_URL: a database in memory is seen by one process only. "
            "Give a file: sqlite:///PATH."
        )
    path = Path(name).resolve()
    if not path.parent.is_dir():
        raise ConfigError(f"DATABASE_URL: the folder of {name} doesn't exist. Make it first.")
    check_sqlite_file(path, "DATABASE_URL")


def check_sqlite_file(path: Path, variable: str) -> None:
    """Check that the file, if there is one, is a database. Looking doesn't change the file."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("PRAGMA schema_version")
            check_former_data(connection.cursor(), sqlite3.Error, str(path), str(path))
    except sqlite3.Error as error:
        raise ConfigError(f"{variable}: {path} can't be opened ({error}).") from None


def check_former_data(
    cursor: Any, missing: type[Exception], database: str, sqlite_file: str = ""
) -> None:
    """Raise ConfigError if an earlier version of this project made the database.

    ``missing`` is the driver's error for a table that isn't there.
    """
    try:
        cursor.execute(f"SELECT 1 FROM {FORMER_TABLE} WHERE 1 = 0")  # noqa: S608  # our own name
    except missing:
        return
    raise ConfigError(refusal(database, sqlite_file))


def check_redis(config: RunConfig) -> None:
    """Check that ``REDIS_URL``, if given, can be read and reached."""
    if not config.redis_url:
        return
    without = "Without REDIS_URL an embedded server is used."
    try:
        client = Redis.from_url(
            config.redis_url, socket_connect_timeout=CONNECT_TIMEOUT, socket_timeout=CONNECT_TIMEOUT
        )
    except ValueError:
        raise ConfigError(
            f"REDIS_URL can't be read. Expected redis://:PASSWORD@HOST:PORT/NUMBER. {without}"
        ) from None
    where = client.connection_pool.connection_kwargs
    place = where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}"
    try:
        with client:
            client.ping()
    except AuthenticationError:
        raise ConfigError(
            f"REDIS_URL: the server at {place} refuses the login. Correct REDIS_URL. {without}"
        ) from None
    except RedisError as error:
        raise ConfigError(
            f"REDIS_URL: no server answers at {place} ({reason(error)}). "
            f"Start it, or correct REDIS_URL. {without}"
        ) from None
