"""Take all of the server's attention, with few connections and almost no bytes."""

from core.stack.waiting import wait_until
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries
from tests.tools.slow_clients.crowd import (
    Crowd,
    besieged,
    dripping_heads,
    non_readers,
    slow_bodies,
)
from tests.tools.slow_clients.trials import LARGE
from tests.tools.slow_clients.visitors import Visits, visited

PATHS = ("/healthz", "/", "/login/")
ASKED = 40
"""How often each page is asked for while the crowd is there."""
PATIENCE = 60


def visit(target: Target, tries: Tries, crowd: Crowd) -> None:
    """Visit pages while the crowd is there. Each visit must be answered."""
    port = target.config.web_port
    with besieged(port, crowd), visited(port, PATHS) as visits:
        wait_until(lambda: all(is_enough(each) for each in visits), PATIENCE, "the visits")
    for each in visits:
        for _ in each.seconds:
            tries.hold(True, "")
        for failure in each.failures:
            tries.hold(False, f"{each.path} beside {crowd.count} {crowd.name}: {failure}")


def is_enough(visits: Visits) -> bool:
    """Return whether the page was asked for often enough."""
    return len(visits.seconds) + len(visits.failures) >= ASKED


@attack
def heads(target: Target, tries: Tries) -> None:
    """Have 30 clients drip the heads of requests that never end, and visit pages beside them."""
    visit(target, tries, dripping_heads(30))


@attack
def bodies(target: Target, tries: Tries) -> None:
    """Have 30 clients drip the bodies of forms that never end, and visit pages beside them."""
    visit(target, tries, slow_bodies(30))


@attack
def readers(target: Target, tries: Tries) -> None:
    """Have 30 clients ask for large pages and read nothing, and visit pages beside them."""
    visit(target, tries, non_readers(30, LARGE, 22))
