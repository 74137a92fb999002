"""A process that commits is killed at each step of the way to the broker, or exits at once."""

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.client import HTTPException

import pytest

from aftercommit.models import OutboxCall
from content.models import Article
from tests.celery_engine.broker import Broker
from tests.celery_engine.process import Program
from tests.reliability.conftest import Gate, StartWeb, StartWorker, Web
from tests.reliability.state import TIMEOUT, wait_settled, written

pytestmark = pytest.mark.django_db(transaction=True)

StartCommit = Callable[..., Program]
KillWeb = Callable[[str], Web]
WorkOff = Callable[[], None]

# On PostgreSQL there is nothing between the calls and COMMIT: one message carries both.
sent_on_its_own = partial(
    pytest.param,
    marks=pytest.mark.only_on("sqlite", "mysql", reason="COMMIT is sent with the calls"),
)

IN_THE_THREAD = ["in the wake thread", "flag read", "wake-up sent"]


def views(article: Article) -> int:
    """How many views were counted."""
    return Article.objects.get(pk=article.pk).view_count


@pytest.fixture
def kill_web(start_web: StartWeb, gate: Gate, article: Article) -> KillWeb:
    """Kill the site at a point that it comes to with a request: ``kill_web("before COMMIT")``.

    Each request is a transaction, as with ATOMIC_REQUESTS, unless its call is to be alone.
    """

    def kill(point: str) -> Web:
        alone = point.startswith("alone")
        web = start_web(point=point, env=None if alone else {"ATOMIC_REQUESTS": "1"})

        def view() -> None:
            with suppress(OSError, HTTPException):  # the web server may die of it
                web.get(article.get_absolute_url())

        thread = threading.Thread(target=view)
        thread.start()
        gate.wait_reached()
        web.kill()
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        return web

    return kill


@pytest.fixture
def work_off(start_worker: StartWorker) -> WorkOff:
    """Start a worker, and wait until it has settled all."""

    def work_off() -> None:
        start_worker()
        wait_settled()

    return work_off


class TestKilled:
    """SIGKILL, at a point that the process has reached and not left."""

    @pytest.mark.parametrize(
        "point", ["calls not stored", sent_on_its_own("before COMMIT"), "alone, not stored"]
    )
    def test_before_commit(
        self, kill_web: KillWeb, work_off: WorkOff, gate: Gate, article: Article, point: str
    ) -> None:
        """Nothing happened: not the change, and none of its effects."""
        web = kill_web(point)
        assert not OutboxCall.objects.exists()
        gate.open()
        web.start()
        web.wait_ready()
        web.get(article.get_absolute_url())
        work_off()
        assert views(article) == 1

    @pytest.mark.parametrize("point", ["after COMMIT", "alone, stored", *IN_THE_THREAD])
    def test_after_commit(
        self, kill_web: KillWeb, work_off: WorkOff, article: Article, point: str
    ) -> None:
        """The effects happen, once, whether or not a wake-up left."""
        kill_web(point)
        assert OutboxCall.objects.count() == 1
        work_off()
        assert views(article) == 1


class TestRequest:
    """What a request waits for."""

    @pytest.mark.parametrize("point", IN_THE_THREAD)
    def test_answered_before_the_wake_up(
        self, start_web: StartWeb, work_off: WorkOff, gate: Gate, article: Article, point: str
    ) -> None:
        """Requests are answered while the thread is still on its way to the broker."""
        web = start_web(point=point)
        assert web.get(article.get_absolute_url()) == 200
        gate.wait_reached()
        assert web.get(article.get_absolute_url()) == 200
        assert OutboxCall.objects.count() == 2
        gate.open()
        work_off()
        assert views(article) == 2


class TestExit:
    """A process that commits and exits at once."""

    def test_sends_its_wake_up(self, start_commit: StartCommit, broker: Broker) -> None:
        """It ends when the broker has its wake-up."""
        assert start_commit().wait(TIMEOUT) == 0
        with broker.client() as client:
            assert client.llen("celery") == 1
        assert OutboxCall.objects.count() == 1

    @pytest.mark.parametrize("fault", ["stopped", "black hole"])
    def test_without_broker(
        self, start_commit: StartCommit, work_off: WorkOff, broker: Broker, fault: str
    ) -> None:
        """It ends by itself, without an error, and nothing is lost."""
        broker.stop() if fault == "stopped" else broker.pause()
        commit = start_commit()
        assert commit.wait(TIMEOUT) == 0
        assert "Traceback" not in commit.logs()
        broker.restore()
        work_off()
        assert written() == ["a"]

    def test_killed(
        self, start_commit: StartCommit, work_off: WorkOff, gate: Gate, broker: Broker
    ) -> None:
        """Killed while it waits for its last wake-up, it loses nothing."""
        broker.pause()
        commit = start_commit(point="at exit")
        gate.wait_reached()
        commit.kill()
        assert commit.returncode == -signal.SIGKILL
        broker.restore()
        work_off()
        assert written() == ["a"]
