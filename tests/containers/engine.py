"""The engine that runs the containers: the one of this machine, or one of our own."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.containers.docker import Docker, client_environment
from tests.containers.own_engine import OwnEngine
from tests.tools.demo.progress import Screen


@contextmanager
def engine(screen: Screen) -> Iterator[Docker]:
    """Yield an engine that runs. Raises CannotRun if there is none and none can be had."""
    if runs_here():
        screen.line("The containers run on the engine of this machine.")
        yield Docker(client_environment(), stands_in=False)
        return
    with OwnEngine() as own:
        screen.line("No engine runs here. So one runs for this, from Debian's packages.")
        yield Docker(own.environment, stands_in=True)


def runs_here() -> bool:
    """Return whether an engine of this machine answers."""
    if not shutil.which("docker"):
        return False
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    return asked.returncode == 0
