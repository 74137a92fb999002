"""What a program in a container can do and see: as little as possible."""

import json
from collections.abc import Iterable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from tests.containers.compose import PASSWORD, Compose
from tests.containers.errors import Broken

SERVERS = {
    "postgres": "postgres:5432",
    "pgbouncer": "pgbouncer:5432",
    "redis": "redis:6379",
    "rabbitmq": "rabbitmq:5672",
    "mail": "mail:1025",
}
DATABASE, BROKER = {"postgres", "pgbouncer"}, {"redis", "rabbitmq"}
REACHED = {
    "web": DATABASE | BROKER,
    "worker": DATABASE | BROKER | {"mail"},
    "beat": BROKER,
    "flower": BROKER,
}
"""The servers that each program of the site reaches, if they run, and it reaches no others."""

CONNECT = """
import socket, sys, threading
def connect(name):
    host, _, port = name.partition(":")
    try:
        socket.create_connection((host, int(port)), 3).close()
        sys.stdout.write(name + " ")
    except OSError:
        pass
for name in sys.argv[1:]:
    threading.Thread(target=connect, args=[name]).start()
"""


def check(compose: Compose) -> None:
    """Raise Broken at the first right, way or password that is too much."""
    services = running(compose)
    for found in (rights(compose, services), ways(compose), passwords(compose, services)):
        if problem := next(found, None):
            raise Broken(problem)


def check_one(compose: Compose, service: str) -> None:
    """Raise Broken at the first right that the service has, or a password that anybody shows."""
    for found in (rights(compose, [service]), passwords(compose, running(compose))):
        if problem := next(found, None):
            raise Broken(problem)


def rights(compose: Compose, services: Iterable[str]) -> Iterator[str]:
    """Yield who is root, has a capability, can gain one, or can change the files of the image."""
    for service in services:
        said = compose.docker("exec", compose.container(service), "cat", "/proc/1/status")
        status = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
        if "0" in status["Uid"].split():
            yield f"{service} is root."
        if int(status["CapEff"], 16) or int(status["CapBnd"], 16):
            yield f"{service} has the capabilities {status['CapEff'].strip()}."
        if status["NoNewPrivs"].strip() != "1":
            yield f"{service} can gain rights."
        if writes(compose, service):
            yield f"{service} can write into the folder /usr."


def writes(compose: Compose, service: str) -> bool:
    """Return whether root itself could write into a folder of the image."""
    command = ("exec", "--user", "0", compose.container(service), "mkdir", "/usr/new")
    try:
        compose.docker(*command)
    except Broken as error:
        return "Read-only file system" not in str(error)
    return True


def ways(compose: Compose) -> Iterator[str]:
    """Yield who reaches a server that is none of its own, or does not reach its own."""
    there = SERVERS.keys() & {*running(compose)}
    with ThreadPoolExecutor() as pool:  # a name that nobody knows takes its seconds
        found = pool.map(lambda service: reached(compose, service, there), REACHED)
        for service, names in zip(REACHED, found, strict=True):
            if names != REACHED[service] & there:
                yield f"{service} reaches {names}, and should reach {REACHED[service] & there}."


def reached(compose: Compose, service: str, servers: Set[str]) -> set[str]:
    """Return which of the servers a program in the container reaches."""
    addresses = [SERVERS[each] for each in servers]
    inside = ("exec", compose.container(service), "python", "-c", CONNECT, *addresses)
    found = compose.docker(*inside).split()
    return {each for each in servers if SERVERS[each] in found}


def passwords(compose: Compose, services: Iterable[str]) -> Iterator[str]:
    """Yield where a password is shown: in variables, on command lines, in a log."""
    words = {PASSWORD, quote(PASSWORD, safe="")}
    for service in services:
        name = compose.container(service)
        shown = {
            "its description": json.dumps(json.loads(compose.docker("inspect", name))),
            "its processes": compose.docker("top", name),
            "its log": compose("logs", "--no-color", service),
        }
        yield from (
            f"{service} shows a password in {where}."
            for where, text in shown.items()
            if any(word in text for word in words)
        )


def running(compose: Compose) -> list[str]:
    """Return the services that run."""
    return sorted(service for service, state in compose.states().items() if state["Running"])
