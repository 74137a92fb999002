"""A process that answers as a Docker container does, as far as the test tools ask."""

import os
import signal as signals
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from docker.errors import APIError
from docker.models.containers import ExecResult

from core.stack.ports import LOOPBACK, free_port
from core.stack.waiting import wait_until
from tests.celery_engine.archives import pack, unpack
from tests.celery_engine.ports import is_open, socket_table
from tests.celery_engine.process import GRACE, Program
from tests.celery_engine.spec import Spec, host_command, signal_number

SOCKET_TABLES = "cat /proc/net/"
EXEC_TIMEOUT = 60


class ProcessContainer:
    """The part of ``docker.models.containers.Container`` that the test tools use.

    ``status`` and ``attrs`` are a snapshot that ``reload()`` renews, as Docker's are.
    """

    def __init__(
        self, spec: Spec, root: Path, removed: Callable[["ProcessContainer"], None]
    ) -> None:
        self.spec = spec
        self._removed = removed
        self.name = spec.name
        self.labels = dict(spec.labels)
        self.id = uuid.uuid4().hex * 2
        self.hostname = self.id[:12]
        self.root = root / self.hostname
        self.root.mkdir(parents=True)
        self.ports = {port: number or free_port() for port, number in spec.ports.items()}
        self.program = Program(
            self._host_command(spec.command) if spec.command else [],
            env={**self._base_environment(), **spec.host_environment()},
            cwd=spec.workdir() or self.root,
            log=self.root / "log",
        )
        self.reload()

    def _host_command(self, command: str | Sequence[str]) -> list[str]:
        return host_command(command, self.hostname, self.root, self.ports)

    def _base_environment(self) -> dict[str, str]:
        """What a program can't do without; nothing else of the session's own environment."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.root),
            "HOSTNAME": self.hostname,
            "LANG": "C.UTF-8",
        }

    def start(self) -> None:
        """Start the program; returns when its ports answer, or when it has ended."""
        if not self.program.command:
            raise APIError(
                f"Image {self.spec.image} is only a name here: give {self.name} a command."
            )
        self.program.start()
        wait_until(lambda: self._answers() or not self.program.running, GRACE, self._starting)

    def kill(self, signal: str | int | None = None) -> None:
        """Send the signal (SIGKILL unless given) to the container's first process."""
        number = signal_number(signal)
        if not self.program.running:
            raise APIError(f"Container {self.name} is not running: it can't be sent a signal.")
        if number == signals.SIGKILL:
            self.program.kill()
        else:
            self.program.signal(number)

    def stop(self, timeout: float = GRACE) -> None:
        """SIGTERM, and SIGKILL ``timeout`` seconds later."""
        self.program.stop(timeout)

    def restart(self, timeout: float = GRACE) -> None:
        """Stop and start again: with the same ports and files, the log goes on."""
        self.stop(timeout)
        self.start()

    def pause(self) -> None:
        """Freeze every process of the container."""
        self.program.pause()

    def unpause(self) -> None:
        """Let the frozen processes go on."""
        self.program.resume()

    def wait(self, timeout: float = GRACE) -> dict[str, int]:
        """The exit status, once the container ends; 128 + N after signal N."""
        self.program.wait(timeout)
        return {"StatusCode": self._exit_code()}

    def remove(self, force: bool = False) -> None:
        """End the container; one that runs only by ``force``, as with Docker."""
        if self.program.running and not force:
            raise APIError(f"Container {self.name} is running: stop it first, or use force.")
        if self.program.running:
            self.program.kill()
        self._removed(self)

    @property
    def status(self) -> str:
        """``created``, ``running`` or ``exited``, as it was at the last ``reload()``."""
        return str(self.attrs["State"]["Status"])

    def reload(self) -> None:
        """Renew ``status`` and ``attrs``."""
        ports = {port: _binding(number) for port, number in self.ports.items()}
        self.attrs: dict[str, Any] = {
            "Id": self.id,
            "Name": f"/{self.name}",
            "State": {"Status": self._status(), "ExitCode": self._exit_code()},
            "Config": {
                "Env": [f"{name}={value}" for name, value in self.spec.environment.items()],
                "Hostname": self._address(),
                "Labels": self.labels,
            },
            "HostConfig": {"PortBindings": ports},
            "NetworkSettings": {
                "Networks": {self.spec.network: {"IPAddress": LOOPBACK}},
                "Ports": ports if self.program.running else {},
            },
            "Mounts": [
                {"Type": "volume", "Name": volume.name, "Destination": path}
                for path, volume in self.spec.mounts.items()
            ],
        }

    def logs(self) -> bytes:
        """What the program wrote to its standard output and error."""
        return self.program.log.read_bytes()

    def exec_run(
        self, cmd: str | Sequence[str], environment: dict[str, str] | None = None
    ) -> ExecResult:
        """The exit status and the output of another command, run where the container runs."""
        if isinstance(cmd, str) and cmd.startswith(SOCKET_TABLES):
            return ExecResult(0, socket_table(self.ports))
        done = subprocess.run(
            self._host_command(cmd),
            env={**self.program.env, **(environment or {})},
            cwd=self.program.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=EXEC_TIMEOUT,
            check=False,
        )
        return ExecResult(done.returncode, done.stdout)

    def put_archive(self, path: str, data: bytes | IO[bytes]) -> bool:
        """Unpack a tar archive into a folder of the container."""
        unpack(data, self._host_path(path))
        return True

    def get_archive(self, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        """A file or a folder of the container as a tar archive, and what it is called."""
        source = self._host_path(path)
        return iter([pack(source)]), {"name": source.name}

    def _host_path(self, path: str) -> Path:
        return self.spec.host_path(path) or self.root / path.lstrip("/")

    def _answers(self) -> bool:
        return all(is_open(number) for number in self.ports.values())

    def _starting(self) -> str:
        return f"container {self.name} opened its ports. It wrote:\n{self.program.logs()}"

    def _status(self) -> str:
        if self.program.running:
            return "running"
        return "exited" if self.program.started else "created"

    def _exit_code(self) -> int:
        status = self.program.returncode or 0
        return status if status >= 0 else 128 - status

    def _address(self) -> str:
        """What other containers reach this one by.

        A process has no address of its own and no name service, so the port goes with the host:
        pytest-celery puts the container's hostname where a URL has both.
        """
        return next((f"{LOOPBACK}:{port}" for port in self.ports.values()), self.hostname)


def _binding(port: int) -> list[dict[str, str]]:
    return [{"HostIp": LOOPBACK, "HostPort": str(port)}]
