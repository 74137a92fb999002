"""The engine's command line, whichever engine it is."""

import os
import subprocess
from collections.abc import Mapping, Sequence

from tests.containers.errors import Broken


class Docker:
    """Commands for one engine. ``stands_in`` says that its base images are stand-ins."""

    def __init__(self, environment: Mapping[str, str], *, stands_in: bool) -> None:
        self.environment = environment
        self.stands_in = stands_in

    def __call__(self, *words: str, given: str = "", seconds: float = 300) -> str:
        """Return what the command writes, without blanks at its end. Raises Broken."""
        return self.run(["docker", *words], given, seconds)

    def run(
        self,
        command: Sequence[str],
        given: str = "",
        seconds: float = 300,
        more: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program that talks to the engine, with more variables if any are given."""
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            env={**self.environment, **(more or {})},
        )
        if done.returncode:
            words = " ".join(command)[:200]
            raise Broken(f"{words} ended with {done.returncode}: {done.stderr[-2000:].strip()}")
        return done.stdout.strip()

    def image(self, name: str, wanted: str) -> str:
        """Return what is wanted of the image, as a Go template, or "" if there is no such image."""
        try:
            return self("image", "inspect", "--format", wanted, name)
        except Broken:
            return ""

    @property
    def has_start_interval(self) -> bool:
        """Return whether health checks can be more frequent at the start: from version 25 on."""
        return version_of(self("version", "--format", "{{.Server.APIVersion}}")) >= (1, 44)


def version_of(text: str) -> tuple[int, ...]:
    """Return the numbers of a version, which compare as numbers do."""
    return tuple(int(part) for part in text.split("."))


def client_environment(**ours: str) -> dict[str, str]:
    """Return the variables that a client of the engine needs, and no others of this process.

    Compose puts variables into ``docker-compose.yml``. Those of the person's own installation are
    not wanted here.
    """
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK")
    mine = {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith("DOCKER_")
    }
    return {**mine, **ours}
