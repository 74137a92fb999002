"""What vanishes, and what is killed beside it, in order."""

from collections.abc import Callable, Iterator

from tests.containers import beat, hunger, outages
from tests.containers.compose import Compose
from tests.containers.gone_worker import GoneWorker
from tests.containers.traffic import Traffic

Step = tuple[str, Callable[[], object]]


def under_load(compose: Compose, traffic: Traffic) -> Iterator[Step]:
    """Yield each step with its title. A worker is missed after 30 s, which others use."""
    yield "The broker's host vanishes", lambda: outages.check_broker_gone(compose, traffic)
    yield "The database's host vanishes", lambda: outages.check_database_gone(compose, traffic)
    gone = GoneWorker(compose)
    yield "A worker's host vanishes", gone.vanish
    yield "kill -9 beat", lambda: beat.check_killed(compose)
    yield "A call takes all memory", lambda: hunger.check_hungry_call(compose)
    yield "/readyz names the worker", gone.check_named
    yield "The worker is back", gone.come_back
