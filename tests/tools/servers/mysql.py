"""A MariaDB or MySQL server of the tests' own: a fresh data folder on the loopback address."""

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

from core.stack.ports import LOOPBACK
from core.stack.servers import Server, ServerError
from core.stack.tether import tethered
from tests.tools.servers.debian import libraries, unpacked

USER, DATABASE = "tests", "aftercommit"
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
"""Distributions put a server where only root's PATH leads."""


PACKAGES = {
    "mariadbd": "mariadb-server-core",
    "mariadb-install-db": "mariadb-server-core",
    "my_print_defaults": "mariadb-client-core",
}
"""Debian's package of each program. The server alone can't make its data: see the last."""

PACKAGE = PACKAGES["mariadbd"]
FETCHED = [unpacked(PACKAGE) / folder for folder in ("usr/sbin", "usr/bin")]
"""Where the programs are that were fetched."""

ANOTHER = "or name a server of your own with TEST_MYSQL_URL=mysql://USER:PASSWORD@HOST:PORT/NAME."


def find_program(*names: str) -> str:
    """Return the path of the first of the programs that is installed."""
    for name in names:
        if found := shutil.which(name, path=os.pathsep.join([SEARCHED, *map(str, FETCHED)])):
            return found
    raise ServerError(
        f"{names[0]} was not found. Install it (on Debian, in {PACKAGES[names[0]]}), {ANOTHER}"
    )


def find_server() -> str:
    """Return the path of the server's program."""
    return find_program("mariadbd", "mysqld")


class MySQLServer(Server):
    """A server of our own; ``url`` is what ``DATABASE_URL`` is to be.

    What has committed survives the server's own death, but not the machine's.
    """

    name: ClassVar[str] = "MySQL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, port: int | None = None) -> None:
        super().__init__(port)
        self.password = secrets.token_urlsafe(16)
        self.program = find_server()

    @property
    def url(self) -> str:
        return f"mysql://{USER}:{self.password}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def data(self) -> Path:
        """The folder of what the server stores."""
        return self.directory / "data"

    def prepare(self) -> None:
        """Make the data, and the statements that leave no user but one with a password."""
        self._run(self._command_that_makes_data())
        first = self.directory / "first.sql"
        first.touch(mode=0o600)
        first.write_text(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
            f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {USER}@'%';\n"
            "DROP USER IF EXISTS root@localhost;\n"
        )

    def _run(self, command: list[str]) -> str:
        """Return what a program prints. Raise ServerError with it if the program fails."""
        done = subprocess.run(
            tethered(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=self.directory,
            # Two servers at once would take one another's temporary tables in a folder of both.
            env={"PATH": SEARCHED, "LC_ALL": "C", "TMPDIR": str(self.directory)}
            | self._libraries(),
            check=False,
        )
        if done.returncode:
            raise ServerError(
                f"{self.program} was found, but {Path(command[0]).name} failed. Mend what it says "
                f"here, {ANOTHER}\n{done.stdout.strip()}"
            )
        return done.stdout

    def _command_that_makes_data(self) -> list[str]:
        data = f"--datadir={self.data}"
        if self._is_mariadb():
            install = find_program("mariadb-install-db", "mysql_install_db")
            find_program("my_print_defaults")  # which the former runs
            base = self._base()
            return [install, "--no-defaults", *base, data, "--skip-test-db", *self._user()]
        return [self.program, "--no-defaults", "--initialize-insecure", data, *self._user()]

    def _base(self) -> list[str]:
        """Return the option that names the server's folder, if that isn't the usual one."""
        folder = unpacked(PACKAGE)
        is_fetched = Path(self.program).is_relative_to(folder)
        return [f"--basedir={folder / 'usr'}"] if is_fetched else []

    def _libraries(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": libraries(PACKAGE)} if self._base() else {}

    def _is_mariadb(self) -> bool:
        return "MariaDB" in self._run([self.program, "--version"])

    def _user(self) -> list[str]:
        return [] if os.getuid() else ["--user=root"]

    def command(self) -> list[str | Path]:
        settings = {
            "datadir": self.data,
            "tmpdir": self.directory,
            "bind-address": LOOPBACK,
            "port": self.port,
            "socket": self.directory / "server.sock",
            "pid-file": self.directory / "server.pid",
            "init-file": self.directory / "first.sql",
            "character-set-server": "utf8mb4",
            "default-time-zone": "+05:30",  # in which nothing is to be stored
            "innodb-flush-log-at-trx-commit": 0,
            "skip-log-bin": 1,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        variables = [f"{name}={value}" for name, value in self._libraries().items()]
        start = ["env", *variables, self.program, "--no-defaults"]
        return [*start, *self._base(), *self._user(), *options]

    def answers(self) -> bool:
        """Return whether the server lets the tests' user in, whose password no other knows."""
        import pymysql  # as any driver, for those who use it

        try:
            pymysql.connect(
                host=LOOPBACK, port=self.port, user=USER, password=self.password, database=DATABASE
            ).close()
        except pymysql.Error:
            return False
        return True
