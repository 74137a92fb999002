"""A PostgreSQL server of our own: a fresh cluster on the loopback address, with a password."""

import os
import pwd
import secrets
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

from core.stack.ports import LOOPBACK
from core.stack.servers import Identity, Server, ServerError
from core.stack.tether import tethered
from tests.tools.servers.postgres_binaries import find_binaries, runnable_by_others, shared_base

USER = DATABASE = "postgres"
STATUS_LINE = 7
"""The line of ``postmaster.pid`` in which the server says whether it takes connections."""


def unprivileged_identity() -> Identity | None:
    """Whom to run PostgreSQL as: nobody when we are root, or else ourselves (None)."""
    if os.getuid():
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


class PostgresServer(Server):
    """A PostgreSQL server of our own; ``url`` is what ``DATABASE_URL`` is to be.

    ``fsync=False`` makes it fast, and worthless after a crash of the machine: for tests only. What
    has committed survives the server's own death all the same.
    """

    name: ClassVar[str] = "PostgreSQL"
    # "Fast": open connections are closed, what has committed is kept.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def __init__(self, port: int | None = None, fsync: bool = True) -> None:
        super().__init__(port)
        self.fsync = fsync
        self.password = secrets.token_urlsafe(16)
        self.identity = unprivileged_identity()
        binaries = find_binaries()
        self.binaries = runnable_by_others(binaries) if self.identity else binaries

    @property
    def url(self) -> str:
        return f"postgres://{USER}:{self.password}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.directory / "data"

    def base_directory(self) -> str | None:
        return str(shared_base()) if self.identity else None

    def prepare(self) -> None:
        """Makes the cluster, which no one enters without the password."""
        password_file = self.directory / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        if self.identity:
            os.chown(password_file, *self.identity)
        self._make_cluster(password_file)
        password_file.unlink()

    def _make_cluster(self, password_file: Path) -> None:
        options = ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        access = [f"--username={USER}", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        program = str(self.binaries / "initdb")
        command = [program, f"--pgdata={self.data}", *options, *access]
        made = subprocess.run(
            tethered(command, user=self.identity),
            capture_output=True,
            text=True,
            cwd=self.directory,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            check=False,
        )
        if made.returncode:
            raise ServerError(f"PostgreSQL's initdb failed:\n{made.stdout}{made.stderr}".strip())

    def command(self) -> list[str | Path]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self.fsync else "off",
            "full_page_writes": "on" if self.fsync else "off",
            "timezone": "UTC",
        }
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        return [self.binaries / "postgres", "-D", self.data, *options]

    def answers(self) -> bool:
        """Whether the server has written so into its own status file, as pg_ctl looks for it."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        running = self.process is not None and lines[:1] == [str(self.process.pid)]
        return running and lines[STATUS_LINE : STATUS_LINE + 1] == ["ready   "]
