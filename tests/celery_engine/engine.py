"""Docker's containers, or processes of this machine that take the same commands.

``client.containers.run(…)`` is the only thing that the tests ask of either. Every container sees
the host's network and processes, and this checkout at its own path.
"""

import signal as signals
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError

from tests.celery_engine.process import GRACE, Program

PROJECT = Path(__file__).parents[2]
IMAGE = "aftercommit-worker-of-tests"


class ProcessContainer:
    """The part of ``docker.models.containers.Container`` that a worker needs.

    ``status`` and ``attrs`` are a snapshot that ``reload()`` renews, as Docker's are.
    """

    def __init__(self, name: str, program: Program) -> None:
        self.id = uuid.uuid4().hex
        self.name = name
        self.program = program
        self.reload()

    def start(self) -> None:
        """Start the program, again if it has ended."""
        self.program.start()

    def kill(self, signal: str | int | None = None) -> None:
        """Send the signal to the container's first process: SIGKILL, unless another is given."""
        number = signals.Signals[signal] if isinstance(signal, str) else signal or signals.SIGKILL
        if not self.program.running:
            raise APIError(f"Container {self.name} is not running: it can't be sent a signal.")
        if number == signals.SIGKILL:
            self.program.kill()
        else:
            self.program.signal(number)

    def restart(self, timeout: float = GRACE) -> None:
        """Stop the program and start it again. Its log goes on."""
        self.program.stop(timeout)
        self.start()

    def pause(self) -> None:
        """Freeze every process of the container."""
        self.program.pause()

    def unpause(self) -> None:
        """Let the frozen processes go on."""
        self.program.resume()

    def wait(self, timeout: float = GRACE) -> dict[str, int]:
        """Return the exit status once the container ends; 128 + N after signal N."""
        self.program.wait(timeout)
        return {"StatusCode": self._exit_code()}

    def remove(self, force: bool = False) -> None:
        """End the container. One that runs is removed by force only, as with Docker."""
        if self.program.running and not force:
            raise APIError(f"Container {self.name} is running: stop it first, or use force.")
        if self.program.running:
            self.program.kill()

    def logs(self) -> bytes:
        """Return what the program wrote to its standard output and error."""
        return self.program.log.read_bytes()

    @property
    def status(self) -> str:
        """``created``, ``running`` or ``exited``, as it was at the last ``reload()``."""
        return str(self.attrs["State"]["Status"])

    def reload(self) -> None:
        """Renew ``status`` and ``attrs``."""
        state = {"Status": self._status(), "ExitCode": self._exit_code(), "Pid": self._pid()}
        nowhere: dict[str, Any] = {"Networks": {}, "Ports": {}}
        self.attrs: dict[str, Any] = {"State": state, "NetworkSettings": nowhere}

    def _status(self) -> str:
        if self.program.running:
            return "running"
        return "exited" if self.program.started else "created"

    def _exit_code(self) -> int:
        status = self.program.returncode or 0
        return status if status >= 0 else 128 - status

    def _pid(self) -> int:
        return self.program.pid if self.program.started else 0


class ProcessEngine:
    """The part of ``docker.DockerClient`` that the tests use: ``containers.run``."""

    def __init__(self, folder: Path) -> None:
        self.containers = self
        self._folder = folder

    def run(
        self, image: str, command: Sequence[str], *, name: str, environment: Mapping[str, str]
    ) -> ProcessContainer:
        """Return a started container. Its image is what is installed here."""
        log = self._folder / f"{uuid.uuid4().hex}.log"
        program = Program(command, env=environment, cwd=PROJECT, log=log)
        container = ProcessContainer(name, program)
        container.start()
        return container

    def close(self) -> None:
        """Do nothing: each test removes its containers."""


class DockerEngine:
    """Docker, with containers that share the host's network and processes, and this checkout."""

    def __init__(self) -> None:
        self.containers = self
        self._client = docker.from_env()
        self._client.images.build(path=str(PROJECT), tag=IMAGE)

    def run(
        self, image: str, command: Sequence[str], *, name: str, environment: Mapping[str, str]
    ) -> Any:
        """Return a started container of the project's image, which runs this checkout's code."""
        return self._client.containers.run(
            IMAGE,
            ["python", *command[1:]],
            name=f"{name.replace('@', '-')}-{uuid.uuid4().hex[:8]}",
            environment=dict(environment),
            entrypoint="",
            working_dir=str(PROJECT),
            volumes={path: {"bind": path, "mode": "rw"} for path in (str(PROJECT), "/tmp")},  # noqa: S108  # the tests' folders
            network_mode="host",
            pid_mode="host",
            detach=True,
        )

    def close(self) -> None:
        """Let the client go."""
        self._client.close()


Engine = ProcessEngine | DockerEngine
