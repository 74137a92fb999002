"""What a deploy asks of Docker and of Compose."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from core.deploy.errors import DeployError

Run = Callable[[Sequence[str]], str]
"""A function that runs a program, and returns what it wrote. Raises DeployError."""

LABEL = "com.docker.compose"


class Container(NamedTuple):
    """A container of a service."""

    number: int
    """The number that Compose gave it among the containers of its service."""
    name: str
    image: str
    """The id of its image."""
    running: bool
    healthy: bool
    restarts: int


def run(command: Sequence[str]) -> str:
    """Run the program. Return what it wrote. Raises DeployError with the last of its words."""
    done = subprocess.run(  # noqa: S603  # the words are ours
        command, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise DeployError(f"`{' '.join(command)}` ended with {done.returncode}:\n{said}")
    return done.stdout.strip()


def find_compose() -> list[str]:
    """Return how Compose is called here. Raises DeployError if there is none."""
    if not shutil.which("docker"):
        raise DeployError("There is no `docker` here. Install Docker Engine and its Compose.")
    with suppress(DeployError):
        run(["docker", "compose", "version"])
        return ["docker", "compose"]
    if found := shutil.which("docker-compose"):
        return [found]
    raise DeployError("There is no `docker compose` here. Install Docker's plugin for Compose.")


class Engine:
    """Commands for the containers of one project."""

    def __init__(self, compose: Sequence[str], run: Run = run) -> None:
        self._compose, self._run = compose, run
        config = json.loads(self.compose("config", "--format", "json"))
        self.project: str = config["name"]
        self.app: Mapping[str, Any] = config["services"]["web"]
        """What Compose says of the web servers, whose image is that of all programs."""

    def compose(self, *words: str) -> str:
        """Run a command of Compose. Raises DeployError."""
        return self._run([*self._compose, *words])

    def docker(self, *words: str) -> str:
        """Run a command of Docker. Raises DeployError."""
        return self._run(["docker", *words])

    def containers(self, service: str) -> list[Container]:
        """Return the containers of the service in the order of numbers, also those that stopped."""
        labels = {"project": self.project, "service": service, "oneoff": "False"}
        filters = [f"--filter=label={LABEL}.{name}={value}" for name, value in labels.items()]
        ids = self.docker("ps", "--all", "--quiet", *filters).split()
        return self.look(ids)

    def look(self, names: Sequence[str]) -> list[Container]:
        """Return the containers as they are now."""
        found = json.loads(self.docker("inspect", *names)) if names else []
        return sorted(container_of(each) for each in found)

    def logs(self, name: str, lines: int) -> str:
        """Return the last lines of a container's log. Docker writes some of them as errors."""
        script = 'exec docker logs --tail "$1" "$2" 2>&1'
        return self._run(["sh", "-c", script, "sh", str(lines), name])

    def image(self) -> str:
        """Return the id of the image that a new container would have, or "" if there is none."""
        try:
            return self.docker("image", "inspect", "--format", "{{.Id}}", self.app["image"])
        except DeployError:
            return ""


def container_of(described: Mapping[str, Any]) -> Container:
    """Return the container that Docker describes. Without a health check one that runs is well."""
    state = described["State"]
    running = bool(state["Running"]) and not state.get("Restarting")
    return Container(
        number=int(described["Config"]["Labels"][f"{LABEL}.container-number"]),
        name=described["Name"].lstrip("/"),
        image=described["Image"],
        running=running,
        healthy=running and state.get("Health", {}).get("Status", "healthy") == "healthy",
        restarts=described["RestartCount"],
    )
