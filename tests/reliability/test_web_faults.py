"""A process that commits is killed at each step of the way to the broker, or exits at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException

import pytest

from content.models import Article
from core.models import OutboxCall
from tests.celery_engine.broker import Broker
from tests.celery_engine.process import Program
from tests.reliability.conftest import Gate, StartWeb, StartWorker, Web
from tests.reliability.state import TIMEOUT, wait_settled, written

pytestmark = pytest.mark.django_db(transaction=True)

StartCommit = Callable[..., Program]

IN_THE_THREAD = ["in the wake thread", "flag set", "wake-up sent"]


def views(article: Article) -> int:
    """How many views were counted."""
    return Article.objects.get(pk=article.pk).view_count


@contextmanager
def view_in_background(web: Web, article: Article) -> Iterator[None]:
    """Look at the article, in a thread; the web server may die of it."""

    def view() -> None:
        with suppress(OSError, HTTPException):
            web.get(article.get_absolute_url())

    thread = threading.Thread(target=view)
    thread.start()
    yield
    thread.join(TIMEOUT)
    assert not thread.is_alive()


class TestKilled:
    """SIGKILL, at a point that the process has reached and not left."""

    @pytest.mark.parametrize("point", ["calls not stored", "before COMMIT"])
    def test_before_commit(
        self,
        start_web: StartWeb,
        start_worker: StartWorker,
        gate: Gate,
        article: Article,
        point: str,
    ) -> None:
        """Nothing happened: not the change, and none of its effects."""
        web = start_web(point=point)
        with view_in_background(web, article):
            gate.wait_reached()
            web.kill()
        assert not OutboxCall.objects.exists()
        gate.open()
        web.start()
        web.wait_ready()
        start_worker()
        web.get(article.get_absolute_url())
        wait_settled()
        assert views(article) == 1

    @pytest.mark.parametrize("point", ["after COMMIT", *IN_THE_THREAD])
    def test_after_commit(
        self,
        start_web: StartWeb,
        start_worker: StartWorker,
        gate: Gate,
        article: Article,
        point: str,
    ) -> None:
        """The effects happen, once, whether or not a wake-up left, or only its flag was set."""
        web = start_web(point=point)
        with view_in_background(web, article):
            gate.wait_reached()
            web.kill()
        assert OutboxCall.objects.count() == 1
        start_worker()
        wait_settled()
        assert views(article) == 1


class TestRequest:
    """What a request waits for."""

    @pytest.mark.parametrize("point", IN_THE_THREAD)
    def test_answered_before_the_wake_up(
        self,
        start_web: StartWeb,
        start_worker: StartWorker,
        gate: Gate,
        article: Article,
        point: str,
    ) -> None:
        """Requests are answered while the thread is still on its way to the broker."""
        web = start_web(point=point)
        assert web.get(article.get_absolute_url()) == 200
        gate.wait_reached()
        assert web.get(article.get_absolute_url()) == 200
        assert OutboxCall.objects.count() == 2
        gate.open()
        start_worker()
        wait_settled()
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
        self, start_commit: StartCommit, start_worker: StartWorker, broker: Broker, fault: str
    ) -> None:
        """It ends by itself, without an error, and nothing is lost."""
        broker.stop() if fault == "stopped" else broker.pause()
        commit = start_commit()
        assert commit.wait(TIMEOUT) == 0
        assert "Traceback" not in commit.logs()
        broker.restore()
        start_worker()
        wait_settled()
        assert written() == ["a"]

    def test_killed(
        self, start_commit: StartCommit, start_worker: StartWorker, gate: Gate, broker: Broker
    ) -> None:
        """Killed while it waits for its last wake-up, it loses nothing."""
        broker.pause()
        commit = start_commit(point="at exit")
        gate.wait_reached()
        commit.kill()
        assert commit.returncode == -signal.SIGKILL
        broker.restore()
        start_worker()
        wait_settled()
        assert written() == ["a"]
