"""What was asked of a container, and where its paths are on this machine."""

import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from docker.errors import DockerException

from core.stack.redis_server import redis_command
from tests.celery_engine.resources import Volume


@dataclass(frozen=True)
class Spec:
    """The arguments of ``containers.run`` that matter to a process."""

    image: str
    command: Sequence[str]
    name: str
    network: str = "bridge"
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int | None] = field(default_factory=dict)
    """The host's number of each container port ("6379/tcp"); None lets the engine choose."""
    mounts: Mapping[str, Volume] = field(default_factory=dict)
    """The volume at each path of the container."""

    def workdir(self) -> Path | None:
        """The folder that the program starts in: its first volume, where a worker's code is."""
        return next((volume.path for volume in self.mounts.values()), None)

    def host_path(self, path: str) -> Path | None:
        """Where a path of the container is on this machine; None when no volume has it."""
        for bind, volume in self.mounts.items():
            if PurePosixPath(path).is_relative_to(bind):
                return volume.path / PurePosixPath(path).relative_to(bind)
        return None

    def host_environment(self) -> dict[str, str]:
        """The environment, with the paths of volumes (``PYTHONPATH=/app``) as they are here."""
        return {name: self._host_paths(value) for name, value in self.environment.items()}

    def _host_paths(self, value: str) -> str:
        parts = value.split(os.pathsep)
        return os.pathsep.join(str(self.host_path(part) or part) for part in parts)


def host_command(
    command: str | Sequence[str], hostname: str, folder: Path, ports: Mapping[str, int]
) -> list[str]:
    """The command line that does on this machine what ``command`` does in a container.

    ``hostname`` takes the place of ``%h``, which Celery would fill in with this machine's name;
    a server keeps its files in ``folder`` and listens where ``ports`` says.
    """
    name, *arguments = shlex.split(command) if isinstance(command, str) else command
    arguments = [argument.replace("@%h", f"@{hostname}") for argument in arguments]
    match name:
        case "celery":
            return [sys.executable, "-m", "celery", *arguments]
        case "python":
            return [sys.executable, *arguments]
        case "redis-server":
            # "notice": pytest-celery waits for the line in which the server says that it is ready.
            server = [*map(str, redis_command(ports["6379/tcp"], folder)), "--loglevel", "notice"]
            return [*server, *arguments]
    raise DockerException(
        f"The process engine can't run {name!r}: expected celery, python or redis-server. "
        "Run the test with --celery-engine=docker, or teach host_command() the program."
    )


def signal_number(given: str | int | None) -> int:
    """The number of a signal in any form that Docker takes: "SIGTERM", "TERM", 15 or None."""
    if given is None:
        return signal.SIGKILL
    if isinstance(given, int):
        return given
    return signal.Signals[given if given.startswith("SIG") else f"SIG{given}"]
