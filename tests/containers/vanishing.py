"""Hosts whose packets vanish: nobody refuses a connection, and nobody answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.containers.compose import IMAGE
from tests.containers.docker import Docker

PROGRAM = Path(__file__).with_name("black_hole.py").read_text()


@contextmanager
def vanished(docker: Docker, container: str) -> Iterator[None]:
    """Have all that the container sends vanish in the block."""
    black_hole(docker, container, "add")
    try:
        yield
    finally:
        black_hole(docker, container, "delete")


def black_hole(docker: Docker, container: str, kind: str) -> None:
    """Add or delete the black hole, by a program in the container's network."""
    inside = ("--network", f"container:{container}", "--cap-add", "NET_ADMIN", "--user", "0")
    docker("run", "--rm", *inside, "--entrypoint", "python", IMAGE, "-c", PROGRAM, kind)
