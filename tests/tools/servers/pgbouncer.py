"""PgBouncer in transaction mode, in front of a PostgreSQL server."""

import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from core.stack.compose_secrets import pooled_line
from core.stack.ports import LOOPBACK
from core.stack.servers import Server, ServerError
from tests.tools.servers.debian import libraries, unpacked

PACKAGE = "pgbouncer"
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


def find_program() -> str:
    """Return the path of the program. Raises ServerError if it's missing."""
    found = shutil.which(PACKAGE, path=f"{SEARCHED}{os.pathsep}{unpacked(PACKAGE) / 'usr/sbin'}")
    if found is None:
        raise ServerError(f"{PACKAGE} was not found. Install it, or put it on the PATH.")
    return found


class PgBouncerServer(Server):
    """A pooler with few connections, so that two transactions seldom have the same one."""

    name: ClassVar[str] = "PgBouncer"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def __init__(self, database: Mapping[str, Any], **settings: object) -> None:
        super().__init__()
        self.database = database
        self.settings = settings
        self.program = find_program()

    @property
    def url(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration, and who may log in."""
        given = self.database
        users, config = self.directory / "users", self.directory / "pgbouncer.ini"
        for path in (users, config):
            path.touch(mode=0o600)
        users.write_text(pooled_line(given["USER"], given["PASSWORD"]))
        settings = {
            "listen_addr": LOOPBACK,
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": users,
            "pool_mode": "transaction",
            "default_pool_size": 4,
            **self.settings,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        there = f"* = host={given['HOST']} port={given['PORT']}"
        config.write_text("\n".join(["[databases]", there, "[pgbouncer]", *lines, ""]))

    def command(self) -> list[str | Path]:
        user = [] if os.getuid() else ["-u", "nobody"]
        program = ["env", f"LD_LIBRARY_PATH={libraries(PACKAGE)}", self.program, *user]
        return [*program, self.directory / "pgbouncer.ini"]

    def answers(self) -> bool:
        """Return whether it lets its user in, and reaches the database."""
        given = self.database
        login = {"user": given["USER"], "password": given["PASSWORD"], "dbname": given["NAME"]}
        try:
            psycopg.connect(host=LOOPBACK, port=self.port, connect_timeout=2, **login).close()
        except psycopg.OperationalError:
            return False
        return True
