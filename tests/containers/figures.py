"""What the containers cost: sizes, memory, processes, and how they end."""

from tests.containers.compose import IMAGE, Compose
from tests.containers.docker import Docker
from tests.containers.errors import Broken

MEGABYTE = 1_000_000


def size(docker: Docker, image: str = IMAGE) -> int:
    """Return how many megabytes the image has."""
    return int(docker.image(image, "{{.Size}}")) // MEGABYTE


def memory(compose: Compose) -> list[str]:
    """Return a line for each container: its memory, its limit, and how many processes it has."""
    wanted = "{{.Name}}\t{{.MemUsage}}\t{{.PIDs}}"
    names = [each.name for each in compose.containers() if each.state["Running"]]
    rows = compose.docker("stats", "--no-stream", "--format", wanted, *names).splitlines()
    return [line(*row.split("\t")) for row in rows]


def line(name: str, used: str, processes: str) -> str:
    """Return a line of the table."""
    return f"  {name:<30} {used:<28} {processes} processes"


def stop(compose: Compose) -> dict[str, int]:
    """Stop all containers in good order. Return the exit codes. Raises Broken for any but 0."""
    compose("stop")
    codes = {each.name: each.state["ExitCode"] for each in compose.containers()}
    if bad := {service: code for service, code in codes.items() if code}:
        raise Broken(f"These did not stop in good order: {bad}.")
    return codes
