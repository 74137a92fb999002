"""Kill and freeze containers, from outside, as the kernel or a host does."""

import concurrent.futures
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from core.stack.waiting import wait_until
from tests.containers.compose import IMAGE, Compose
from tests.containers.errors import Broken
from tests.containers.traffic import Traffic

KILLED = ("worker", "redis", "postgres", "web")
BEFORE, AFTER = 5, 5
"""How many articles are published before and after a kill."""

WAITING = 16
"""How many pages are asked for while the database is frozen: more than there are threads."""

LIVES_WITHIN = 2.0
"""Seconds within which ``/healthz`` answers, whatever else is the matter."""

READY_WITHIN = 8.0
"""Seconds within which ``/readyz`` says that the database does not answer."""


def kill(compose: Compose, service: str) -> None:
    """End the first process of the container by SIGKILL. Docker does not know that it was us.

    After ``docker kill`` a container is not started again. So a container that sees the processes
    of the host does it, on any engine.
    """
    number = compose.states()[service]["Pid"]
    code = f"import os; os.kill({number}, 9)"
    host = ("--rm", "--pid", "host", "--user", "0", "--network", "none")
    compose.docker("run", *host, "--entrypoint", "python", IMAGE, "-c", code)


def kill_under_load(compose: Compose, service: str, traffic: Traffic) -> float:
    """Kill the container amid the traffic. Return the seconds until all was healthy again."""
    traffic.wait_for(BEFORE)
    began = compose.states()[service]["StartedAt"]
    kill(compose, service)
    killed = time.monotonic()
    wait_until(
        lambda: compose.states()[service]["StartedAt"] != began, 60, f"{service} to start again"
    )
    wait_until(compose.are_healthy, 120, f"all services after {service} was killed", every=0.5)
    seconds = time.monotonic() - killed
    traffic.wait_for(AFTER)
    return seconds


@contextmanager
def frozen(compose: Compose, service: str) -> Iterator[None]:
    """Freeze the container in the block."""
    compose.docker("pause", compose.container(service))
    try:
        yield
    finally:
        compose.docker("unpause", compose.container(service))


def check_frozen_database(compose: Compose) -> float:
    """Return the seconds of the slowest ``/healthz`` while many pages wait. Raises Broken."""
    site = compose.url("WEB_PORT")
    with concurrent.futures.ThreadPoolExecutor(WAITING) as visitors:
        with frozen(compose, "postgres"):
            pages = [visitors.submit(status, f"{site}/", 90) for _ in range(WAITING)]
            slowest = max(seconds_of(f"{site}/healthz", 200, LIVES_WITHIN) for _ in range(5))
            seconds_of(f"{site}/readyz", 503, READY_WITHIN)
        answers = {each.result() for each in pages}
    if answers - {200, 500, 503}:  # 500 is that of a thread that had no connection yet
        raise Broken(f"While the database was frozen, pages were answered with {answers}.")
    wait_until(lambda: status(f"{site}/", 30) == 200, 60, "the site after the database went on")
    return slowest


def status(url: str, seconds: float) -> int:
    """Return the status of the page, or 0 if there is no answer in time."""
    try:
        return httpx.get(url, timeout=seconds, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def seconds_of(url: str, expected: int, within: float) -> float:
    """Return how long the answer takes. Raises Broken if it is another, or comes too late."""
    began = time.monotonic()
    found = status(url, within)
    if found != expected:
        raise Broken(f"{url} was answered with {found or 'nothing'} within {within:g} s.")
    return time.monotonic() - began
