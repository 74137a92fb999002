"""The database's host vanishes under load, and the broker's."""

import concurrent.futures
import time
from collections.abc import Iterator
from typing import Any

import httpx

from aftercommit.db.postgresql.vanished import PARAMETERS
from core.serving.limits import THREADS
from core.stack.waiting import wait_until
from tests.containers.compose import Compose
from tests.containers.errors import Broken
from tests.containers.faults import LIVES_WITHIN, WAITING, seconds_of, status
from tests.containers.traffic import Traffic
from tests.containers.vanishing import vanished

PROCESSES = 2
"""How many processes the web server has."""

NOTICES_WITHIN = PARAMETERS["tcp_user_timeout"] / 1000 + PARAMETERS["connect_timeout"]
"""Seconds in which a page sees that its connection is dead, and that there is no other."""

SLACK = 10.0
"""Seconds for a machine that does much else."""

AWAY = 12
"""Seconds for which the broker is away: longer than Redis is not asked again after a failure."""

SLOWED = 3.0
"""How many times longer a request may take without a broker."""


def check_database_gone(compose: Compose, traffic: Traffic) -> str:
    """Have the database's host vanish under load. Return how long what took. Raises Broken."""
    traffic.wait_for(2)
    site, began = compose.url("WEB_PORT"), starts(compose)
    with concurrent.futures.ThreadPoolExecutor(WAITING) as visitors:
        with vanished(compose.docker, compose.container("postgres")):
            pages = [visitors.submit(visit, f"{site}/") for _ in range(WAITING)]
            slowest = max(seconds_of(f"{site}/healthz", 200, LIVES_WITHIN) for _ in watch(pages))
            found = {page.result() for page in pages}
        judge_pages(found)
    traffic.wait_for(2)
    if changed := began ^ starts(compose):
        raise Broken(f"With the database's host vanished these started again: {changed}.")
    last = max(seconds for _, seconds in found)
    return f"/healthz at most {slowest * 1000:.0f} ms, {WAITING} pages at most {last:.0f} s"


def visit(url: str) -> tuple[int, float]:
    """Return the page's status, and the seconds that it took."""
    began = time.monotonic()
    return status(url, 60), time.monotonic() - began


def watch(pages: list[concurrent.futures.Future[Any]]) -> Iterator[None]:
    """Yield twice a second until all pages are answered."""
    yield
    while concurrent.futures.wait(pages, 0.5).not_done:
        yield


def judge_pages(found: set[tuple[int, float]]) -> None:
    """Raise Broken unless all pages were refused within what the connection's options say."""
    turns = -(-WAITING // (THREADS * PROCESSES)) + 1  # the traffic's is one more
    limit = turns * NOTICES_WITHIN + SLACK
    for code, seconds in found:
        if code < httpx.codes.INTERNAL_SERVER_ERROR or seconds > limit:
            raise Broken(
                f"With the database's host vanished a page was answered with {code} after "
                f"{seconds:.0f} s. Expected an error within {limit:.0f} s."
            )


def starts(compose: Compose) -> set[tuple[str, str]]:
    """Return when each container was started."""
    return {(each.name, each.state["StartedAt"]) for each in compose.containers()}


def check_broker_gone(compose: Compose, traffic: Traffic) -> str:
    """Have the broker's host vanish under load. Raises Broken if that costs a request anything."""
    before = slowest_of(traffic, 0)
    began = starts(compose)
    with vanished(compose.docker, compose.container("redis")):
        during = slowest_of(traffic, AWAY)
    traffic.wait_for(2)
    if during > SLOWED * max(before, 1):
        raise Broken(f"Without its broker an article took {during:.1f} s, before {before:.1f} s.")
    if changed := began ^ starts(compose):
        raise Broken(f"With the broker's host vanished these started again: {changed}.")
    return f"an article at most {during:.1f} s, before {before:.1f} s"


def slowest_of(traffic: Traffic, seconds: float) -> float:
    """Return the seconds of the slowest article in that time, and of five at least.

    Raises Broken if one is refused, and TimeoutError.
    """
    first, refused = len(traffic.seconds), traffic.refused
    over = time.monotonic() + seconds
    traffic.wait_for(5)
    wait_until(lambda: time.monotonic() >= over, seconds + 1, "the time to be over")
    if traffic.refused > refused:
        raise Broken(f"The site refused {traffic.refused - refused} times to publish an article.")
    return max(traffic.seconds[first:])
