"""A server that is restarted while web and workers are connected."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from content.models import Article
from core.stack.waiting import wait_until
from tests.celery_engine.worker import ProjectWorker
from tests.factories import ArticleFactory
from tests.plugins.servers import OWN_POSTGRES
from tests.reliability import tasks
from tests.reliability.conftest import Gate, StartWeb, StartWorker
from tests.reliability.database.calls import NAMES
from tests.reliability.database.faults import postgres_only
from tests.reliability.state import TIMEOUT, journals, left, wait_settled, written
from tests.tools.servers.postgres import PostgresServer

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]


class TestRestart:
    """A server that is restarted while everybody is connected."""

    @pytest.fixture
    def server(self, request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
        """The server of the run; running after the test, whatever happens."""
        server = request.config.stash.get(OWN_POSTGRES, None)
        if server is None:
            pytest.fail("TEST_DATABASE_URL names a server that a test can't stop. Leave it unset.")
        server.chosen_port = server.port  # clients have the address: come back there or fail
        connection.close()
        yield server
        connection.close()
        if not server.running:
            server.start()

    def test_idle(
        self, start_web: StartWeb, start_worker: StartWorker, server: PostgresServer
    ) -> None:
        """Web and worker have connections again as soon as it is back, and lose nothing."""
        article: Article = ArticleFactory(published=True)
        web = start_web()
        worker = start_worker(2)

        def views() -> int:
            return Article.objects.values_list("view_count", flat=True).get()

        for before in range(3):
            assert web.get(article.get_absolute_url()) == 200
            wait_until(lambda: views() == before + 1, TIMEOUT, lambda: left() + worker.logs())  # noqa: B023  # not kept
            connection.close()
            server.stop()
            server.start()
        assert web.get(article.get_absolute_url()) == 200
        wait_until(lambda: views() == 4, TIMEOUT, lambda: left() + worker.logs())
        wait_settled()

    def test_in_an_effect(
        self, start_worker: StartWorker, gate: Gate, server: PostgresServer
    ) -> None:
        """The effect is had once, though its process was taken for dead while it knew nothing."""
        worker = start_worker(point="in the effect")
        with transaction.atomic():
            for name in NAMES:
                tasks.write_batch.delay_on_commit(name=name)
        gate.wait_reached()
        connection.close()
        server.stop()
        server.start()
        # Its process, at the gate, knows nothing of it. A sweep has looked when no journal is left.
        wait_until(lambda: not journals(), TIMEOUT, lambda: left() + worker.logs())
        assert OutboxCall.objects.count() == len(NAMES)
        gate.open()
        wait_settled()
        assert written() == NAMES

    @pytest.mark.parametrize("task", [tasks.send, tasks.resend])
    def test_outside_effect(
        self,
        start_worker: StartWorker,
        gate: Gate,
        server: PostgresServer,
        tmp_path: Path,
        task: Any,
    ) -> None:
        """A mail that is sent while the server is away, for longer than its lease, is sent once.

        Its process is idle after that: nobody but the thread that tells what it knows does so.
        """
        worker = self.end_while_away(start_worker, gate, server, tmp_path / "sent", task, "a")
        wait_until(lambda: not OutboxCall.objects.exists(), TIMEOUT, lambda: left() + worker.logs())
        assert (tmp_path / "sent").read_text().split() == ["a"]

    def test_outside_effect_fails(
        self, start_worker: StartWorker, gate: Gate, server: PostgresServer, tmp_path: Path
    ) -> None:
        """One that fails meanwhile is to be retried, with its error, and not uncertain."""
        path = tmp_path / "sent"
        worker = self.end_while_away(start_worker, gate, server, path, tasks.send, "fails")
        failed = OutboxCall.objects.filter(status="pending", attempts=1)
        wait_until(failed.exists, TIMEOUT, lambda: left() + worker.logs())
        assert "the mail server is away" in failed.get().error
        assert path.read_text().split() == ["fails"]

    def end_while_away(
        self,
        start_worker: StartWorker,
        gate: Gate,
        server: PostgresServer,
        path: Path,
        task: Any,
        name: str,
    ) -> ProjectWorker:
        """Have a call of the task end while the server is away, and be back after the lease."""
        worker: ProjectWorker = start_worker(2, point="in the effect")
        task.delay_on_commit(name=name, path=str(path))
        gate.wait_reached()
        OutboxCall.objects.update(available_at=Now())  # its lease is over once the server is back
        connection.close()
        server.stop()
        gate.open()
        worker.wait_for_log("Connection refused", timeout=TIMEOUT)
        server.start()
        return worker
